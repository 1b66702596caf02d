"""`quote-verifier connect URL`: verify, then serve this machine's programs through the encrypted channel."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
from aiohttp import web
from rich.console import Console

from .. import options
from ..collateral_cache import CollateralCache
from ..errors import UsageError
from ..fetch import Fetcher, join_url, require_ok
from ..report import print_verdict, printable
from ..request import Request, prepare, sources
from ..verdict import EXIT_CODES, Verdict
from . import comparing
from .attesting import Attesting
from .carrying import Carrier
from .entry import Entry, own_name, resolves
from .local import Endpoint
from .pages import Pages, open_pages
from .site import Site
from .tunnel import Tunnel
from .watching import CutError, Watch

ACCEPTABLE = ("simulated", "administrator", "plain-data")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Accept = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHAT",
        help="Accept simulated hardware (simulated), trust whoever administers the service (administrator), or accept "
        "that what it keeps lies in plain text on its disk (plain-data).",
    ),
]
Port = Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="The port on this machine; 0: any free one.")]
PagesOf = Annotated[
    Path | None,
    typer.Option(
        "--pages",
        metavar="PATH",
        help="Serve this release's own pages here, too: its folder, its archive, or its release.json.",
    ),
]
Status = Annotated[bool, typer.Option("--json", help="One line of JSON for each change of the status.")]


@app.command(epilog="Exit codes: as of quote-verifier.")
def command(
    url: options.Url = None,
    release: options.Release = None,
    accept: Accept = None,
    pages: PagesOf = None,
    port: Port = 8089,
    policy: options.Policy = None,
    as_json: Status = False,
    pccs: options.Pccs = None,
    pcs: options.Pcs = False,
    offline: options.Offline = False,
    cache: options.Cache = None,
    ca_file: options.CaFile = None,
    timeout: options.Timeout = 20.0,
) -> None:
    """Verify a service, then let this machine's programs use it as an OpenAI-compatible endpoint, and its browsers by
    the release's own pages, sealed to its TD."""
    given = {
        name: value for name, value in locals().items() if name not in ("accept", "pages", "port") and value is not None
    }
    unknown = [each for each in accept or () if each not in ACCEPTABLE]
    if unknown:
        raise UsageError(f"--accept {unknown[0]} is not known; it is {', '.join(ACCEPTABLE[:-1])} or {ACCEPTABLE[-1]}")
    if not url:
        raise UsageError("give the address of the service, such as https://host")
    request = Request(**given)
    held, fetcher = prepare(request)
    said = _Teller(as_json, request.url or "")
    own = Fetcher(fetcher.ca_file, timeout)  # the judgement's counts the TLS keys that it saw
    shown = (
        open_pages(pages, lambda path, size: require_ok(own.get(join_url(request.url or "", path), size + 1), path))
        if pages
        else None
    )
    attesting = Attesting(
        request.url or "",
        sources(request, fetcher),
        CollateralCache(request.cache, request.offline),
        fetcher,
        held,
        frozenset(accept or ()),
        said.verdict,
        shown.digest if shown else "",
    )
    raise typer.Exit(asyncio.run(_serve(attesting, own, port, said, shown)))


class _Teller:
    """What is said on the terminal: the verdict in full at first, then changes only."""

    def __init__(self, as_json: bool, subject: str) -> None:
        self._as_json, self._subject = as_json, subject
        self.last: Verdict | None = None

    def verdict(self, verdict: Verdict) -> None:
        first, self.last = self.last is None, verdict
        if first and not self._as_json:
            print_verdict(verdict, self._subject, Console(stderr=True))

    def status(self, line: str, **more: Any) -> None:
        if self._as_json:
            overall = self.last.overall if self.last else None
            print(json.dumps({"v": 1, "overall": overall, "message": line} | more), flush=True)
        else:
            print(printable(line), file=sys.stderr, flush=True)


async def _serve(attesting: Attesting, fetcher: Fetcher, port: int, said: _Teller, pages: Pages | None) -> int:
    watch = Watch(attesting, said.status)
    judged = await asyncio.to_thread(attesting)  # the first one may fail: then there is nothing to connect to
    watch.last, watch.cut = judged, judged.why_not
    try:
        watch.key()
    except CutError as error:
        said.status(f"Not connected. {error}")
        return EXIT_CODES[judged.overall] or EXIT_CODES["incomplete"]
    hosts: set[str] = set()
    async with _client(fetcher.ca_file) as session:
        carrier, entry, names = Carrier(Tunnel(attesting.base, session), watch), Entry(), set[str]()
        site = Site(carrier, pages, entry, names) if pages else None
        async with _listening(Endpoint(carrier, hosts, site), port) as number:
            hosts |= {f"127.0.0.1:{number}", f"localhost:{number}"}
            address = f"http://127.0.0.1:{number}/v1"
            said.status(f"Connected. Programs reach it at {address} with an API key of Open WebUI.", address=address)
            if pages is None:
                await watch.run()
                return 0
            name = own_name()
            names.add(f"{name if resolves(name) else '127.0.0.1'}:{number}")
            link = f"http://{next(iter(names))}/connect#{entry.secret}"
            said.status(f"Browsers reach it by this link, which is good once: {link}", link=link)
            await asyncio.gather(watch.run(), _compare(pages, attesting.base, fetcher, said))
    return 0


async def _compare(pages: Pages, base: str, fetcher: Fetcher, said: _Teller) -> None:
    """Say what browsers get that come by themselves."""
    different = await asyncio.to_thread(comparing.differences, pages, base, fetcher)
    said.status(comparing.sentence(different, pages), different=different)


@asynccontextmanager
async def _client(ca_file: str | None) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=ca_file), limit=0)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, auto_decompress=False) as session:
        yield session


@asynccontextmanager
async def _listening(endpoint: Endpoint, port: int) -> AsyncIterator[int]:
    """Serve on this machine; the port's number. Raises UsageError."""
    runner = endpoint.runner()
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except OSError as error:
            raise UsageError(f"port {port} cannot be listened on: {error.strerror or error}; see --port") from None
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
