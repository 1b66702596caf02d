"""The proxy itself, in front of a small server: what it changes, and that it leaves the rest alone."""

from __future__ import annotations

import asyncio
import gzip
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from aiohttp import ClientSession, WSMsgType, web

from tests.browser.proxy import Answer, Proxy
from tests.ports import free_port


class Upstream:
    """A server with one path for each thing that a proxy can get wrong."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.gone = threading.Event()
        self.seen: list[tuple[str, dict[str, str]]] = []
        self._ready, self._loop, self._end = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    async def _serve(self) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/json", _json)
        app.router.add_get("/other", _json)
        app.router.add_route("*", "/echo/{rest:.*}", self._echo)
        app.router.add_get("/cached", _cached)
        app.router.add_get("/drip", self._drip)
        app.router.add_get("/broken", _broken)
        app.router.add_get("/away", _redirect)
        app.router.add_get("/socket", self._socket)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        self._ready.set()
        await self._end.wait()
        await runner.cleanup()

    async def _echo(self, request: web.Request) -> web.Response:
        self.seen.append((request.raw_path, dict(request.headers)))
        headers = {"Content-Type": "application/octet-stream", "Set-Cookie": "a=b"}
        return web.Response(status=201, headers=headers, body=await request.read())

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            for number in range(1000):
                await response.write(f"data: {number}\n\n".encode())
                await asyncio.sleep(0.2)
        finally:
            self.gone.set()
        return response

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=["two"], max_msg_size=0)
        await socket.prepare(request)
        async for message in socket:
            if message.data == "end":
                await socket.close(code=4001)
            elif message.type is WSMsgType.TEXT:
                await socket.send_str(f"{request.query_string} {message.data}")
            else:
                await socket.send_bytes(message.data)
        self.gone.set()
        return socket

    def __enter__(self) -> Upstream:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def stop(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(10)
            self._loop.close()

    def __exit__(self, *_: object) -> None:
        self.stop()


async def _json(request: web.Request) -> web.Response:
    return web.json_response({"a": 1, "b": 2})


async def _cached(request: web.Request) -> web.Response:
    if request.headers.get("If-None-Match") == '"one"':
        return web.Response(status=304, headers={"ETag": '"one"'})
    headers = {"ETag": '"one"', "Cache-Control": "max-age=1000, immutable"}
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=gzip.compress(b"a script"), headers={**headers, "Content-Encoding": "gzip"})
    return web.Response(body=b"a script", headers=headers)


async def _broken(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"half")
    assert request.transport
    request.transport.close()
    return response


async def _redirect(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "/json"})


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[Proxy]:
    with Proxy(upstream.url) as running:
        yield running


def test_bodies_headers_and_addresses_pass(proxy: Proxy, upstream: Upstream) -> None:
    body = bytes(range(256)) * 10_000
    address = "/echo/a%2Fb%20c?q=x%20y&q=%C3%BC"
    answer = httpx.post(proxy.url + address, content=body, headers={"X-One": "1", "Host": "chat.example"})
    assert (answer.status_code, answer.content) == (201, body)
    assert answer.headers["Set-Cookie"] == "a=b"
    path, headers = upstream.seen[-1]
    assert path == address
    assert (headers["X-One"], headers["Host"]) == ("1", "chat.example")
    assert httpx.get(f"{proxy.url}/echo/").content == b""


def test_what_is_compressed_cached_or_elsewhere_stays_so(proxy: Proxy) -> None:
    answer = httpx.get(f"{proxy.url}/cached")
    assert answer.content == b"a script"
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "immutable" in answer.headers["Cache-Control"]
    assert httpx.get(f"{proxy.url}/cached", headers={"If-None-Match": '"one"'}).status_code == 304
    away = httpx.get(f"{proxy.url}/away", follow_redirects=False)
    assert (away.status_code, away.headers["Location"]) == (302, "/json")


@pytest.mark.slow
def test_exactly_one_answer_is_changed_until_the_reset(proxy: Proxy) -> None:
    before = httpx.get(f"{proxy.url}/json")
    proxy.change_json("/json", lambda document: {**document, "b": 3})
    proxy.change_json("/json", lambda document: {**document, "c": document["b"] + 1})
    changed = httpx.get(f"{proxy.url}/json?nonce=1")
    assert changed.json() == {"a": 1, "b": 3, "c": 4}
    assert httpx.get(f"{proxy.url}/other").content == before.content
    same = ("Content-Type", "Server")
    assert [changed.headers[name] for name in same] == [before.headers[name] for name in same]
    assert proxy.reset() == []
    assert httpx.get(f"{proxy.url}/json").content == before.content


def test_a_change_is_neither_hidden_by_a_cache_nor_kept_in_one(proxy: Proxy) -> None:
    proxy.change("/cach*", lambda answer: replace(answer, body=answer.body + b", changed"))
    answer = httpx.get(f"{proxy.url}/cached", headers={"If-None-Match": '"one"'})
    assert (answer.status_code, answer.content) == (200, b"a script, changed")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers


def test_an_answer_may_be_another_one(proxy: Proxy) -> None:
    proxy.change("/json", lambda _: Answer(429, {"Retry-After": "7"}, b'{"detail": "later"}'))
    answer = httpx.get(f"{proxy.url}/json")
    assert (answer.status_code, answer.headers["Retry-After"], answer.json()) == (429, "7", {"detail": "later"})


def test_changes_that_fail_or_are_not_asked_for_are_told(proxy: Proxy) -> None:
    proxy.change_json("/json", lambda document: document["nothing"])
    proxy.change_json("/jsom", lambda document: document)
    assert httpx.get(f"{proxy.url}/json").status_code == 502
    broken, unused = proxy.reset()
    assert "KeyError" in broken and "/jsom" in unused
    assert proxy.reset() == []


@pytest.mark.slow
def test_streams_pass_part_by_part_and_end_with_the_reader(proxy: Proxy, upstream: Upstream) -> None:
    with httpx.stream("GET", f"{proxy.url}/drip") as answer:
        lines = answer.iter_lines()
        start = time.monotonic()
        assert [next(lines), next(lines), next(lines)] == ["data: 0", "", "data: 1"]
        assert time.monotonic() - start < 5, "the parts come as they are sent"
        assert not upstream.gone.is_set()
    assert upstream.gone.wait(5), "the server learns that the reader has left"


def test_half_an_answer_does_not_look_whole(proxy: Proxy) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{proxy.url}/broken")


def test_sockets_pass(proxy: Proxy, upstream: Upstream) -> None:
    async def talk() -> None:
        async with (
            ClientSession() as session,
            session.ws_connect(f"{proxy.url}/socket?x=1", protocols=["one", "two"], max_msg_size=0) as socket,
        ):
            assert socket.protocol == "two"
            await socket.send_str("hello")
            assert await socket.receive_str(timeout=5) == "x=1 hello"
            big = bytes(range(256)) * 10_000
            await socket.send_bytes(big)
            assert await socket.receive_bytes(timeout=5) == big
            await socket.send_str("end")
            assert (await socket.receive(timeout=5)).type is WSMsgType.CLOSE
            assert socket.close_code == 4001
        assert upstream.gone.wait(5)

    asyncio.run(talk())


def test_a_page_that_leaves_closes_its_socket_at_the_server(proxy: Proxy, upstream: Upstream) -> None:
    async def leave() -> None:
        async with ClientSession() as session, session.ws_connect(f"{proxy.url}/socket") as socket:
            await socket.send_str("hello")
            await socket.receive_str(timeout=5)

    asyncio.run(leave())
    assert upstream.gone.wait(5)


@pytest.mark.slow
def test_a_dead_server_is_a_bad_gateway_and_its_sockets_close() -> None:
    async def cut(url: str, upstream: Upstream) -> WSMsgType:
        async with ClientSession() as session, session.ws_connect(f"{url}/socket") as socket:
            await socket.send_str("hello")
            await socket.receive_str(timeout=5)
            await asyncio.to_thread(upstream.stop)
            return (await socket.receive(timeout=5)).type

    with Upstream() as upstream, Proxy(upstream.url) as proxy:
        assert asyncio.run(cut(proxy.url, upstream)) in (WSMsgType.CLOSE, WSMsgType.CLOSED)
        answer = httpx.get(f"{proxy.url}/json")
        assert answer.status_code == 502
        assert "does not answer" in answer.text


@pytest.mark.slow
def test_many_requests_at_once_all_get_their_answer(proxy: Proxy) -> None:
    async def ask() -> list[bytes]:
        async with ClientSession() as session:

            async def one(number: int) -> bytes:
                async with session.post(f"{proxy.url}/echo/", data=str(number)) as answer:
                    return await answer.read()

            return await asyncio.gather(*(one(number) for number in range(300)))

    assert asyncio.run(ask()) == [str(number).encode() for number in range(300)]


def test_no_thread_and_no_loop_stay_behind(upstream: Upstream) -> None:
    before = threading.active_count()
    with Proxy(upstream.url) as proxy:
        httpx.get(f"{proxy.url}/json")
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
