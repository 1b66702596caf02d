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
from data_unlock.ends import Locked
from data_unlock.errors import RefusedError
from data_unlock.grant import Grant
from data_unlock.message import Action

from .binding import Binder

#: Of one line: what the door keeps is at most half of it (door/keeping.py).
MAX_LINE_BYTES = 2 * 1024 * 1024
OPEN_ALREADY = "the data is open already"


class Lock:
    """Closed until the launcher says that everything serves. `data` is what `runtime_data` says of the data."""

    def __init__(self, data: dict[str, str], channel: socket.socket, binder: Binder) -> None:
        self._data, self._channel, self._binder = data, channel, binder
        owner = data["owner"]
        self._owner = base64.urlsafe_b64decode(owner + "=" * (-len(owner) % 4))
        self._waiting = Locked(self._owner)
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._writer: asyncio.Future[asyncio.StreamWriter] | None = None
        self._one = asyncio.Lock()
        self._turn = asyncio.Lock()  # of a message to be looked at: thousands that are forged wait for each other
        self.given = False  # the data is open, though people are not let in yet
        #: Why a key broker does not open it, one sentence of ours, or ""; and its kind (door/key_broker.py), by which
        #: pages say it in their reader's language.
        self.trouble, self.trouble_kind = "", ""
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
        async with self._turn:
            await asyncio.sleep(0)  # one message each time around: others are answered in between
            if self.given:
                raise RefusedError(OPEN_ALREADY)
            before = self._waiting.used  # by a message that is being carried out: what comes of that is not this one's
            try:
                opened = self._waiting.open(message)
            except RefusedError:
                if self._waiting.used and not before:
                    await self._renew()
                raise
        said = await self._ask(opened.action, opened.least_generation, opened.data_key, opened.new_key)
        if said["ok"]:
            return opened.answer(Answer("opened", said["generation"]))
        if not self.given:
            await self._renew()
        return opened.answer(Answer("refused", said["generation"], said["detail"]))

    async def take_grant(self, grant: Grant) -> str:
        """Have the data opened with what a key broker released; why it was not, or "". Raises BindError."""
        said = await self._ask(Action.OPEN, grant.least_generation, grant.data_key)
        return "" if said["ok"] else str(said["detail"])

    async def tell(self, sentence: str) -> None:
        """Have the launcher say something where people look."""
        (await self._way()).write(json.dumps({"trouble": sentence}).encode() + b"\n")

    async def _ask(self, action: Action, least: int, key: bytes, new_key: bytes = b"") -> dict[str, Any]:
        """The launcher's answer; that it opened the data is bound before. One at a time: the owner may ask while a
        key broker's grant is tried."""
        asked = {"action": action.name.lower(), "least": least, "key": base64.b64encode(key).decode()}
        if new_key:
            asked["new"] = base64.b64encode(new_key).decode()
        async with self._one:
            if self.given:
                return {"ok": False, "generation": 0, "detail": f"{OPEN_ALREADY.capitalize()}."}
            (await self._way()).write(json.dumps(asked).encode() + b"\n")
            said = await self._answers.get()
            if said["ok"]:
                self.given = True
                bound = {**self._data, "generation": said["generation"]}
                await asyncio.to_thread(self._binder.bind, unlock=None, data=bound)
            return said

    def _way(self) -> asyncio.Future[asyncio.StreamWriter]:
        """To the launcher, once `hear` has begun."""
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_future()
        return self._writer

    async def _renew(self) -> None:
        self._waiting = Locked(self._owner)
        await asyncio.to_thread(self._binder.bind, unlock=self.bound)
