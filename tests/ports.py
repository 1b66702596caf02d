"""Ports of this machine for servers that have to be told theirs before they listen."""

from __future__ import annotations

import random
import socket
from pathlib import Path

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST, LEAST = 10_000, 5_000


def free_port() -> int:
    """A port that nobody has, and that the kernel gives to nobody who leaves the choice to it.

    One that the kernel chose and took back is given to others, too: where they open 50 sockets before the server
    listens, 1 of 300 servers finds its port taken.
    """
    first = int(RANGE.read_text().split()[0])
    while True:
        port = random.randrange(LOWEST, max(first, LOWEST + LEAST))
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
