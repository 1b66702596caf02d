"""The lock before the service's data: who asks, what the owner's message holds, and when people are let in.

The X25519 key to which the owner seals is drawn here, bound into every quote as `unlock`, and good for one message.
What that holds goes to the launcher, which opens the data, over a socket that it handed down: one JSON object a line
(`launcher/serve/unlocking.py` has its end).
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from data_unlock.answer import Answer
from data_unlock.ends import Locked, Opened
from data_unlock.errors import RefusedError

from .binding import Binder

#: Of one line: what the door keeps is at most half of it (door/keeping.py).
MAX_LINE_BYTES = 2 * 1024 * 1024


class Lock:
    """Closed until the launcher says that everything serves. `data` is what `runtime_data` says of the data."""

    def __init__(self, data: dict[str, str], channel: socket.socket, binder: Binder) -> None:
        self._data, self._channel, self._binder = data, channel, binder
        owner = data["owner"]
        self._owner = base64.urlsafe_b64decode(owner + "=" * (-len(owner) % 4))
        self._waiting = Locked(self._owner)
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._writer: asyncio.Future[asyncio.StreamWriter] | None = None
        self.open = False
        self.opened = asyncio.Event()
        #: Takes up what lies in the data for the door, before people are let in.
        self.take_up: Callable[[dict[str, str]], Awaitable[None]] | None = None

    @property
    def bound(self) -> str:
        """The key to which the owner seals, as `runtime_data.unlock` has it: base64url without padding."""
        return base64.urlsafe_b64encode(self._waiting.public).decode().rstrip("=")

    async def hear(self) -> None:
        """For as long as the door runs: what the launcher says."""
        reader, writer = await asyncio.open_connection(sock=self._channel, limit=MAX_LINE_BYTES)
        self._way().set_result(writer)
        while line := await reader.readline():
            said = json.loads(line)
            if "serve" in said:
                if self.take_up:
                    await self.take_up(said.get("kept", {}))
                self.open = True
                self.opened.set()
            else:
                self._answers.put_nowait(said)

    async def take(self, message: bytes) -> bytes:
        """Open one message and have the data opened; the answer. MalformedError, RefusedError: nothing was opened, and
        the key is still good, unless the owner's own signature was on what does not open."""
        try:
            opened = self._waiting.open(message)
        except RefusedError:
            if self._waiting.used:
                await self._renew()
            raise
        said = await self._ask(opened)
        if said["ok"]:
            bound = {**self._data, "generation": said["generation"]}
            await asyncio.to_thread(self._binder.bind, unlock=None, data=bound)
            return opened.answer(Answer("opened", said["generation"]))
        await self._renew()
        return opened.answer(Answer("refused", said["generation"], said["detail"]))

    async def _ask(self, opened: Opened) -> dict[str, Any]:
        """The launcher's answer. Only one message opens at a time: its key is gone until the next one is drawn."""
        asked = {"action": opened.action.name.lower(), "least": opened.least_generation}
        asked["key"] = base64.b64encode(opened.data_key).decode()
        if opened.new_key:
            asked["new"] = base64.b64encode(opened.new_key).decode()
        (await self._way()).write(json.dumps(asked).encode() + b"\n")
        return await self._answers.get()

    def _way(self) -> asyncio.Future[asyncio.StreamWriter]:
        """To the launcher, once `hear` has begun."""
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_future()
        return self._writer

    async def _renew(self) -> None:
        self._waiting = Locked(self._owner)
        await asyncio.to_thread(self._binder.bind, unlock=self.bound)
