"""Client of the attester's Unix socket: a nonce in, evidence and its proof out, never blocking the event loop.

While one request is under way, those who ask are collected, and the next request is for all of them: the attester makes
one quote for it, whose nonces are the leaves of a tree. So nobody waits for more than two quotes, however many ask.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: People who may wait at once; beyond that they are told that the server is busy.
MAX_WAITING = 4096
#: For the quote under way and one's own. A quote takes some 10 or 20 ms.
TIMEOUT_S = 20.0
#: An answer holds a quote (about 10 kB in hex), the event log, and a proof of 12 hashes (1 kB) for each who waits.
MAX_ANSWER_BYTES = 16 * 1024 * 1024


class AttesterError(Exception):
    """No evidence: `code` is bad-request, busy, device, internal or unreachable; the text is one sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _no_attester() -> AttesterError:
    return AttesterError("unreachable", "This server was started without an attester, so it has no evidence to give.")


def _unreadable() -> AttesterError:
    return AttesterError("internal", "The attester's answer could not be read; its log says more.")


@dataclass(frozen=True)
class Answer:
    """Evidence that all askers of a quote share, as JSON text of an object, and what is this asker's own."""

    shared: bytes
    own: bytes

    def body(self, more: str = "") -> bytes:
        """The whole document; `more`: further members, as JSON text without braces."""
        members = (self.shared[:-1], self.own, more.encode()) if more else (self.shared[:-1], self.own)
        return b",".join(members) + b"}"

    def quote(self) -> bytes:
        """The quote itself."""
        return bytes.fromhex(json.loads(self.shared)["quote"])


@dataclass(frozen=True)
class _Asker:
    nonce: str
    drawn: bool
    answer: asyncio.Future[Answer]


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
    """Asks the attester at `socket`; at most MAX_WAITING wait at once, the next one is refused as busy."""

    def __init__(self, socket: Path | None) -> None:
        self._socket = socket
        self._waiting: list[_Asker] = []
        self._under_way = 0
        self._work: asyncio.Task[None] | None = None

    async def evidence(self, nonce: str | None = None) -> Answer:
        """The attester's evidence for `nonce`; raises AttesterError. Without one it is drawn here, and told."""
        if self._socket is None:
            raise _no_attester()
        if len(self._waiting) + self._under_way >= MAX_WAITING:
            raise AttesterError(
                "busy", f"{MAX_WAITING} attestation requests are waiting already; ask again in a second."
            )
        own = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
        asked = own if nonce is None else check_nonce(nonce)
        asker = _Asker(asked, nonce is None, asyncio.get_running_loop().create_future())
        self._waiting.append(asker)
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._serve())
        return await asker.answer

    async def boot_log(self) -> str | None:
        """The machine's boot event log, base64url; None where it has none to give. Raises AttesterError."""
        if self._socket is None:
            raise _no_attester()
        try:
            answer = json.loads(await self._answer({"boot_log": True}))
            log = answer["boot_log"]
            if log is not None and not isinstance(log, str):
                raise ValueError
        except (ValueError, TypeError, KeyError):
            raise _unreadable() from None
        return log

    async def _serve(self) -> None:
        """Request after request, until nobody waits."""
        while self._waiting:
            asked, self._waiting = self._waiting, []
            batch = [asker for asker in asked if not asker.answer.done()]  # who went away is asked for no more
            self._under_way = len(batch)
            try:
                answers = await self._ask(batch) if batch else []
            except AttesterError as error:
                for asker in batch:
                    if not asker.answer.done():
                        asker.answer.set_exception(AttesterError(error.code, str(error)))
            else:
                for asker, answer in zip(batch, answers, strict=True):
                    if not asker.answer.done():
                        asker.answer.set_result(answer)
            finally:
                self._under_way = 0

    async def _ask(self, batch: Sequence[_Asker]) -> list[Answer]:
        line = await self._answer({"nonces": [asker.nonce for asker in batch]})
        shared, proofs = _unwrap(line, len(batch))
        return [Answer(shared, _own(asker, proof)) for asker, proof in zip(batch, proofs, strict=True)]

    async def _answer(self, request: dict[str, Any]) -> bytes:
        text = json.dumps(request, separators=(",", ":"))
        try:
            return await asyncio.wait_for(self._exchange(text.encode() + b"\n"), TIMEOUT_S)
        except TimeoutError:
            raise AttesterError("busy", f"The attester did not answer within {TIMEOUT_S:.0f} seconds.") from None
        except (OSError, ValueError) as error:  # ValueError: an answer longer than the limit
            raise AttesterError("unreachable", f"The attester cannot be reached: {error}.") from None

    async def _exchange(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(self._socket), limit=MAX_ANSWER_BYTES)
        try:
            writer.write(request)
            await writer.drain()
            return await reader.readline()
        finally:
            writer.close()


def _own(asker: _Asker, proof: Any) -> bytes:
    told = f',"nonce":"{asker.nonce}"' if asker.drawn else ""
    return f'"proof":{json.dumps(proof, separators=(",", ":"))}{told}'.encode()


def _unwrap(line: bytes, count: int) -> tuple[bytes, list[Any]]:
    """The evidence that all share, as JSON text, and `count` proofs; raises AttesterError."""
    try:
        answer = json.loads(line)
        if answer["ok"] is True:
            evidence, proofs = dict(answer["evidence"]), answer["proofs"]
            bytes.fromhex(evidence["quote"])
            if not isinstance(proofs, list) or len(proofs) != count:
                raise ValueError
            return json.dumps(evidence, separators=(",", ":")).encode(), proofs
        code, message = str(answer["error"]["code"]), str(answer["error"]["message"])
    except (ValueError, TypeError, KeyError):
        raise _unreadable() from None
    raise AttesterError(code, message)
