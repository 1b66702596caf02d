"""Between the fence and the machine's network: connects to exactly the hosts that a site measured, for who is inside.

Runs outside as `_module launcher.serve.broker ALLOWED [proxy=N] [forward=N:HOST:PORT ...]`: a JSON list of `host:port`,
and the numbers of listening sockets that the launcher opened inside the fence. `proxy` is a plain HTTP proxy (RFC 9110,
section 9.3.6 for CONNECT, RFC 9112, section 3.2.2 for http), which is how Open WebUI's clients are told to leave. Names
are looked up here, once a connection: nothing inside can ask a name server for anything. `forward` leads to one other
program of this machine, whatever it speaks. It keeps no log of what is asked.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from .refusals import Refusal

HEAD_LIMIT = 64 * 1024  # bytes
HEAD_S, CONNECT_S = 30.0, 15.0
CONNECTIONS = 256
CHUNK = 64 * 1024


@dataclass(frozen=True)
class Asked:
    """Where a client wants to go, and what is sent there first: nothing for CONNECT."""

    host: str
    port: int
    first: bytes

    @property
    def name(self) -> str:
        """As a site's list has it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_head(head: bytes) -> Asked:
    """The request that `head`, up to its empty line, asks for. Raises Refusal."""
    line, _, rest = head.partition(b"\r\n")
    try:
        method, target, version = line.decode("ascii").split(" ")
        connect = method == "CONNECT"
        parts = urlsplit(f"//{target}" if connect else target)
        host, port = parts.hostname or "", parts.port or (443 if connect else 80)
        if not host or version not in ("HTTP/1.1", "HTTP/1.0") or (not connect and parts.scheme != "http"):
            raise ValueError
    except ValueError:
        raise Refusal("400 Bad Request", "This port passes on CONNECT, and requests for an http address.") from None
    if connect:
        return Asked(host, port, b"")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    fields = [field for field in rest.split(b"\r\n") if not field.lower().startswith((b"proxy-", b"connection:"))]
    # one request a connection: the next one might be for another host
    first = b"\r\n".join([f"{method} {path} {version}".encode(), b"Connection: close", *fields])
    return Asked(host, port, first)


class Broker:
    """Passes on what asks for one of `allowed` (`host:port`, lower case)."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed
        self._open = 0

    async def serve(self, listener: socket.socket) -> None:
        """For ever."""
        server = await asyncio.start_server(self._client, sock=listener, limit=HEAD_LIMIT)
        await server.serve_forever()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            far_reader, far_writer = await self._connected(reader, writer)
            await _between(reader, writer, far_reader, far_writer)
        except Refusal as refusal:
            body = f"{refusal}\n".encode()
            head = f"HTTP/1.1 {refusal.status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.drain(), HEAD_S)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # the client is gone, or says nothing
        finally:
            self._open -= 1
            writer.close()

    async def _connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._open > CONNECTIONS:
            raise Refusal("503 Service Unavailable", f"{CONNECTIONS} connections are open already.")
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_S)
        except asyncio.LimitOverrunError:
            raise Refusal("431 Request Header Fields Too Large", f"A head has at most {HEAD_LIMIT} bytes.") from None
        asked = read_head(head)
        if asked.name not in self._allowed:
            raise Refusal(
                "403 Forbidden",
                f"This service may not connect to {asked.name}: only what its launch measured can be reached. "
                "Its operator names the address in a setting and starts it again, and verifiers see it.",
            )
        try:
            far = await asyncio.wait_for(asyncio.open_connection(asked.host, asked.port, limit=CHUNK), CONNECT_S)
        except (OSError, TimeoutError) as error:
            raise Refusal("502 Bad Gateway", f"{asked.name} cannot be reached: {error or 'no answer'}.") from None
        if asked.first:
            far[1].write(asked.first)
        else:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return far


async def _between(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
) -> None:
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_pass_on(reader, far_writer))
            both.create_task(_pass_on(far_reader, writer))
    except* OSError:
        pass
    finally:
        far_writer.close()


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(CHUNK):
        target.write(data)
        await target.drain()
    if target.can_write_eof():
        target.write_eof()


async def forward(listener: socket.socket, host: str, port: int) -> None:
    """Pass every connection on to one address, for ever."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError):
            far = await asyncio.wait_for(asyncio.open_connection(host, port, limit=CHUNK), CONNECT_S)
            await _between(reader, writer, *far)
        writer.close()

    server = await asyncio.start_server(client, sock=listener, limit=CHUNK)
    await server.serve_forever()


async def main(allowed: frozenset[str], given: list[str]) -> None:
    """Serve all that was given, for ever."""
    async with asyncio.TaskGroup() as tasks:
        for kind, _, value in (word.partition("=") for word in given):
            number, _, place = value.partition(":")
            listener, (host, _, port) = socket.socket(fileno=int(number)), place.rpartition(":")
            work = Broker(allowed).serve(listener) if kind == "proxy" else forward(listener, host, int(port))
            tasks.create_task(work)


if __name__ == "__main__":
    asyncio.run(main(frozenset(json.loads(sys.argv[1])), sys.argv[2:]))
