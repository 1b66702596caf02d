"""A sealed request in, a sealed answer out: what is inside goes to the rest of the door as an ordinary request.

Everything of a message is inside: method, path, headers, body. Outside stands `POST /api/v1/tee/channel` only. What is
inside is passed on as it arrives, but for the first MEBIBYTE, which is held until it is known to be whole or to be
more; a request that breaks off later ends as one whose client has gone, which no handler takes for a whole one.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sealed_http.binary_http import END, NOT_HERE, REQUEST, Head, encode_content, encode_head
from sealed_http.errors import MalformedError, SealedError, UnknownKeyError, UnopenedError
from sealed_http.exchange import INSTEAD_OF, NAME_SIZE, PREFIX_SIZE, ServerExchange, name_of
from sealed_http.outside import ANSWER_TYPE, DATE_PROBLEM, KEY_PROBLEM, PATH, REQUEST_TYPE
from sealed_http.stream import Opened, seal

from ..connections import abort
from .keys import ClockError, CrowdedError, Keys, ReplayedError, Taken

#: In the scope of a request that came through the channel.
INSIDE = "door.inside"
MEBIBYTE = 1024 * 1024
#: What a client says to the door alone, or as the address of what it asks.
NOT_INSIDE = ("host", "date", INSTEAD_OF)


def problem(status: int, title: str, kind: str = "about:blank") -> Response:
    """Why there is no sealed answer (RFC 9457). Who is outside can read it, so it says nothing of what is inside."""
    content = {"type": kind, "title": title, "status": status, "detail": title}
    return JSONResponse(content, status, {"Cache-Control": "no-store"}, media_type="application/problem+json")


async def refuse(status: int, sentence: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request, or the handshake of a WebSocket, with that problem (ASGI)."""
    answer = problem(status, sentence)
    if scope["type"] != "websocket":
        return await answer(scope, receive, send)
    await receive()  # websocket.connect
    start = {"type": "websocket.http.response.start", "status": status, "headers": answer.raw_headers}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": answer.body})
    return None


def refusal(error: Exception) -> Response:
    """The problem for what `open_head` raises."""
    if isinstance(error, UnknownKeyError):
        return problem(400, f"{_sentence(error)} Check the server again.", KEY_PROBLEM)
    if isinstance(error, ClockError):
        return problem(400, str(error), DATE_PROBLEM)
    if isinstance(error, CrowdedError):
        return problem(503, str(error))
    return problem(409 if isinstance(error, ReplayedError) else 400, _sentence(error))


def require_single(head: Head) -> None:
    """Raise MalformedError where what is inside is a sealed request again."""
    if head.path.partition("?")[0] == PATH:
        raise MalformedError("a sealed request holds no other one")


def take(taken: Taken, prefix: bytes, head: Head) -> None:
    """Take the request of this beginning and head, once. Raises REFUSALS."""
    instead_of = head.field(INSTEAD_OF)
    if instead_of is not None and not re.fullmatch(f"[0-9a-f]{{{2 * NAME_SIZE}}}", instead_of):
        raise MalformedError(f"the field `{INSTEAD_OF}` of a sealed request has {2 * NAME_SIZE} hex digits")
    taken.take(name_of(prefix), head.field("date"), bytes.fromhex(instead_of) if instead_of else None)


#: Of a key that is gone its number may be another one's now: after a restart they begin anew.
OTHER_KEY = "this message does not open: it was changed on its way, or sealed to a key that this server does not hold"
REFUSALS = (SealedError, ClockError, ReplayedError, CrowdedError)


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[:1].upper() + text[1:].rstrip(".") + "."


def inner_scope(outer: Scope, head: Head, **changes: object) -> Scope:
    """The scope of what is inside `outer`."""
    raw_path, _, query = head.path.partition("?")
    headers = [(name.encode(), value.encode("latin-1")) for name, value in head.fields if name not in NOT_INSIDE]
    return {
        **outer,
        "method": head.method,
        "scheme": "https",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", head.authority.encode()), *headers],
        INSIDE: True,
        **changes,
    }


@dataclass(frozen=True)
class Ends:
    """What opens and what takes sealed requests: keys, memory of what was taken, and the rest of the door."""

    app: ASGIApp
    keys: Keys
    taken: Taken


class Incoming:
    """The opened request of one POST: its head, then its content."""

    def __init__(self, ends: Ends, receive: Receive) -> None:
        self._ends, self._receive = ends, receive
        self._pieces: list[bytes] = []
        self.whole = False
        self.exchange: ServerExchange
        self._opened: Opened

    async def head(self) -> Head:
        """Read as far as the head. Raises REFUSALS, ClientDisconnect."""
        begin, more = b"", True
        while more and len(begin) < PREFIX_SIZE:
            data, more = await self._next()
            begin += data
        self.exchange = ServerExchange(begin[:PREFIX_SIZE], self._ends.keys.secrets)
        self._opened = Opened(self.exchange.request, REQUEST)
        try:
            self._open(begin[PREFIX_SIZE:], more)
            while self._opened.head is None:
                if self.whole:
                    raise MalformedError("a sealed request has a head")
                await self._read()
        except UnopenedError:
            if self._opened.head is not None:
                raise
            raise UnknownKeyError(OTHER_KEY) from None
        head = self._opened.head
        require_single(head)
        take(self._ends.taken, begin[:PREFIX_SIZE], head)
        return head

    async def first(self) -> bytes:
        """The content, or its first MEBIBYTE and a little: `whole` says which."""
        held = self._take()
        while not self.whole and len(held) < MEBIBYTE:
            await self._read()
            held += self._take()
        return held

    async def rest(self) -> AsyncIterator[bytes]:
        """What follows, as it arrives. SealedError where it breaks off."""
        while not self.whole:
            await self._read()
            yield self._take()

    def _take(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)

    async def _read(self) -> None:
        self._open(*await self._next())

    async def _next(self) -> tuple[bytes, bool]:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        return message.get("body", b""), message.get("more_body", False)

    def _open(self, data: bytes, more: bool) -> None:
        self._pieces += self._opened.feed(data)
        if not more:
            self._pieces += self._opened.end()
            self.whole = True


class Outgoing:
    """Seals the answer of the rest of the door, message by message."""

    def __init__(self, exchange: ServerExchange, send: Send) -> None:
        self._nonce, self._sealer = exchange.response()
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        """Take one message of ASGI."""
        if message["type"] == "http.response.start":
            head = encode_head(_answer_head(message))  # fails before anything is sent, or not at all
            headers = [(b"content-type", ANSWER_TYPE.encode()), (b"cache-control", b"no-store")]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
            self.started = True
            await self._body(self._nonce + seal(self._sealer, head))
        elif message["type"] == "http.response.body":
            body, more = message.get("body", b""), message.get("more_body", False)
            sealed = b"".join(seal(self._sealer, chunk) for chunk in encode_content(body))
            if sealed or not more:
                await self._body(sealed if more else sealed + seal(self._sealer, END, True), more)

    async def _body(self, data: bytes, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})


def _answer_head(message: Message) -> Head:
    named = ((name.decode("latin-1").lower(), value) for name, value in message.get("headers", ()))
    fields = tuple((name, value.decode("latin-1")) for name, value in named if name not in NOT_HERE)
    return Head(fields, status=message["status"])


async def answer(ends: Ends, scope: Scope, receive: Receive, send: Send) -> None:
    """One POST of a sealed request (ASGI)."""
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    if scope["method"] != "POST" or kinds != [REQUEST_TYPE.encode()]:
        return await problem(415, f"A sealed request is a POST of {REQUEST_TYPE}.")(scope, receive, send)
    incoming = Incoming(ends, receive)
    try:
        head = await incoming.head()
        first = await incoming.first()
    except REFUSALS as error:
        return await refusal(error)(scope, receive, send)
    except ClientDisconnect:
        return None
    outgoing = Outgoing(incoming.exchange, send)
    inner = inner_scope(scope, head)
    if first or not incoming.whole:
        length = (b"content-length", str(len(first)).encode())
        inner["headers"].append(length if incoming.whole else (b"transfer-encoding", b"chunked"))
    try:
        await ends.app(inner, _Received(incoming, first, receive), outgoing)
    except MalformedError:
        if not outgoing.started:
            return await problem(502, "The answer is none that can be sealed.")(scope, receive, send)
        abort(scope)
    return None


class _Received:
    """ASGI's `receive` for what is inside: what was held, the rest as it arrives, then whether the client is there."""

    def __init__(self, incoming: Incoming, first: bytes, receive: Receive) -> None:
        self._rest, self._receive = incoming.rest(), receive
        self._first: bytes | None = first
        self._whole = incoming.whole

    async def __call__(self) -> Message:
        if self._first is not None:
            first, self._first = self._first, None
            return {"type": "http.request", "body": first, "more_body": not self._whole}
        with suppress(SealedError, ClientDisconnect):
            if not self._whole:
                return await self._next()
            while (await self._receive())["type"] != "http.disconnect":
                pass
        return {"type": "http.disconnect"}

    async def _next(self) -> Message:
        async for piece in self._rest:
            return {"type": "http.request", "body": piece, "more_body": True}
        self._whole = True
        return {"type": "http.request", "body": b"", "more_body": False}
