"""A client's side of the channel, and the ends of an ASGI application, as short as tests need them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from email.utils import formatdate
from typing import Any

from door.channel import requests
from door.channel.keys import Keys, Taken
from door.channel.requests import Ends
from sealed_http import outside
from sealed_http.binary_http import END, RESPONSE, Head, encode_content, encode_head
from sealed_http.exchange import RESPONSE_NONCE_SIZE, ClientExchange
from sealed_http.key_config import KeyConfig
from sealed_http.stream import Opened, seal

App = Callable[[Any, Any, Any], Awaitable[None]]
NOW = 1_800_000_000.0


def ends(app: App, now: Callable[[], float] = lambda: NOW) -> Ends:
    return Ends(app, Keys(), Taken(now))


def head(path: str = "/api/x", method: str = "POST", at: float = NOW, **fields: str) -> Head:
    named = tuple((name.replace("_", "-"), value) for name, value in fields.items())
    return Head((("date", formatdate(at, usegmt=True)), *named), method, "chat.example", path)


class Sealed:
    """One sealed request, as bytes, and what reads its answer."""

    def __init__(self, key: KeyConfig, head: Head, content: bytes = b"") -> None:
        self._exchange = ClientExchange(key)
        parts = [encode_head(head), *encode_content(content), END]
        last = len(parts) - 1
        sealed = [seal(self._exchange.request, part, at == last) for at, part in enumerate(parts)]
        self.parts = [self._exchange.prefix, *sealed]

    @property
    def request(self) -> bytes:
        return b"".join(self.parts)

    def read(self, answer: bytes) -> tuple[Head, bytes]:
        opened = Opened(self._exchange.response(answer[:RESPONSE_NONCE_SIZE]), RESPONSE)
        content = b"".join([*opened.feed(answer[RESPONSE_NONCE_SIZE:]), *opened.end()])
        assert opened.head
        return opened.head, content


class Exchange:
    """Runs an ASGI application on the given pieces of a body; `sent` are its messages."""

    def __init__(self, pieces: Iterable[bytes], ends_well: bool = True) -> None:
        self._pieces, self._ends_well = list(pieces), ends_well
        self.sent: list[Any] = []
        self.aborted = False
        self.asked = 0

    async def receive(self) -> Any:
        self.asked += 1
        if self._pieces:
            piece = self._pieces.pop(0)
            more = bool(self._pieces) or not self._ends_well
            return {"type": "http.request", "body": piece, "more_body": more}
        if self._ends_well:
            await asyncio.sleep(3600)
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    def run(self, ends: Ends, method: str = "POST", kind: str = outside.REQUEST_TYPE) -> Exchange:
        return asyncio.run(asyncio.wait_for(self.answered(ends, method, kind), 20))

    async def answered(self, ends: Ends, method: str = "POST", kind: str = outside.REQUEST_TYPE) -> Exchange:
        """The same in a loop that runs already."""

        def abort() -> None:
            self.aborted = True

        scope = {
            "type": "http",
            "method": method,
            "path": outside.PATH,
            "raw_path": outside.PATH.encode(),
            "query_string": b"",
            "scheme": "http",
            "client": ("192.0.2.1", 4711),
            "headers": [(b"host", b"outside"), (b"content-type", kind.encode()), (b"cookie", b"token=outside")],
            "extensions": {"door.abort": abort},
        }
        await requests.answer(ends, scope, self.receive, self.send)
        return self

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])

    @property
    def complete(self) -> bool:
        return not self.sent[-1]["more_body"]
