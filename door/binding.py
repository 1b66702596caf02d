"""Have the attester bind the key, over a socket that it was given by the launcher: nobody else can.

One JSON object a line: `{"bind": {"tls": {"spki_sha256", "key"} | null}}`, answered by `{"ok": true}` or
`{"ok": false, "error": {"code", "message"}}` (docs/design.md, "Attester socket").
"""

from __future__ import annotations

import json
import socket

TIMEOUT_S = 120.0  # the attester starts only when the launch has been measured
MAX_ANSWER_BYTES = 65536


class BindError(Exception):
    """The attester does not bind it; the text is one sentence."""


def bind(handle: int, tls: dict[str, str] | None) -> None:
    """Bind this key, or none, and wait until that is so. Raises BindError."""
    with socket.socket(fileno=handle) as channel:
        channel.settimeout(TIMEOUT_S)
        try:
            channel.sendall(json.dumps({"bind": {"tls": tls}}).encode() + b"\n")
            answer = json.loads(_line(channel))
            message = "" if answer["ok"] is True else str(answer["error"]["message"])
        except TimeoutError:
            raise BindError(f"The attester did not bind the TLS key within {TIMEOUT_S:.0f} seconds.") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BindError(f"The attester cannot be asked to bind the TLS key: {error}.") from None
    if message:
        raise BindError(f"The attester does not bind the TLS key: {message}")


def _line(channel: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n") and len(line) < MAX_ANSWER_BYTES:
        chunk = channel.recv(4096)
        if not chunk:
            raise ValueError("it has ended")
        line += chunk
    return line
