"""Client of the attester's Unix socket: a nonce in, evidence out, never blocking the event loop."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from pathlib import Path
from typing import Any

#: Requests that may wait for the attester at once; it serves one quote at a time.
MAX_WAITING = 256
#: A quote takes some 10 ms; a queue of MAX_WAITING takes seconds.
TIMEOUT_S = 20.0
#: An answer holds a quote (about 10 kB in hex) and the event log.
MAX_ANSWER_BYTES = 4 * 1024 * 1024


class AttesterError(Exception):
    """No evidence: `code` is bad-request, busy, device, internal or unreachable; the text is one sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def check_nonce(text: str) -> str:
    """`text` if it is 32 bytes in base64url without padding, in its only spelling; else AttesterError."""
    try:
        raw = base64.b64decode(text + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32 or base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise AttesterError(
            "bad-request",
            f"The nonce must be 32 bytes in base64url without padding (43 characters); got {len(text)} characters.",
        )
    return text


class AttesterClient:
    """Asks the attester at `socket`; at most MAX_WAITING requests at once, the next one is refused as busy."""

    def __init__(self, socket: Path | None) -> None:
        self._socket = socket
        self._waiting = 0

    async def evidence(self, nonce: str | None = None) -> dict[str, Any]:
        """The attester's evidence for `nonce` (its own draw if None); raises AttesterError."""
        if self._socket is None:
            raise AttesterError(
                "unreachable", "This server was started without an attester, so it has no evidence to give."
            )
        if self._waiting >= MAX_WAITING:
            raise AttesterError(
                "busy", f"{MAX_WAITING} attestation requests are waiting already; ask again in a second."
            )
        request = {} if nonce is None else {"nonce": check_nonce(nonce)}
        self._waiting += 1
        try:
            line = await asyncio.wait_for(self._exchange(json.dumps(request).encode() + b"\n"), TIMEOUT_S)
        except TimeoutError:
            raise AttesterError("busy", f"The attester did not answer within {TIMEOUT_S:.0f} seconds.") from None
        except (OSError, ValueError) as error:  # ValueError: an answer longer than the limit
            raise AttesterError("unreachable", f"The attester cannot be reached: {error}.") from None
        finally:
            self._waiting -= 1
        return _unwrap(line)

    async def _exchange(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(self._socket), limit=MAX_ANSWER_BYTES)
        try:
            writer.write(request)
            await writer.drain()
            return await reader.readline()
        finally:
            writer.close()


def _unwrap(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
        if answer["ok"] is True:
            evidence: dict[str, Any] = dict(answer["evidence"])
            bytes.fromhex(evidence["quote"])
            return evidence
        code, message = str(answer["error"]["code"]), str(answer["error"]["message"])
    except (ValueError, TypeError, KeyError):
        raise AttesterError("internal", "The attester's answer could not be read; its log says more.") from None
    raise AttesterError(code, message)
