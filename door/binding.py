"""Have the attester bind the door's keys, over a socket that it was given by the launcher: nobody else can.

One JSON object a line: `{"bind": {"tls": {"spki_sha256", "key"} | null, "channel": <base64url>}}`, answered
by `{"ok": true}` or `{"ok": false, "error": {"code", "message"}}` (docs/design.md, "Attester socket").
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping

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
        names = " and ".join(members)
        try:
            with self._one:
                self._channel.sendall(json.dumps({"bind": members}).encode() + b"\n")
                answer = json.loads(_line(self._channel))
            message = "" if answer["ok"] is True else str(answer["error"]["message"])
        except TimeoutError:
            raise BindError(f"The attester did not bind the door's {names} within {TIMEOUT_S:.0f} seconds.") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BindError(f"The attester cannot be asked to bind the door's {names}: {error}.") from None
        if message:
            raise BindError(f"The attester does not bind the door's {names}: {message}")


def _line(channel: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n") and len(line) < MAX_ANSWER_BYTES:
        chunk = channel.recv(4096)
        if not chunk:
            raise ValueError("it has ended")
        line += chunk
    return line
