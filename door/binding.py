"""Have the attester bind the door's keys, over a socket that it was given by the launcher: nobody else can.

One JSON object a line: `{"bind": {"tls": {"spki_sha256", "key"} | null, "channel": <base64url>}}`, answered
by `{"ok": true}` or `{"ok": false, "error": {"code", "message"}}` (docs/design.md, "Attester socket"). Over the same
socket the attester makes a quote for a key broker (quote_generator/key_broker.py).
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping
from typing import Any

TIMEOUT_S = 120.0  # the attester starts only when the launch has been measured
MAX_ANSWER_BYTES = 65536


class BindError(Exception):
    """The attester does not bind it; the text is one sentence."""


class Binder:
    """The socket behind descriptor `handle`, for as long as the door runs."""

    def __init__(self, handle: int) -> None:
        self._channel = socket.socket(fileno=handle)
        self._channel.settimeout(TIMEOUT_S)
        self._one = threading.Lock()  # an answer belongs to the line before it

    def close(self) -> None:
        """Bind nothing any more."""
        self._channel.close()

    def bind(self, **members: Mapping[str, str | int] | str | None) -> None:
        """Bind these members of `runtime_data`, None for none, and wait until that is so. Raises BindError."""
        self._ask({"bind": members}, f"bind the door's {' and '.join(members)}")

    def quote(self, nonce: str, x: str, y: str) -> bytes:
        """A quote over a key broker's challenge and a point of P-256 (base64url). Raises BindError."""
        answer = self._ask({"key_broker": {"nonce": nonce, "x": x, "y": y}}, "make a quote for a key broker")
        return bytes.fromhex(answer["quote"])

    def _ask(self, request: Mapping[str, Any], what: str) -> dict[str, Any]:
        try:
            with self._one:
                self._channel.sendall(json.dumps(request).encode() + b"\n")
                answer: dict[str, Any] = json.loads(_line(self._channel))
            message = "" if answer["ok"] is True else str(answer["error"]["message"])
        except TimeoutError:
            self._channel.close()  # what comes late would be taken for the answer to the next
            raise BindError(f"The attester did not {what} within {TIMEOUT_S:.0f} seconds.") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BindError(f"The attester cannot be asked to {what}: {error}.") from None
        if message:
            raise BindError(f"The attester does not {what}: {message}")
        return answer


def _line(channel: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n") and len(line) < MAX_ANSWER_BYTES:
        chunk = channel.recv(4096)
        if not chunk:
            raise ValueError("it has ended")
        line += chunk
    return line
