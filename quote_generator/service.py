"""The attester's socket service: one JSON object a line, one quote at a time, in the order of the requests.

Each connection has at most one request waiting, and the requests of all connections form one queue: nobody can ask
faster than the others by asking more at once on a connection. A full queue answers `busy` at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import select
import socket
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .errors import BusyError, TdxAttestError
from .eventlog import EventLogError
from .evidence import check_nonce
from .formats import FormatError

REQUEST_LIMIT = 4096  # bytes, the line feed included
log = logging.getLogger("quote_generator.attester")


@dataclass(frozen=True)
class Limits:
    """Seconds and counts; the defaults suit a web server as the only client."""

    connections: int = 128
    waiting: int = 64
    idle_s: float = 60.0  # a request must be complete this long after the connection or the answer before
    answer_s: float = 30.0  # waiting and quoting
    send_s: float = 10.0  # a client that does not read its answer


class Refusal(Exception):
    """An answer with `ok` false."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def parse_request(line: bytes) -> str | None:
    """The request's nonce, None if it has none; raises Refusal."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise Refusal("bad-request", "a request is one JSON object on a line") from None
    if not isinstance(request, dict) or set(request) - {"nonce"}:
        raise Refusal("bad-request", 'a request is a JSON object with no member but "nonce"')
    nonce = request.get("nonce")
    if nonce is None:
        return None
    if not isinstance(nonce, str):
        raise Refusal("bad-request", "a nonce is a string")
    try:
        return check_nonce(nonce)
    except ValueError as error:
        raise Refusal("bad-request", str(error)) from None


def answer_to(make: Callable[[str | None], dict[str, Any]], nonce: str | None) -> dict[str, Any]:
    """Runs in the device's thread; raises Refusal for every failure."""
    try:
        return make(nonce)
    except BusyError as error:
        raise Refusal("busy", str(error)) from None
    except TdxAttestError as error:
        raise Refusal("device", str(error)) from None
    except FormatError as error:
        raise Refusal("device", f"the device gave something that is no TDX quote: {error}") from None
    except EventLogError as error:
        raise Refusal("internal", str(error)) from None
    except Exception:
        log.exception("a request failed")
        raise Refusal("internal", "the attester failed; its log says why") from None


class Service:
    """Serves `make(nonce)` on a listening Unix socket to the users in `allowed` (user ids)."""

    def __init__(self, make: Callable[[str | None], dict[str, Any]], allowed: frozenset[int], limits: Limits) -> None:
        self._make = make
        self._allowed = allowed
        self._limits = limits
        self._device = asyncio.Lock()  # wakes its waiters in their order
        self._thread = ThreadPoolExecutor(1, "device")
        self._waiting = 0
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
        self._thread.shutdown(wait=False, cancel_futures=True)

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
        await self._send(writer, refusal)

    async def _one_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers the next request; False when the connection is to be closed."""
        try:
            line = await asyncio.wait_for(reader.readuntil(b"\n"), self._limits.idle_s)
        except asyncio.IncompleteReadError:
            return False
        except asyncio.LimitOverrunError:
            await self._send(writer, Refusal("bad-request", f"a request has at most {REQUEST_LIMIT} bytes"))
            return False
        try:
            if len(line) > REQUEST_LIMIT:
                raise Refusal("bad-request", f"a request has at most {REQUEST_LIMIT} bytes")
            evidence = await self._evidence(parse_request(line), writer)
        except Refusal as refusal:
            await self._send(writer, refusal)
            return True
        if evidence is None:
            return False
        await self._send(writer, evidence)
        return True

    async def _evidence(self, nonce: str | None, writer: asyncio.StreamWriter) -> dict[str, Any] | None:
        """None for a client that went away while it waited: no quote is spent on it."""
        if self._waiting >= self._limits.waiting:
            raise Refusal("busy", "the attester has too many requests waiting; ask again later")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._limits.answer_s):
                async with self._device:
                    if _vanished(writer):
                        return None
                    return await self._at_device(nonce)
        except TimeoutError:
            raise Refusal("busy", f"no quote within {self._limits.answer_s:g} s; ask again later") from None
        finally:
            self._waiting -= 1

    async def _at_device(self, nonce: str | None) -> dict[str, Any]:
        """One thread makes all calls: one that outlives its request delays the next, and no two overlap."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, answer_to, self._make, nonce)

    async def _send(self, writer: asyncio.StreamWriter, answer: dict[str, Any] | Refusal) -> None:
        if isinstance(answer, Refusal):
            document = {"ok": False, "error": {"code": answer.code, "message": str(answer)}}
        else:
            document = {"ok": True, "evidence": answer}
        writer.write(json.dumps(document, separators=(",", ":")).encode() + b"\n")
        await asyncio.wait_for(writer.drain(), self._limits.send_s)


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
