"""What is wrong with a request is no reason to write its words, or its key, into the log or the terminal."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from quote_verifier.connect.site import Site

from .test_connect_site import World, world, write_release

pytestmark = pytest.mark.attack
BAD = {
    "a path": b"GET /api/v1/heron\xc3\xa4 HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "a key": b"GET /api/v1/x HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer heron\x01\r\n\r\n",
    "a line": b"heron heron heron\r\n\r\n",
    "a method": b"HERONHERONHERON /api/v1/x HTTP/1.1\r\nHost: HOST\r\nX-Connect-Token: TOKEN\r\n\r\n",
    "a long head": b"GET /api/v1/x HTTP/1.1\r\nHost: HOST\r\nX-Connect-Token: TOKEN\r\n"
    + b"".join(name + b": heron" + b"a" * 8000 + b"\r\n" for name in (b"Authorization", b"Accept", b"Range"))
    + b"\r\n",
    "a body": b"POST /api/v1/x HTTP/1.1\r\nHost: HOST\r\nX-Connect-Token: TOKEN\r\nContent-Encoding: gzip\r\n"
    b"Content-Length: 5\r\n\r\nheron",
    "a fault": b"GET /api/v1/x HTTP/1.1\r\nHost: HOST\r\nX-Connect-Token: TOKEN\r\n\r\n",
}


@pytest.mark.parametrize("what", BAD)
def test_the_log_holds_nobody_s_words(
    what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> web.StreamResponse:
        raise RuntimeError("heron")

    if what == "a fault":
        monkeypatch.setattr(Site, "_carried", fails)

    async def ask(here: World) -> bytes:
        await here.enter()
        reader, writer = await asyncio.open_connection("127.0.0.1", here.near.port)
        writer.write(BAD[what].replace(b"HOST", here.host.encode()).replace(b"TOKEN", here.token.encode()))
        found = await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        return found

    async def started() -> None:
        async with world(write_release(tmp_path / "release")) as here:
            status = int((await ask(here)).split()[1])
            assert status in ((500,) if what == "a fault" else (400, 502))

    asyncio.run(started())
    said = caplog.text
    assert "heron" not in said.lower()
    assert ("was not answered" in said) or what in ("a line", "a method", "a long head", "a body")
