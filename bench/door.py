"""What the door costs: page loads, streamed answers and uploads through it, as ratios of the web server's own rate.

`python bench/door.py`, after `make build`. The release is asked through its door, and beside it the same web server by
itself, in turns: without TLS at a Unix socket, with TLS as uvicorn ends it, on the same kind of key. A stand-in for the
web server streams short pieces as fast as it can. The floor for each ratio is 0.8 (1.0: as fast as without a door).
Uploads are refused at their end for want of a login: read they are. Beside each ratio stands the median
time. To be run on a machine that does nothing else: on a busy one, each process more waits its turn once more.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from cryptography.hazmat.primitives.serialization import Encoding

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import launch  # noqa: E402 - the line above makes it importable
from door.tls import Certificates, draw  # noqa: E402
from tests.browser.running import release, serve  # noqa: E402
from tests.door.conftest import World, start_web  # noqa: E402
from tests.ports import free_port  # noqa: E402

ROUNDS = 7
UPLOAD = 100 * 1024 * 1024
BLOCK = 1024 * 1024
PIECES = 20_000
FLOOR = 0.8


@dataclass(frozen=True)
class Place:
    """Where to ask: a port of this machine, by TLS or not, or a Unix socket."""

    port: int = 0
    tls: bool = False
    path: Path | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def session(self) -> aiohttp.ClientSession:
        connector = aiohttp.UnixConnector(str(self.path)) if self.path else aiohttp.TCPConnector(ssl=False)
        return aiohttp.ClientSession(connector=connector)

    def connection(self) -> socket.socket:
        if self.path:
            made = socket.socket(socket.AF_UNIX)
            made.connect(str(self.path))
            return made
        made = socket.create_connection(("127.0.0.1", self.port))
        if not self.tls:
            return made
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(made)


Work = Callable[[Place], None]


def page(place: Place) -> None:
    """The page and everything that it names."""

    async def go() -> None:
        async with place.session() as session:
            async with session.get(f"{place.url}/") as answer:
                text = await answer.text()

            async def load(path: str) -> None:
                async with session.get(place.url + path) as answer:
                    await answer.read()

            await asyncio.gather(*(load(path) for path in set(re.findall(r'(?:src|href)="(/[^"]+)"', text))))

    asyncio.run(go())


def upload(place: Place) -> None:
    """100 MB as a form with a file, from a client that costs little itself."""
    before = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    after = b"\r\n--x--\r\n"
    head = (
        "POST /api/v1/files/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {len(before) + UPLOAD + len(after)}\r\n\r\n"
    )
    block = bytes(BLOCK)
    with place.connection() as connection:
        connection.sendall(head.encode() + before)
        for _ in range(UPLOAD // BLOCK):
            connection.sendall(block)
        connection.sendall(after)
        answer = connection.recv(4096)
    assert answer.split()[1] in (b"401", b"403"), answer


def streamed(place: Place) -> None:
    """Many short pieces."""

    async def go() -> None:
        async with place.session() as session, session.get(f"{place.url}/api/chunks?count={PIECES}") as answer:
            async for _ in answer.content.iter_any():
                pass

    asyncio.run(go())


def seconds(work: Work, place: Place) -> float:
    began = time.perf_counter()
    work(place)
    return time.perf_counter() - began


def compare(name: str, work: Work, through: Place, direct: Place) -> None:
    """Print how fast it is through the door, of how fast the web server is: medians of rounds in turns."""
    for place in (through, direct):  # into memory
        work(place)
    pairs = [(seconds(work, direct), seconds(work, through)) for _ in range(ROUNDS)]
    own, door = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(
        f"{name:16} {'TLS' if through.tls else 'plain':5}  {own / door:5.2f} of the web server's own rate "
        f"({door * 1000:.0f} ms, it {own * 1000:.0f} ms)" + ("" if own / door >= FLOOR else f"  BELOW {FLOOR}"),
        flush=True,
    )


@contextmanager
def by_itself(folder: Path, launcher: Path) -> Iterator[Place]:
    """The release's web server without a door: uvicorn ends TLS."""
    port = free_port()
    command, env, data = launch.plain(launcher.parent, sys.executable, folder, port)
    key, certificate = tls_files(folder)
    with launch.running(
        [*command, "--ssl-keyfile", key, "--ssl-certfile", certificate], env, data, f"https://127.0.0.1:{port}"
    ):
        yield Place(port, tls=True)


def tls_files(folder: Path) -> tuple[str, str]:
    """A key of the kind that the door draws, and a certificate for it: two paths."""
    made = Certificates(draw(), ("127.0.0.1",), "drawn")
    made.self_sign()
    (folder / "key.pem").write_bytes(made.key_pem)
    (folder / "cert.pem").write_bytes(made._chain[0].public_bytes(Encoding.PEM))
    return str(folder / "key.pem"), str(folder / "cert.pem")


def of_release(launcher: Path, folder: Path) -> None:
    """Pages and uploads, with the release as it is."""
    for tls in (False, True):
        with serve(launcher, folder / f"data-{tls}", LLM="none", TLS="self-signed" if tls else "off") as server:
            through = Place(int(server.url.rpartition(":")[2]), tls)
            behind = Place(path=server.data / "run/sockets/web/web.sock")
            with by_itself(folder, launcher) if tls else nullcontext(behind) as direct:
                compare("page load", page, through, direct)
                compare("upload of 100 MB", upload, through, direct)


def of_streams(folder: Path) -> None:
    """Many short pieces, from a stand-in for the web server."""
    world = World(folder)
    try:
        for tls in (False, True):
            running = world.start(tls="self-signed" if tls else "off")
            direct = Place(path=running.behind)
            if tls:
                direct = Place(free_port(), tls)
                world.started.append(start_web(direct.port, folder / "web.log", *tls_files(folder)))
            compare("streamed answer", streamed, Place(running.port, tls), direct)
    finally:
        world.end()


def main() -> None:
    launcher = release()
    if launcher is None:
        raise SystemExit("There is no release in dist/: run `make build` first.")
    with tempfile.TemporaryDirectory(prefix="bench-door-") as name:
        of_release(launcher, Path(name))
        of_streams(Path(name))


if __name__ == "__main__":
    main()
