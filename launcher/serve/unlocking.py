"""Wait for the owner: the door opens the message, and asks here to have the data opened with the key in it.

One JSON object a line, over a socket pair. The door: `{"action": "open"|"create"|"rotate"|"copy", "least": n, "key":
<base64>}`, with `"new": <base64>` for the last two; the launcher: `{"ok": true, "generation": n}` or `{"ok": false,
"generation": n, "detail": <a sentence>}`, and at the end, once everything serves, `{"serve": true, "kept":
{...}}`, with what the door kept in the data in earlier boots (door/taking_up.py). Meanwhile the door may say why a
key broker does not open it: `{"trouble": <a sentence or two>}`.
"""

from __future__ import annotations

import base64
import json
import select
import socket
from dataclasses import dataclass, field
from typing import Any

from ..errors import ChildError, DataError
from ..summary import notice
from . import rotating
from .supervisor import Supervisor
from .vault import Vault, VaultError

POLL_S = 0.1
LINE_LIMIT = 4096


@dataclass(frozen=True)
class Waiting:
    """The launcher's end of the channel to the door."""

    channel: socket.socket
    supervisor: Supervisor
    _heard: bytearray = field(default_factory=bytearray, repr=False)

    def for_owner(self, vault: Vault) -> int:
        """Until the data is open: how often it was opened by now. Raises Stopped, ChildError."""
        while True:
            asked = self._line()
            if "trouble" in asked:
                notice(asked["trouble"])
                self.supervisor.notifier.status(asked["trouble"])
                continue
            try:
                generation = self._open(vault, asked)
            except (VaultError, DataError) as error:
                notice(f"The data was not opened: {error}")
                self._say({"ok": False, "generation": getattr(error, "generation", 0), "detail": str(error)})
            else:
                self._say({"ok": True, "generation": generation})
                return generation

    def serve(self, kept: dict[str, str]) -> None:
        """Tell the door that what was locked serves now, and what lies in the data for it."""
        self._say({"serve": True, "kept": kept})

    @staticmethod
    def _open(vault: Vault, asked: dict[str, Any]) -> int:
        rotating.settle(vault.launch.data)
        key, least = base64.b64decode(asked["key"], validate=True), int(asked["least"])
        if asked["action"] == "create":
            vault.create(key)
        elif asked["action"] != "open":
            new = base64.b64decode(asked["new"], validate=True)
            rotating.rotate(vault, key, new, least, asked["action"] == "copy")
            return vault.open(new, least)
        return vault.open(key, least)

    def _say(self, content: dict[str, Any]) -> None:
        self.channel.sendall(json.dumps(content).encode() + b"\n")

    def _line(self) -> dict[str, Any]:
        """The next object; what came after it is kept, since the door may say why and ask right after."""
        while b"\n" not in self._heard:
            self.supervisor.check()
            if select.select([self.channel], [], [], POLL_S)[0]:
                chunk = self.channel.recv(LINE_LIMIT)
                if not chunk or len(self._heard) > LINE_LIMIT:
                    self.supervisor.check()
                    raise ChildError(
                        "The door closed the way over which the data is opened, so everything was stopped."
                    )
                self._heard.extend(chunk)
        line = bytes(self._heard[: self._heard.index(b"\n") + 1])
        del self._heard[: len(line)]
        found: dict[str, Any] = json.loads(line)
        return found
