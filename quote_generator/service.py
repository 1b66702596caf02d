"""The attester's socket service: one JSON object a line, answered in the order of a connection's requests.

    {} or {"nonce": "<43 characters>"}   ->  {"ok": true, "evidence": {..., "proof": {"index", "size", "path"}}}
    {"nonces": ["<43 characters>", ...]} ->  {"ok": true, "evidence": {...}, "proofs": [{"index", "size", "path"}, ...]}
    {"boot_log": true}                   ->  {"ok": true, "boot_log": "<base64url>" or null}, without the device

Without a nonce one is drawn here, and told as the evidence's member `nonce`. Each connection has at most one request
waiting. What is bounded is work: connections, bytes of a request, nonces that wait; beyond that the answer is `busy`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import select
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .batches import Batches, Make, Refusal, Share
from .nonces import MOST_NONCES, base64url, new_nonce, read_nonce

REQUEST_LIMIT = 4096  # bytes of a request for one nonce, the line feed included
LONG_LIMIT = 64 + 48 * MOST_NONCES  # of one for many: 43 characters, quotes, comma and perhaps a space each
log = logging.getLogger("quote_generator.attester")


@dataclass(frozen=True)
class Limits:
    """Seconds and counts; the defaults suit the door, or a web server, as the only client."""

    connections: int = 128
    waiting: int = MOST_NONCES  # nonces
    long: int = 2  # requests over REQUEST_LIMIT that are read at once
    idle_s: float = 60.0  # a request must be complete this long after the connection or the answer before
    long_s: float = 10.0  # for the rest of a request over REQUEST_LIMIT
    answer_s: float = 30.0  # waiting and quoting
    send_s: float = 10.0  # a client that does not read its answer


@dataclass(frozen=True)
class Request:
    """`many`: the answer has a list of proofs; `drawn`: the nonce is ours, so it must be told. Without nonces, the boot
    log is asked for."""

    nonces: Sequence[bytes]
    many: bool = False
    drawn: bool = False

    def answer(self, share: Share) -> bytes:
        """The line to send."""
        evidence, first = share.evidence, share.first
        if self.many:
            proofs = b",".join(evidence.tree.proof(first + place) for place in range(len(self.nonces)))
            return b'{"ok":true,"evidence":' + evidence.document + b',"proofs":[' + proofs + b"]}\n"
        told = f',"nonce":"{base64url(self.nonces[0])}"'.encode() if self.drawn else b""
        return b'{"ok":true,"evidence":' + evidence.for_asker(first)[:-1] + told + b"}}\n"


def parse_request(line: bytes) -> Request:
    """The nonces of a request; raises Refusal."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise Refusal("bad-request", "a request is one JSON object on a line") from None
    if not isinstance(request, dict) or len(request) > 1 or set(request) - {"nonce", "nonces", "boot_log"}:
        raise Refusal("bad-request", 'a request is a JSON object with no member but "nonce", "nonces" or "boot_log"')
    if "boot_log" in request:
        if request["boot_log"] is not True:
            raise Refusal("bad-request", "boot_log is true")
        return Request(())
    if "nonces" in request:
        return Request(_checked(request["nonces"]), many=True)
    if request.get("nonce") is None:
        return Request(_checked([new_nonce()]), drawn=True)
    return Request(_checked([request["nonce"]]))


def _checked(nonces: Any) -> list[bytes]:
    if not isinstance(nonces, list) or not 1 <= len(nonces) <= MOST_NONCES:
        raise Refusal("bad-request", f"nonces is a list of 1 to {MOST_NONCES} nonces")
    if not all(isinstance(nonce, str) for nonce in nonces):
        raise Refusal("bad-request", "a nonce is a string")
    try:
        return [read_nonce(nonce) for nonce in nonces]
    except ValueError as error:
        raise Refusal("bad-request", str(error)) from None


class Service:
    """Serves evidence by `make` on a listening Unix socket to the users in `allowed` (user ids), and the boot log."""

    def __init__(self, make: Make, allowed: frozenset[int], limits: Limits, boot_log: str | None = None) -> None:
        self._batches = Batches(make, limits.answer_s, limits.waiting)
        self._allowed = allowed
        self._limits = limits
        self._boot_log = json.dumps({"ok": True, "boot_log": boot_log}, separators=(",", ":")).encode() + b"\n"
        self._long = asyncio.Semaphore(limits.long)
        self._clients: set[asyncio.Task[None]] = set()

    async def run(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Until `stop` is set; then lets the request at the device finish for a moment and drops the others."""
        server = await asyncio.start_unix_server(self._client, sock=listener, limit=REQUEST_LIMIT)
        await stop.wait()
        server.close()
        for task in self._clients:
            task.cancel()
        if self._clients:
            await asyncio.wait(self._clients, timeout=2)
        self._batches.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- start_unix_server runs us in a task
        self._clients.add(task)
        try:
            if refusal := self._unwelcome(writer):
                await self._turn_away(reader, writer, refusal)
                return
            while await self._one_request(reader, writer):
                await asyncio.sleep(0)  # a client that floods us takes turns with the others
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # the client vanished or stalled, or we are stopping
        finally:
            self._clients.discard(task)
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    def _unwelcome(self, writer: asyncio.StreamWriter) -> Refusal | None:
        credentials = _socket(writer).getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        _, uid, _ = struct.unpack("iII", credentials)
        if uid not in self._allowed:
            log.warning("refused a client of user %d", uid)
            return Refusal("bad-request", f"user {uid} may not ask this attester")
        if len(self._clients) > self._limits.connections:
            return Refusal("busy", "the attester has too many connections")
        return None

    async def _turn_away(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, refusal: Refusal) -> None:
        """Reads a request first, shortly: a client whose request meets a closed connection would not see the answer."""
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            await asyncio.wait_for(reader.readuntil(b"\n"), 1)
        await self._send(writer, _refused(refusal))

    async def _line(self, reader: asyncio.StreamReader) -> bytes:
        """The next request, its line feed included. Raises Refusal if it is too long, and what a stream raises."""
        try:
            return await asyncio.wait_for(reader.readuntil(b"\n"), self._limits.idle_s)
        except asyncio.LimitOverrunError:
            async with self._long:  # few at once, so that the memory for them is bounded
                return await asyncio.wait_for(_long_line(reader), self._limits.long_s)

    async def _one_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers the next request; False when the connection is to be closed."""
        try:
            line = await self._line(reader)
        except asyncio.IncompleteReadError:
            return False
        except Refusal as refusal:
            await self._send(writer, _refused(refusal))
            return False
        try:
            request = parse_request(line)
            if not request.nonces:
                await self._send(writer, self._boot_log)
                return True
            share = await self._batches.share(request.nonces, lambda: not _vanished(writer))
        except Refusal as refusal:
            await self._send(writer, _refused(refusal))
        else:
            await self._send(writer, request.answer(share))
        return True

    async def _send(self, writer: asyncio.StreamWriter, line: bytes) -> None:
        writer.write(line)
        await asyncio.wait_for(writer.drain(), self._limits.send_s)


async def _long_line(reader: asyncio.StreamReader) -> bytes:
    """A line of which more than REQUEST_LIMIT bytes have come already."""
    line = bytearray()
    while True:
        try:
            line += await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as overrun:
            line += await reader.readexactly(overrun.consumed)
            if len(line) <= LONG_LIMIT:
                continue
        if len(line) > LONG_LIMIT:
            raise Refusal("bad-request", f"a request has at most {LONG_LIMIT} bytes")
        return bytes(line)


def _refused(refusal: Refusal) -> bytes:
    document = {"ok": False, "error": {"code": refusal.code, "message": str(refusal)}}
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def _socket(writer: asyncio.StreamWriter) -> socket.socket:
    sock: socket.socket = writer.get_extra_info("socket")
    return sock


def _vanished(writer: asyncio.StreamWriter) -> bool:
    """Whether the other end is closed in both directions; a client that only finished sending still waits."""
    descriptor = _socket(writer).fileno()
    if descriptor < 0:  # asyncio closed it already
        return True
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))
