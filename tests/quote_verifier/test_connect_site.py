"""The release's pages on this machine: what is served, who may ask, and that nothing of it goes outside unsealed."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from quote_verifier.connect import watching
from quote_verifier.connect.carrying import Carrier
from quote_verifier.connect.entry import Entry
from quote_verifier.connect.local import Endpoint
from quote_verifier.connect.pages import SCRIPT, Pages, open_pages
from quote_verifier.connect.site import Site
from quote_verifier.connect.tunnel import Tunnel
from quote_verifier.connect.watching import Judged, Watch
from quote_verifier.errors import UsageError
from quote_verifier.sealed_http import messages
from quote_verifier.sealed_http.key_config import KeyConfig
from quote_verifier.sealed_http.outside import PATH
from quote_verifier.verdict import ALL_CHECKS, Check, Verdict

from .test_connect_tunnel import Service

INDEX = "<!doctype html><html><head><script>start()</script></head><body></body></html>"
FILES = {
    "backend/open_webui/frontend/index.html": INDEX,
    "backend/open_webui/frontend/_app/immutable/entry.js": "let a = 1",
    "backend/open_webui/frontend/static/loader.js": "the frontend's",
    "backend/open_webui/frontend/tee/python.html": "<script>python()</script>",
    "backend/open_webui/static/loader.js": "upstream's",
    "backend/open_webui/main.py": "secret",
}
GOOD = Verdict(tuple(Check(each, "pass", f"{each} is so") for each in ALL_CHECKS), {})
Test = Callable[["World"], Awaitable[None]]


def write_release(folder: Path, files: dict[str, str] = FILES) -> Path:
    listed = []
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        listed.append({"path": name, "sha384": hashlib.sha384(text.encode()).hexdigest(), "size": len(text)})
    (folder / "release.json").write_text(json.dumps({"v": 1, "files": listed}))
    return folder


def nowhere(path: str, size: int) -> bytes:
    raise AssertionError(path)


async def open_webui(scope: Any, receive: Any, send: Any) -> None:
    """As much of it as the pages ask: it tells what it was asked."""
    message = await receive()
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    asked = {"path": scope["path"], "query": scope["query_string"].decode(), "headers": headers}
    body = json.dumps(asked | {"size": len(message.get("body", b""))}).encode()
    named = [(b"content-type", b"application/json"), (b"cache-control", b"private"), (b"set-cookie", b"token=abc")]
    await send({"type": "http.response.start", "status": 200, "headers": named})
    await send({"type": "http.response.body", "body": body, "more_body": False})


class World:
    def __init__(self, near: Any, session: Any, service: Service, watch: Watch, entry: Entry) -> None:
        self.host, self.session, self.service, self.watch = f"own.localhost:{near.port}", session, service, watch
        self.entry, self.near, self.token = entry, near, ""

    async def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, bytes, Any]:
        given = {"Host": self.host} | ({"X-Connect-Token": self.token} if self.token else {})
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        address = (
            self.near.make_url("/").with_path(path.partition("?")[0], encoded=True).with_query(path.partition("?")[2])
        )
        async with self.session.request(method, address, data=body, headers=given) as found:
            assert "Set-Cookie" not in found.headers
            return found.status, await found.read(), found.headers

    async def enter(self) -> None:
        status, body, _ = await self.ask("/connect/open", "POST", self.entry.secret)
        assert status == 200
        self.token = json.loads(body)["token"]


class Listening(TestServer):
    """An endpoint that is served as the command serves it."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint.application())
        self._endpoint = endpoint

    async def _make_runner(self, **_: Any) -> web.AppRunner:
        return self._endpoint.runner()


@asynccontextmanager
async def world(release: Path) -> AsyncIterator[World]:
    service = Service(open_webui)
    outer = web.Application(client_max_size=1 << 30)
    outer.router.add_route("*", PATH, service)
    async with TestServer(outer) as far, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        config = service.keys.current
        watch = Watch(
            lambda: Judged("verified", 1_000.0, KeyConfig(config.key_id, config.public_key), verdict=GOOD),
            now=lambda: 1_000.0,
        )
        await watch.check()
        carrier = Carrier(Tunnel(str(far.make_url("/")).rstrip("/"), session), watch)
        names, hosts, entry = set[str](), set[str](), Entry()
        site = Site(carrier, open_pages(release, nowhere), entry, names)
        async with Listening(Endpoint(carrier, hosts, site)) as near:
            names.add(f"own.localhost:{near.port}")
            hosts.add(f"127.0.0.1:{near.port}")
            yield World(near, session, service, watch, entry)


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Test], None]:
    def started(test: Test) -> None:
        async def inside() -> None:
            async with world(write_release(tmp_path / "release")) as made:
                await test(made)

        asyncio.run(asyncio.wait_for(inside(), 30))

    return started


def test_the_pages_are_the_releases(run: Any) -> None:
    async def look(here: World) -> None:
        status, body, headers = await here.ask("/c/1")
        assert status == 200 and body == INDEX.encode().replace(b"<head>", b"<head>" + SCRIPT)
        assert (
            "'sha256-" in headers["Content-Security-Policy"]
            and "connect-src 'self';" in headers["Content-Security-Policy"]
        )
        status, body, headers = await here.ask("/_app/immutable/entry.js")
        assert (status, body, headers["Content-Type"]) == (200, b"let a = 1", "text/javascript")
        assert (await here.ask("/_app/immutable/entry.js", If_None_Match=headers["ETag"]))[0] == 304
        assert (await here.ask("/static/loader.js"))[1] == b"the frontend's"
        for path in ("/_app/immutable/other.js", "/static/x.png", "/tee/none.js"):
            assert (await here.ask(path))[0] == 404
        for path in ("/backend/open_webui/main.py", "/..%2fmain.py", "/release.json"):
            assert b"secret" not in (await here.ask(path))[1]
        assert here.service.wire == b""

    run(look)


def test_what_the_page_asks_goes_sealed_and_cookies_neither_way(run: Any) -> None:
    async def ask(here: World) -> None:
        await here.enter()
        said = {"Cookie": "token=abc", "Authorization": "Bearer jwt", "Origin": f"http://{here.host}", "Referer": "x"}
        status, body, headers = await here.ask("/api/v1/chats/new?x=1", "POST", b"my words", **said)
        seen = json.loads(body)
        assert (status, seen["path"], seen["query"], seen["size"]) == (200, "/api/v1/chats/new", "x=1", 8)
        assert seen["headers"]["authorization"] == "Bearer jwt"
        assert not {"cookie", "origin", "referer", "x-connect-token", "user-agent"} & seen["headers"].keys()
        assert b"words" not in here.service.wire and b"chats" not in here.service.wire
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers.getall("Cache-Control") == ["private"], "the service's, and no other beside it"
        status, body, _ = await here.ask("/api/v1/files/", "POST", b"x" * 9_000_000)
        assert status == 200

    run(ask)


def test_the_shield_shows_what_connect_found(run: Any) -> None:
    async def ask(here: World) -> None:
        await here.enter()
        status, body, _ = await here.ask("/connect/verdict")
        told = json.loads(body)
        assert (status, told["overall"], [check["id"] for check in told["checks"]]) == (200, "verified", [*ALL_CHECKS])
        assert json.loads((await here.ask("/api/v1/tee/config"))[1])["channel"] == "off"
        bad = GOOD.checks[0]
        worse = Verdict((Check(bad.id, "fail", "no"), *GOOD.checks[1:]), {})
        here.watch.last = Judged("not-genuine", 1_000.0, None, "It is another server.", worse)
        here.watch.cut = "It is another server."
        assert json.loads((await here.ask("/connect/verdict"))[1])["overall"] == "not-genuine"
        wire = here.service.wire
        status, body, _ = await here.ask("/api/v1/chats/new", "POST", b"words")
        assert status == 503 and json.loads(body)["detail"] == "Nothing was sent. It is another server."
        assert here.service.wire == wire

    run(ask)


@pytest.mark.attack
def test_the_link_is_good_once_and_nobody_asks_without_its_token(run: Any) -> None:
    async def ask(here: World) -> None:
        for path in ("/api/v1/chats/", "/api/models", "/connect/verdict", "/api/v1/tee/config", "/api/v1/tee/quote"):
            for token in ("", "x", here.entry.secret):
                status, body, _ = await here.ask(path, X_Connect_Token=token)
                assert status == 401 and "link" in json.loads(body)["detail"], path
        assert (await here.ask("/connect/open", "POST", "guess"))[0] == 403
        await here.enter()
        assert (await here.ask("/connect/open", "POST", here.entry.secret))[0] == 403
        assert (await here.ask("/health"))[1] == b'{"status": true}'
        assert here.service.wire == b""

    run(ask)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "own.localhost"}, 421),
        ({"Host": "other.localhost:1"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
    ],
    ids=range(7),
)
@pytest.mark.parametrize("path", ["/", "/api/v1/chats/", "/connect", "/connect/open", "/ws/socket.io/", "/health"])
@pytest.mark.attack
def test_a_page_of_somebody_else_s(run: Any, headers: dict[str, str], status: int, path: str) -> None:
    async def attack(here: World) -> None:
        await here.enter()
        assert (await here.ask(path, "POST" if path == "/connect/open" else "GET", **headers))[0] == status
        assert here.service.wire == b""

    run(attack)


class Far:
    """The service's end of a socket: says back what it hears, and closes on `bye`."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self.closed = False

    async def send(self, kind: int, data: bytes) -> None:
        self.heard.put_nowait((messages.CLOSE, b"\x03\xe8") if data == b"bye" else (kind, data))

    async def receive(self) -> tuple[int, bytes]:
        return await self.heard.get()

    async def close(self, code: int = 1000) -> None:
        self.closed = True


def socket_test(run: Any, monkeypatch: pytest.MonkeyPatch, test: Callable[[World, Any, Far], Awaitable[None]]) -> None:
    async def talk(here: World) -> None:
        far = Far()
        monkeypatch.setattr(Carrier, "socket", lambda *_: asyncio.sleep(0, far))
        await here.enter()
        address = here.near.make_url("/ws/socket.io/")
        said = {"Host": here.host, "Origin": f"http://{here.host}"}
        async with here.session.ws_connect(address, headers=said, protocols=[f"connect.{here.token}"]) as near:
            await test(here, near, far)
        assert far.closed

    run(talk)


def test_a_socket_both_ways_to_its_end(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk(here: World, near: Any, far: Far) -> None:
        await near.send_str("words")
        assert await near.receive_str() == "words"
        await near.send_bytes(b"\x00\xff")
        assert await near.receive_bytes() == b"\x00\xff"
        await near.send_str("bye")
        assert (await near.receive()).type is aiohttp.WSMsgType.CLOSE

    socket_test(run, monkeypatch, talk)


def test_an_open_socket_ends_with_the_sentence_when_the_verdict_is_no_longer_good(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_S", 0.01)

    async def talk(here: World, near: Any, far: Far) -> None:
        here.watch.last, here.watch.cut = Judged("not-genuine", 1_000.0, None), "It is another server."
        last = await near.receive()
        assert (last.type, last.data, last.extra) == (aiohttp.WSMsgType.CLOSE, 1008, "It is another server.")

    socket_test(run, monkeypatch, talk)


@pytest.mark.parametrize("protocol", [[], ["connect."], ["connect.guess"]])
@pytest.mark.attack
def test_no_socket_without_the_token(run: Any, protocol: list[str]) -> None:
    async def attack(here: World) -> None:
        await here.enter()
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await here.session.ws_connect(
                here.near.make_url("/ws/socket.io/"), headers={"Host": here.host}, protocols=protocol
            )
        assert refused.value.status == 401

    run(attack)


@pytest.mark.attack
def test_a_file_that_is_not_the_releases_is_not_shown(tmp_path: Path) -> None:
    release = write_release(tmp_path)
    pages = open_pages(release, nowhere)
    script = release / "backend/open_webui/frontend/_app/immutable/entry.js"
    for text in ("let a = 2", "let a = 1 "):
        script.write_text(text)
        with pytest.raises(UsageError, match="is not the release's"):
            pages.served(pages.files["/_app/immutable/entry.js"])
    (release / "backend/open_webui/frontend/index.html").write_text("<script>spy()</script>")
    with pytest.raises(UsageError, match=r"index\.html is not the release's"):
        open_pages(release, nowhere)


def test_an_archive_and_a_manifest_are_as_good_as_the_folder(tmp_path: Path) -> None:
    release = write_release(tmp_path / "release-1")
    archive = tmp_path / "release.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(release, "release-1")
        evil = tarfile.TarInfo("release-1/backend/open_webui/frontend/../../../../../escaped")
        evil.size = 1
        file.addfile(evil, io.BytesIO(b"x"))
    asked: list[str] = []

    def fetch(path: str, size: int) -> bytes:
        asked.append(path)
        found = next(
            name for name in reversed(FILES) if name.endswith(path) or (path == "/" and name.endswith("index.html"))
        )
        return FILES[found].encode()[: size + 1]

    folder, manifest = open_pages(release, nowhere), open_pages(release / "release.json", fetch)
    with pytest.raises(Exception, match="outside"):
        open_pages(archive, nowhere)
    with tarfile.open(archive, "w:gz") as file:
        file.add(release, "release-1")
    for pages in (manifest, open_pages(archive, nowhere)):
        assert pages.digest == folder.digest and pages.files == folder.files
        assert pages.content(pages.files["/_app/immutable/entry.js"]) == b"let a = 1"
    assert "/" in asked


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        (b"[]", "the manifest"),
        (b"{}", "not a release's"),
        (b'{"files": [{"path": 1}]}', "without a path"),
        (b'{"files": [{"path": "x", "sha384": "ab", "size": 1}]}', "no SHA-384"),
    ],
    ids=range(4),
)
def test_what_is_no_release_is_refused_in_words(manifest: bytes, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Pages(manifest, lambda name: b"")


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UsageError, match=r"--pages .* cannot be read"):
            open_pages(path, nowhere)
