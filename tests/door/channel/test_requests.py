"""Sealed requests through the door: what is inside arrives as an ordinary request, and nothing half or twice."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from typing import Any

import pytest

from door.channel import keys, requests
from door.channel.keys import WINDOW_S, Keys
from door.channel.requests import Ends
from sealed_http import outside
from sealed_http.binary_http import Head
from sealed_http.errors import TruncatedError
from sealed_http.exchange import name_of
from sealed_http.framing import frame
from sealed_http.key_config import KeyConfig

from .sealing import NOW, Exchange, Sealed, ends, head


class Recorder:
    """An application that keeps what it is asked, and answers with what it was given."""

    def __init__(self, *bodies: bytes, status: int = 200) -> None:
        self.bodies, self.status = bodies or (b"answer",), status
        self.scopes: list[Any] = []
        self.content = b""
        self.gone = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone = True
                return
            self.content += message["body"]
            if not message["more_body"]:
                break
        headers = [(b"content-type", b"text/plain"), (b"Set-Cookie", b"token=inside"), (b"content-length", b"6")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        for body in self.bodies:
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 39, 1000, 1 << 20])
def test_an_ordinary_request_arrives_inside(size: int) -> None:
    app = Recorder()
    here = ends(app)
    sealed = Sealed(here.keys.current, head("/api/chats/new%20?x=1&y", authorization="Bearer abc"), b'{"words": 1}')
    exchange = Exchange(pieces(sealed.request, size)).run(here)
    assert sealed.read(exchange.body) == (
        Head((("content-type", "text/plain"), ("set-cookie", "token=inside")), status=200),
        b"answer",
    )
    assert exchange.sent[0]["status"] == 200 and exchange.complete
    assert dict(exchange.sent[0]["headers"]) == {
        b"content-type": b"message/ohttp-chunked-res",
        b"cache-control": b"no-store",
    }
    scope = app.scopes[0]
    assert (scope["method"], scope["path"], scope["raw_path"], scope["query_string"], scope["scheme"]) == (
        "POST",
        "/api/chats/new ",
        b"/api/chats/new%20",
        b"x=1&y",
        "https",
    )
    assert scope["headers"] == [
        (b"host", b"chat.example"),
        (b"authorization", b"Bearer abc"),
        (b"content-length", b"12"),
    ]
    assert scope[requests.INSIDE] is True and scope["client"] == ("192.0.2.1", 4711)
    assert app.content == b'{"words": 1}'


def test_nothing_of_the_outer_request_comes_inside() -> None:
    app = Recorder()
    here = ends(app)
    Exchange([Sealed(here.keys.current, head()).request]).run(here)
    assert b"cookie" not in dict(app.scopes[0]["headers"]) and app.scopes[0]["path"] == "/api/x"


def test_no_word_is_readable_outside() -> None:
    app = Recorder(b"the answer's words", status=403)
    here = ends(app)
    sealed = Sealed(here.keys.current, head("/api/secret-path", cookie="token=abc"), b"the person's words")
    exchange = Exchange([sealed.request]).run(here)
    seen = sealed.request + json.dumps(exchange.sent, default=repr).encode()
    for word in (b"secret-path", b"token", b"words", b"chat.example", b"403"):
        assert word not in seen
    assert sealed.read(exchange.body)[0].status == 403


def test_a_streamed_answer_is_sealed_piece_by_piece() -> None:
    here = ends(Recorder(b"one ", b"two ", b"three"))
    sealed = Sealed(here.keys.current, head())
    exchange = Exchange([sealed.request]).run(here)
    assert len(exchange.sent) == 6  # start, head, three pieces, end
    assert {len(message["body"]) for message in exchange.sent[2:5]} == {256 + 16 + 2}  # no length tells a word
    assert sealed.read(exchange.body)[1] == b"one two three"
    for cut in (-1, -19, -300):
        with pytest.raises((TruncatedError, Exception)):
            sealed.read(exchange.body[:cut])


def test_a_long_upload_is_passed_on_as_it_arrives() -> None:
    app = Recorder()
    here = ends(app)
    content = bytes(range(256)) * 20_000  # 5 MB
    sealed = Sealed(here.keys.current, head(), content)
    exchange = Exchange(pieces(sealed.request, 100_000)).run(here)
    assert app.content == content and exchange.complete
    assert (b"transfer-encoding", b"chunked") in app.scopes[0]["headers"]


@pytest.mark.parametrize("kept", [1, 2, 4])
def test_a_short_request_that_breaks_off_reaches_nobody(kept: int) -> None:
    app = Recorder()
    here = ends(app)
    sealed = Sealed(here.keys.current, head(), bytes(60_000))
    exchange = Exchange([b"".join(sealed.parts[:kept])], ends_well=False).run(here)
    assert app.scopes == [] and exchange.sent == []
    exchange = Exchange([b"".join(sealed.parts[:kept])]).run(ends(app))
    assert app.scopes == [] and exchange.status == 400


def test_a_long_request_that_breaks_off_is_never_whole() -> None:
    app = Recorder()
    here = ends(app)
    sealed = Sealed(here.keys.current, head(), bytes(3_000_000))
    broken = pieces(b"".join(sealed.parts[:-20]), 100_000)
    Exchange(broken).run(here)  # it ends without its final chunk
    assert app.gone and len(app.content) > 1_000_000
    other = Recorder()
    here = ends(other)
    sealed = Sealed(here.keys.current, head(), bytes(3_000_000))
    changed = bytearray(sealed.request)
    changed[2_500_000] ^= 1
    Exchange(pieces(bytes(changed), 100_000)).run(here)
    assert other.gone and len(other.content) < 2_600_000


def problem(exchange: Exchange) -> tuple[int, str, str]:
    document = json.loads(exchange.body)
    assert dict(exchange.sent[0]["headers"])[b"content-type"] == b"application/problem+json"
    return exchange.status, document["type"], document["title"]


@pytest.mark.parametrize(
    ("minutes", "sentence"),
    [(-10, "10 minutes behind the server's"), (10, "10 minutes ahead of the server's"), (-6, "set it right")],
)
def test_clocks_that_are_apart(minutes: int, sentence: str) -> None:
    app = Recorder()
    here = ends(app)
    sealed = Sealed(here.keys.current, head(at=NOW + 60 * minutes))
    status, kind, title = problem(Exchange([sealed.request]).run(here))
    assert status == 400 and kind.endswith("#date") and sentence in title and app.scopes == []


def test_a_request_without_a_date() -> None:
    here = ends(Recorder())
    sealed = Sealed(here.keys.current, Head((), "GET", "chat.example", "/"))
    assert "in its field `date`" in problem(Exchange([sealed.request]).run(here))[2]


def test_the_same_request_again() -> None:
    clock = [NOW]
    app = Recorder()
    here = ends(app, lambda: clock[0])
    sealed = Sealed(here.keys.current, head(at=NOW + WINDOW_S - 1))
    assert Exchange([sealed.request]).run(here).status == 200
    for later in (0.0, 1.0, 2 * WINDOW_S - 2):
        clock[0] = NOW + later
        # others turn the memory's page in between
        Exchange([Sealed(here.keys.current, head(at=clock[0])).request]).run(here)
        assert problem(Exchange([sealed.request]).run(here))[:2] == (409, "about:blank")
    clock[0] = NOW + 2 * WINDOW_S
    assert problem(Exchange([sealed.request]).run(here))[1].endswith("#date")
    assert len(app.scopes) == 4


@pytest.mark.attack
def test_a_clock_that_is_set_back_makes_no_old_request_new() -> None:
    """Whoever runs the machine sets its clock: forward, until the request is forgotten, and back again."""
    clock = [NOW]
    app = Recorder()
    here = ends(app, lambda: clock[0])
    sealed = Sealed(here.keys.current, head())
    assert Exchange([sealed.request]).run(here).status == 200
    for later in (700.0, 1400.0, 2100.0):
        clock[0] = NOW + later
        Exchange([Sealed(here.keys.current, head(at=clock[0])).request]).run(here)
    clock[0] = NOW
    assert problem(Exchange([sealed.request]).run(here))[0] == 400
    assert len(app.scopes) == 4


def test_a_key_that_is_gone() -> None:
    here = ends(Recorder())
    other = Sealed(Keys().current, head())  # the same number, another key, as before a restart
    assert problem(Exchange([other.request]).run(here))[1].endswith("#ohttp-key")
    gone = KeyConfig(9, here.keys.current.public_key)
    status, kind, title = problem(Exchange([Sealed(gone, head()).request]).run(here))
    assert status == 400 and kind.endswith("#ohttp-key") and "Check the server again" in title


@pytest.mark.attack
@pytest.mark.parametrize("first", ["the one before", "the one instead"])
def test_of_a_request_and_the_one_sent_instead_of_it_one_is_taken(first: str) -> None:
    """Somebody on the way says that the key is gone, and passes the request on all the same, sooner or later."""
    app = Recorder()
    here = ends(app)
    before = Sealed(here.keys.current, head())
    here.keys.current = here.keys._draw()
    instead = Sealed(here.keys.current, head(instead_of=name_of(before.request).hex()))
    for sealed in (before, instead) if first == "the one before" else (instead, before):
        last = Exchange([sealed.request]).run(here)
    assert problem(last)[0] == 409 and len(app.scopes) == 1
    assert b"instead-of" not in dict(app.scopes[0]["headers"])


@pytest.mark.parametrize("name", ["", "xyz", "0" * 18, "\xb2" * 16])
def test_a_name_that_is_none(name: str) -> None:
    app = Recorder()
    here = ends(app)
    sealed = Sealed(here.keys.current, Head((*head().fields, ("instead-of", name)), "POST", "chat.example", "/api/x"))
    assert "16 hex digits" in problem(Exchange([sealed.request]).run(here))[2] and app.scopes == []


@pytest.mark.parametrize(
    "data", [b"", b"x", bytes(38), bytes(39), b"\0" * 1000, b"POST / HTTP/1.1\r\n\r\n" * 100], ids=range(6)
)
def test_garbage(data: bytes) -> None:
    app = Recorder()
    exchange = Exchange([data]).run(ends(app))
    assert problem(exchange)[0] == 400 and app.scopes == []


def test_other_garbage_behind_a_right_beginning() -> None:
    app = Recorder()
    here = ends(app)
    sealed = Sealed(here.keys.current, head(), b"x")
    for wrong in (b"", b"\x7f\xff", frame(bytes(400)), sealed.parts[1][:-1]):
        assert problem(Exchange([sealed.parts[0] + wrong]).run(here))[0] == 400
    assert app.scopes == []


def test_one_inside_another() -> None:
    here = ends(Recorder())
    sealed = Sealed(here.keys.current, head(outside.PATH))
    assert "no other one" in problem(Exchange([sealed.request]).run(here))[2]


@pytest.mark.parametrize(("method", "kind"), [("GET", outside.REQUEST_TYPE), ("POST", "message/ohttp-req")])
def test_what_is_no_sealed_request(method: str, kind: str) -> None:
    assert problem(Exchange([b""]).run(ends(Recorder()), method, kind))[0] == 415


def test_an_answer_that_cannot_be_sealed() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x y", b"")]})

    here = ends(app)
    assert problem(Exchange([Sealed(here.keys.current, head()).request]).run(here))[0] == 502


def test_a_new_key_each_day_and_nobody_waits() -> None:
    async def rotated() -> None:
        keys = Keys()
        old, bound = keys.current, asyncio.Event()
        seen: list[str] = []

        async def bind(config: str) -> None:
            seen.append(config)
            assert keys.current is old and len(keys.secrets) == 2  # taken before anybody can know of it
            bound.set()

        task = asyncio.ensure_future(keys.renew(bind))
        await bound.wait()
        await asyncio.sleep(0)
        assert keys.current.key_id == 1 and seen == [keys.bound]
        assert {old.header, keys.current.header} == set(keys.secrets)  # what is on its way still opens
        task.cancel()

    asyncio.run(rotated())


@pytest.mark.attack
def test_more_requests_than_are_remembered_cost_a_new_key_and_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can seal requests; 500,000 within the window once made the door refuse everybody's for minutes."""
    monkeypatch.setattr(keys, "REMEMBERED", 20)
    app = Recorder()
    here = Ends(app, (mine := Keys()), mine.taken)

    async def flooded() -> None:
        bound: list[str] = []

        async def bind(text: str) -> None:
            bound.append(text)

        rotating = asyncio.ensure_future(here.keys.rotate(bind))
        old = here.keys.current
        first = Sealed(old, head(at=time.time()))
        assert (await Exchange([first.request]).answered(here)).status == 200
        for _ in range(19):
            await Exchange([Sealed(old, head(at=time.time())).request]).answered(here)
        assert problem(await Exchange([Sealed(old, head(at=time.time())).request]).answered(here))[0] == 503
        while here.keys.current is old or len(here.keys.secrets) > 1:
            await asyncio.sleep(0)
        assert bound == [here.keys.bound]
        # nothing that was taken is taken again, and whoever asks for evidence again goes on
        assert problem(await Exchange([first.request]).answered(here))[1].endswith("#ohttp-key")
        answered = await Exchange([Sealed(here.keys.current, head(at=time.time())).request]).answered(here)
        assert answered.status == 200 and len(app.scopes) == 21
        rotating.cancel()

    asyncio.run(asyncio.wait_for(flooded(), 20))


@pytest.mark.slow
def test_ten_thousand_bad_requests_leave_nothing_behind() -> None:
    app = Recorder()
    here = ends(app)
    good = Sealed(here.keys.current, head(), bytes(3000))
    old = Sealed(Keys().current, head())

    def made(number: int) -> Exchange:
        late = Sealed(here.keys.current, head(at=NOW - 600)) if number % 8 == 0 else good
        return {
            0: Exchange([late.request]),  # ten minutes late
            1: Exchange([b"\0" * (number % 60)]),
            2: Exchange([good.request[: 60 + number % 2000]]),  # cut off
            3: Exchange([good.request[: 60 + number % 2000]], ends_well=False),  # its client left
            4: Exchange([old.request]),
            5: Exchange([good.parts[0] + b"\xbf\xff\xff\xff" + bytes(number % 100)]),  # too large
            6: Exchange([good.request[:-1] + bytes([good.request[-1] ^ 1])]),
            7: Exchange([], ends_well=False),
        }[number % 8]

    def alive() -> int:
        gc.collect()
        # some of other packages have a module that is no text
        return sum(str(type(each).__module__).startswith(("sealed_http", "door.channel")) for each in gc.get_objects())

    async def asked() -> list[int]:
        counts = []
        for number in range(10_001):
            if number in (1000, 10_000):
                counts.append(alive())
            exchange = await made(number).answered(here)
            assert not exchange.sent or exchange.status in (400, 409), number
        return counts

    early, late = asyncio.run(asked())
    assert late <= early and app.scopes == []
    assert len(here.taken._recent) == 1  # `good`, whose head opened when it came first
