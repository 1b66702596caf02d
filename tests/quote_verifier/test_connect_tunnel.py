"""The endpoint on this machine and the tunnel behind it, against the door's own end of the channel."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from quote_verifier.connect.carrying import Carrier
from quote_verifier.connect.errors import StaleKeyError
from quote_verifier.connect.local import Endpoint
from quote_verifier.connect.tunnel import Tunnel
from quote_verifier.connect.watching import GOOD_FOR_S, Judged, Watch
from quote_verifier.errors import Unreachable
from quote_verifier.sealed_http.key_config import KeyConfig
from quote_verifier.sealed_http.outside import KEY_PROBLEM, PATH

from door.channel import requests as channel
from door.channel.keys import Keys, ReplayedError, Taken
from door.channel.sockets import REFUSED, _open_hello

App = Callable[[Any, Any, Any], Awaitable[None]]


async def open_webui(scope: Any, receive: Any, send: Any) -> None:
    """What Open WebUI answers, as far as it is asked here."""
    assert scope[channel.INSIDE]
    message = await receive()
    headers = dict(scope["headers"])
    if headers.get(b"authorization") != b"Bearer sk-good":
        return await answer(send, 401, b'{"detail":"401 Unauthorized"}')
    if scope["path"] == "/api/models":
        return await answer(send, 200, b'{"data":[{"id":"deepseek-r1:70b","name":"x","created":7},{"id":"b"}]}')
    asked = json.loads(message["body"])
    if asked.get("stream"):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for word in ("one ", "two "):
            await send({"type": "http.response.body", "body": f"data: {word}\n\n".encode(), "more_body": True})
        if asked["model"] == "dies":
            raise ConnectionError
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n", "more_body": False})
        return None
    return await answer(send, 200, json.dumps({"said": asked, "cookie": b"cookie" in headers}).encode())


async def answer(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"set-cookie", b"token=abc")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


class Service:
    """The far side: the channel's end in the TD, before a stand-in of Open WebUI, and what passed on the wire."""

    def __init__(self, app: App) -> None:
        self.keys = Keys()
        self.ends = channel.Ends(app, self.keys, Taken())
        self.wire = b""
        self.cut: int | None = None
        self.mangle: Callable[[bytes], bytes] = bytes
        #: Somebody on the way who passes a request on, and then answers in the server's place.
        self.lie: Callable[[], web.Response] | None = None
        self.taken = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.wire += str(request.headers).encode() + body
        response = web.StreamResponse()
        pieces = [{"type": "http.request", "body": body, "more_body": False}]
        left = self.cut

        async def receive() -> Any:
            return pieces.pop() if pieces else await asyncio.sleep(3600)

        async def send(message: Any) -> None:
            nonlocal left
            if message["type"] == "http.response.start":
                response.set_status(message["status"])
                response.headers.extend({name.decode(): value.decode() for name, value in message["headers"]})
                await response.prepare(request)
                return
            data = self.mangle(message["body"])
            self.wire += data
            await response.write(data if left is None else data[:left])
            left = left if left is None else max(0, left - len(data))
            if not message["more_body"]:
                await response.write_eof()

        scope = {
            "type": "http",
            "method": request.method,
            "path": PATH,
            "headers": [(b"content-type", request.headers["Content-Type"].encode())],
            "extensions": {},
        }
        try:
            if self.lie:
                answered = list[Any]()
                await channel.answer(self.ends, scope, receive, _kept(answered))
                self.taken += answered[0]["status"] == 200
                return self.lie()
            await channel.answer(self.ends, scope, receive, send)
        except ConnectionError:
            assert request.transport
            request.transport.abort()
        return response


def _kept(messages: list[Any]) -> Any:
    async def send(message: Any) -> None:
        messages.append(message)

    return send


class World:
    def __init__(self, service: Service, far: Any, near: Any, session: Any, watch: Watch) -> None:
        self.service, self.far, self.near, self.session, self.watch = service, far, near, session, watch

    async def ask(self, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        given = {"Authorization": "Bearer sk-good"} | {name.replace("_", "-"): value for name, value in headers.items()}
        method = "GET" if body is None else "POST"
        async with self.session.request(method, self.near.make_url(path), json=body, headers=given) as found:
            assert "Set-Cookie" not in found.headers
            return found.status, await found.read()


@asynccontextmanager
async def world(judge: Callable[[Service], Judged] | None = None) -> AsyncIterator[World]:
    service = Service(open_webui)
    outer = web.Application(client_max_size=1 << 30)
    outer.router.add_route("*", PATH, service)
    async with TestServer(outer) as far, aiohttp.ClientSession() as session:
        good = lambda service: Judged("verified", 1_000.0, KeyConfig(*_fields(service)))  # noqa: E731
        watch = Watch(lambda: (judge or good)(service), now=lambda: 1_000.0)
        await watch.check()
        origin = str(far.make_url("/")).rstrip("/")
        hosts: set[str] = set()
        endpoint = Endpoint(Carrier(Tunnel(origin, session), watch), hosts)
        async with TestServer(endpoint.application()) as near:
            hosts.add(f"127.0.0.1:{near.port}")
            yield World(service, far, near, session, watch)


def _fields(service: Service) -> tuple[int, bytes]:
    return service.keys.current.key_id, service.keys.current.public_key


def run(test: Callable[[World], Awaitable[None]], judge: Callable[[Service], Judged] | None = None) -> None:
    async def inside() -> None:
        async with world(judge) as made:
            await test(made)

    asyncio.run(asyncio.wait_for(inside(), 30))


def test_models_and_a_chat() -> None:
    async def chat(here: World) -> None:
        status, models = await here.ask("/v1/models")
        assert status == 200 and [model["id"] for model in json.loads(models)["data"]] == ["deepseek-r1:70b", "b"]
        status, body = await here.ask("/v1/chat/completions", {"model": "b", "words": "my secret"}, Cookie="a=b")
        assert (status, json.loads(body)) == (200, {"said": {"model": "b", "words": "my secret"}, "cookie": False})
        for word in (b"secret", b"sk-good", b"chat/completions", b"deepseek", b"Bearer"):
            assert word not in here.service.wire

    run(chat)


def test_a_streamed_answer_and_a_wrong_key() -> None:
    async def chat(here: World) -> None:
        asked = {"model": "b", "stream": True}
        assert await here.ask("/v1/chat/completions", asked) == (200, b"data: one \n\ndata: two \n\ndata: [DONE]\n\n")
        status, body = await here.ask("/v1/models", Authorization="Bearer sk-bad")
        assert (status, json.loads(body)) == (401, {"detail": "401 Unauthorized"})
        status, body = await here.ask("/v1/models", Authorization="")
        assert status == 401 and "API key" in json.loads(body)["error"]["message"]

    run(chat)


@pytest.mark.parametrize("how", ["dies", "cut"])
def test_a_broken_answer_is_never_a_short_one(how: str) -> None:
    async def chat(here: World) -> None:
        here.service.cut = 1000 if how == "cut" else None
        with pytest.raises(aiohttp.ClientError):
            await here.ask("/v1/chat/completions", {"model": how, "stream": True})

    run(chat)


def test_an_answer_that_was_changed() -> None:
    async def chat(here: World) -> None:
        here.service.mangle = lambda data: bytes([data[0] ^ 1]) + data[1:] if data else data
        status, body = await here.ask("/v1/models")
        assert status == 502 and "cannot be believed" in json.loads(body)["error"]["message"]

    run(chat)


def test_the_server_has_a_new_key() -> None:
    async def chat(here: World) -> None:
        here.service.keys.secrets.clear()
        here.service.keys.current = here.service.keys._draw()
        status, body = await here.ask("/v1/chat/completions", {"model": "b"})
        assert (status, json.loads(body)["said"]) == (200, {"model": "b"})
        here.service.keys.secrets.clear()  # and now it has none at all
        status, body = await here.ask("/v1/models")
        assert status == 502

    run(chat)


def test_the_server_has_another_key_of_the_same_number() -> None:
    """As after a restart: it is asked for evidence, and nobody notices."""

    async def chat(here: World) -> None:
        before = here.service.keys.current
        here.service.keys.__init__()  # type: ignore[misc]
        assert here.service.keys.current.header == before.header
        assert (await here.ask("/v1/chat/completions", {"model": "b"}))[0] == 200

    run(chat)


@pytest.mark.attack
@pytest.mark.parametrize("rotated", [False, True])
def test_whoever_says_that_the_key_is_gone_gets_no_word_taken_twice(rotated: bool) -> None:
    async def attack(here: World) -> None:
        def lie() -> web.Response:
            if rotated:
                here.service.keys.current = here.service.keys._draw()
            return web.json_response({"type": KEY_PROBLEM}, status=400)

        here.service.lie = lie
        status, body = await here.ask("/v1/chat/completions", {"model": "b"})
        assert (status, here.service.taken) == (502, 1)
        said = "another channel key" if rotated else "is said not to hold the key that its evidence names"
        assert said in json.loads(body)["error"]["message"]

    run(attack)


def test_a_verdict_that_is_no_longer_good_cuts_it() -> None:
    verdicts = [Judged("verified", 1_000.0, None, "")]

    async def chat(here: World) -> None:
        assert (await here.ask("/v1/models"))[0] == 200
        verdicts.append(Judged("not-acceptable", 1_000.0, None, "The server changed: release differs."))
        await here.watch.check()
        wire = here.service.wire
        status, body = await here.ask("/v1/chat/completions", {"words": "secret"})
        error = json.loads(body)["error"]
        assert (status, error["message"], error["code"]) == (
            503,
            "Nothing was sent. The server changed: release differs.",
            "not_verified",
        )
        assert here.service.wire == wire

    def judge(service: Service) -> Judged:
        last = verdicts[-1]
        return last if last.why_not else Judged("verified", 1_000.0, KeyConfig(*_fields(service)))

    run(chat, judge)


def test_a_service_that_cannot_be_asked_is_good_for_a_while_only() -> None:
    answers: list[Judged | Exception] = []
    clock = [1_000.0]
    said: list[str] = []

    def judge() -> Judged:
        last = answers.pop(0)
        if isinstance(last, Exception):
            raise last
        return last

    async def watched() -> None:
        key = KeyConfig(1, bytes(32))
        watch = Watch(judge, said.append, lambda: clock[0])
        with pytest.raises(Exception, match="not checked yet"):
            watch.key()
        answers.extend([Judged("verified", 1_000.0, key), Unreachable("nobody answers"), Unreachable("nobody answers")])
        await watch.check()
        await watch.check()
        assert watch.key() == key
        clock[0] += GOOD_FOR_S + 1
        with pytest.raises(Exception, match="could not be checked since .*nobody answers"):
            watch.key()

    asyncio.run(watched())
    assert said == ["Connected: verified."]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
    ],
)
def test_a_page_of_somebody_else_s(headers: dict[str, str], status: int) -> None:
    async def attack(here: World) -> None:
        wire = here.service.wire
        found, body = await here.ask("/v1/chat/completions", {"words": "x"}, **headers)
        assert found == status and json.loads(body)["error"]["message"]
        assert here.service.wire == wire

    run(attack)


def test_nothing_else_is_served() -> None:
    async def look(here: World) -> None:
        for path in ("/", "/api/chats", "/v1/files", "/api/v1/tee/config"):
            assert (await here.ask(path))[0] == 404
        assert await here.ask("/health") == (200, b'{"status": true}')

    run(look)


def test_what_is_not_sealed_is_no_answer() -> None:
    async def lies(request: web.Request) -> web.Response:
        return web.json_response({"title": "Give me your key", "type": "about:blank"}, status=418)

    async def look() -> None:
        outer = web.Application()
        outer.router.add_route("*", PATH, lies)
        async with TestServer(outer) as far, aiohttp.ClientSession() as session:
            tunnel = Tunnel(str(far.make_url("/")).rstrip("/"), session)
            with pytest.raises(Exception, match="refused the sealed request .HTTP 418.: Give me your key"):
                await tunnel.request(Keys().current, "GET", "/", (), _nothing())  # type: ignore[arg-type]

    asyncio.run(look())


@pytest.mark.attack
def test_of_a_handshake_and_the_one_sent_instead_of_it_one_is_taken() -> None:
    """Whoever says that the key is gone may have kept the first one, and bring it later."""
    hellos: list[bytes] = []
    keys = Keys()

    async def refuses(request: web.Request) -> web.WebSocketResponse:
        hellos.append(b"")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        hellos[-1] = await socket.receive_bytes()
        keys.current = keys._draw()  # the one before is still taken for a while
        await socket.close(code=REFUSED)
        return socket

    async def attack() -> None:
        outer = web.Application()
        outer.router.add_route("*", PATH, refuses)
        async with TestServer(outer) as far, aiohttp.ClientSession() as session:
            bound = lambda: Judged("verified", 1_000.0, KeyConfig(keys.current.key_id, keys.current.public_key))  # noqa: E731
            watch = Watch(bound, now=lambda: 1_000.0)
            await watch.check()
            with pytest.raises(StaleKeyError):
                await Carrier(Tunnel(str(far.make_url("/")).rstrip("/"), session), watch).socket("/ws/talk", ())

    asyncio.run(attack())
    ends = channel.Ends(open_webui, keys, Taken())
    first, again = hellos
    _open_hello(ends, again)
    with pytest.raises(ReplayedError):
        _open_hello(ends, first)


async def _nothing() -> AsyncIterator[bytes]:
    for piece in list[bytes]():
        yield piece
