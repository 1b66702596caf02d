"""`quote-verifier connect URL`: verify, then serve this machine's programs through the encrypted channel."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from typing import Annotated, Any

import aiohttp
import typer
from aiohttp import web
from rich.console import Console

from .. import options
from ..collateral_cache import CollateralCache
from ..errors import UsageError
from ..fetch import Fetcher
from ..report import print_verdict, printable
from ..request import Request, prepare, sources
from ..verdict import EXIT_CODES, Verdict
from .attesting import Attesting
from .local import Endpoint
from .tunnel import Tunnel
from .watching import CutError, Watch

ACCEPTABLE = ("simulated", "administrator")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Accept = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHAT",
        help="Accept simulated hardware (simulated), or trust whoever administers the service (administrator).",
    ),
]
Port = Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="The port on this machine; 0: any free one.")]
Status = Annotated[bool, typer.Option("--json", help="One line of JSON for each change of the status.")]


@app.command(epilog="Exit codes: as of quote-verifier.")
def command(
    url: options.Url = None,
    release: options.Release = None,
    accept: Accept = None,
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
    """Verify a service, then let programs on this machine use it as an OpenAI-compatible endpoint, sealed to its TD."""
    given = {name: value for name, value in locals().items() if name not in ("accept", "port") and value is not None}
    unknown = [each for each in accept or () if each not in ACCEPTABLE]
    if unknown:
        raise UsageError(f"--accept {unknown[0]} is not known; it is {' or '.join(ACCEPTABLE)}")
    if not url:
        raise UsageError("give the address of the service, such as https://host")
    request = Request(**given)
    held, fetcher = prepare(request)
    said = _Teller(as_json, request.url or "")
    attesting = Attesting(
        request.url or "",
        sources(request, fetcher),
        CollateralCache(request.cache, request.offline),
        fetcher,
        held,
        frozenset(accept or ()),
        said.verdict,
    )
    raise typer.Exit(asyncio.run(_serve(attesting, fetcher, port, said)))


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


async def _serve(attesting: Attesting, fetcher: Fetcher, port: int, said: _Teller) -> int:
    watch = Watch(attesting, said.status)
    judged = await asyncio.to_thread(attesting)  # the first one may fail: then there is nothing to connect to
    watch.last, watch.cut = judged, judged.why_not
    try:
        watch.key()
    except CutError as error:
        said.status(f"Not connected. {error}")
        return EXIT_CODES[judged.overall] or EXIT_CODES["incomplete"]
    connector = aiohttp.TCPConnector(ssl=_context(fetcher.ca_file))
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, auto_decompress=False) as session:
        hosts: set[str] = set()
        endpoint = Endpoint(Tunnel(attesting.base, session), watch, hosts)
        runner = web.AppRunner(endpoint.application(), access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            number = runner.addresses[0][1]
            hosts |= {f"127.0.0.1:{number}", f"localhost:{number}"}
            address = f"http://127.0.0.1:{number}/v1"
            said.status(f"Connected. Programs reach it at {address} with an API key of Open WebUI.", address=address)
            await watch.run()
        except OSError as error:
            raise UsageError(f"port {port} cannot be listened on: {error.strerror or error}; see --port") from None
        finally:
            await runner.cleanup()
    return 0


def _context(ca_file: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)
