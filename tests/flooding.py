"""Forged unlock messages, as many as a locked door takes: processes that send without waiting for answers.

`python -m tests.flooding PORT CONNECTIONS AHEAD` sends what it reads on standard input, again and again, at most AHEAD
messages of a connection before their answers, and says now and then how many it has sent, and how many were refused.
"""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from data_unlock.ends import Asking
from data_unlock.message import Action
from tests import leftovers

BATCH = 100  # messages that are sent at once
AHEAD = 4  # of the answers, over one connection: who sends many more is cut off (door/connections.py)
REFUSED = b"HTTP/1.1 403"
SAID_S = 0.1


def requests(unlock_key: bytes) -> bytes:
    """A batch of requests with messages for this key, which another than the owner has signed."""
    forger, batch = Ed25519PrivateKey.generate(), b""
    for _ in range(BATCH):
        message = Asking(unlock_key, forger, bytes(32), Action.CREATE).message
        head = f"POST /api/v1/tee/unlock HTTP/1.1\r\nHost: a\r\nContent-Length: {len(message)}\r\n\r\n"
        batch += head.encode() + message
    return batch


@dataclass
class Flood:
    """While it is entered, `processes` send to the door at `port`, each over so many connections, `ahead` (at most
    BATCH) of each one's answers."""

    port: int
    unlock_key: bytes
    processes: int = 2
    connections: int = 8
    ahead: int = AHEAD
    _said: list[tuple[int, int]] = field(default_factory=list)
    _senders: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _threads: list[Thread] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """Messages so far that the kernel took."""
        return sum(sent for sent, _ in self._said)

    @property
    def refused(self) -> int:
        """Messages so far that the door looked at, and refused."""
        return sum(refused for _, refused in self._said)

    def __enter__(self) -> Flood:
        command = [sys.executable, "-m", __name__, *map(str, (self.port, self.connections, self.ahead))]
        batch = requests(self.unlock_key)
        for number in range(self.processes):
            sender = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                preexec_fn=leftovers.end_with_parent,
            )
            assert sender.stdin
            with sender.stdin as pipe:
                pipe.write(batch)
            self._senders.append(sender)
            self._said.append((0, 0))
            self._threads.append(Thread(target=self._hear, args=(number,)))
            self._threads[-1].start()
        return self

    def _hear(self, number: int) -> None:
        for line in self._senders[number].stdout or ():
            sent, refused = map(int, line.split())
            self._said[number] = (sent, refused)

    def __exit__(self, *_: object) -> None:
        for sender in self._senders:
            sender.kill()
        for thread in self._threads:
            thread.join()
        for sender in self._senders:
            sender.wait()
            if sender.stdout:
                sender.stdout.close()


@dataclass
class _Connection:
    """One connection: how many answers it is owed, and the end of what came back."""

    socket: socket.socket
    owed: int = 0
    tail: bytes = b""


def _opened(port: int) -> _Connection:
    return _Connection(socket.create_connection(("127.0.0.1", port), 10))


def _take(each: _Connection) -> int:
    """Refusals that came back. ConnectionError where it has ended."""
    data = each.socket.recv(1 << 16)
    if not data:
        raise ConnectionError
    text = each.tail + data
    each.tail = text[-len(REFUSED) + 1 :]
    found = text.count(REFUSED)
    each.owed -= found
    return found


def _give(each: _Connection, batch: bytes, ahead: int) -> int:
    """Messages that are sent now: as many as may be on their way."""
    count = ahead - each.owed
    each.socket.sendall(batch[: count * (len(batch) // BATCH)])  # all are as long
    each.owed += count
    return count


def main(port: int, count: int, ahead: int, batch: bytes) -> None:
    """Until it is killed, or nobody listens."""
    waiting, sent, refused, said = selectors.DefaultSelector(), 0, 0, time.monotonic()

    def begin() -> None:
        nonlocal sent
        each = _opened(port)
        with suppress(ConnectionError):  # cut off already: that is seen when its answers are read
            sent += _give(each, batch, ahead)
        waiting.register(each.socket, selectors.EVENT_READ, each)

    for _ in range(count):
        begin()
    while True:
        for key, _ in waiting.select(SAID_S):
            try:
                refused += _take(key.data)
                sent += _give(key.data, batch, ahead)
            except OSError:  # the door ended it
                waiting.unregister(key.data.socket)
                key.data.socket.close()
                begin()
        if time.monotonic() - said > SAID_S:
            said = time.monotonic()
            print(sent, refused, flush=True)


if __name__ == "__main__":
    with suppress(OSError):
        main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.stdin.buffer.read())
