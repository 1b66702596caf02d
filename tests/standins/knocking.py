"""A port that answers nothing and counts who knocks: packets left, whatever a policy refused later."""

from __future__ import annotations

import select
import socket
import threading
from types import TracebackType


class Knocking:
    """The same port of 127.0.0.1 for TCP and UDP inside a `with`; `knocks` holds "tcp" or "udp" for each so far."""

    def __init__(self) -> None:
        self.knocks: list[str] = []
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._tcp.getsockname()[1])
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Knocking:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()
        self._tcp.close()
        self._udp.close()

    def _listen(self) -> None:
        while not self._end.is_set():
            for ready in select.select([self._tcp, self._udp], [], [], 0.1)[0]:
                if ready is self._tcp:
                    self._tcp.accept()[0].close()
                    self.knocks.append("tcp")
                else:
                    self._udp.recv(2048)
                    self.knocks.append("udp")
