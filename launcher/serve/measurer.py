"""Measure while running: a small socket on which the web server names code before it runs it.

The web server sends one line, `{"kind": "tool"|"function", "id": ..., "sha384": ...}`, and runs the code only after
`{"ok": true}`. It can add events and nothing else: an event too many makes verifiers refuse, never accept.
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import LauncherError
from ..plan.events import Event

MAX_REQUEST = 4096
MAX_EVENTS = 4096
TIMEOUT_S = 10.0


def parse(line: bytes) -> Event:
    """The event that a request names. Raises ValueError."""
    request: Any = json.loads(line)
    kind, identifier, digest = request["kind"], request["id"], request["sha384"]
    if kind not in ("tool", "function"):
        raise ValueError("kind is neither tool nor function")
    if not isinstance(identifier, str) or not re.fullmatch(r"[\w.@:+-]{1,200}", identifier):
        raise ValueError("id is not a name")
    if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{96}", digest):
        raise ValueError("sha384 is not a SHA-384")
    return Event(kind, {"id": identifier, "sha384": digest})


class Measurer:
    """Serves the socket in a thread of the launcher, for processes of `uid` (and root) only."""

    def __init__(self, path: Path, uid: int, extend: Callable[[Event], None], known: set[str]) -> None:
        self._extend, self._uid, self._known = extend, uid, known
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        if uid != os.geteuid():
            os.chown(path, uid, -1)
        path.chmod(0o600)  # a connection that says nothing holds it for a while: only who may ask gets in
        self._socket.listen(16)

    def start(self) -> None:
        """Begin to answer, in a thread of its own."""
        threading.Thread(target=self._serve, name="measurer", daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                connection.settimeout(TIMEOUT_S)
                try:
                    connection.sendall(json.dumps(self._answer(connection)).encode() + b"\n")
                except OSError:
                    continue  # whoever asked is gone

    def _answer(self, connection: socket.socket) -> dict[str, Any]:
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid not in (0, self._uid):
            return {"ok": False, "message": "this account may not ask"}
        line = b""
        while not line.endswith(b"\n") and len(line) < MAX_REQUEST:
            chunk = connection.recv(MAX_REQUEST)
            if not chunk:
                break
            line += chunk
        try:
            event = parse(line)
        except (ValueError, KeyError, TypeError) as error:
            return {"ok": False, "message": f"not a request: {error}"}
        if event.line in self._known:
            return {"ok": True}
        if len(self._known) >= MAX_EVENTS:
            return {"ok": False, "message": f"more than {MAX_EVENTS} pieces of code were measured since the launch"}
        try:
            self._extend(event)
        except LauncherError as error:
            return {"ok": False, "message": str(error)}
        self._known.add(event.line)
        return {"ok": True}
