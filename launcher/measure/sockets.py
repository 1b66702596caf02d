"""Which process is behind a TCP address of this machine, from /proc/thread-self/net/tcp and tcp6 (proc_net_tcp.rst).

A row names two addresses (hexadecimal, each 32-bit word in the machine's byte order), the state and the socket's inode;
the process that holds `socket:[inode]` among its open files is behind it. A connection that nobody has accepted yet
has inode 0.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ESTABLISHED, LISTEN = "01", "0A"
PROC = Path("/proc")
Address = tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]


@dataclass(frozen=True)
class Row:
    """One TCP socket of the machine."""

    local: Address
    remote: Address
    state: str
    inode: str


def address(host: str, port: int) -> Address:
    """An address to compare: IPv4 inside IPv6 is IPv4. Raises ValueError for anything but digits."""
    found = ipaddress.ip_address(host)
    return ((found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found), port


def _decoded(text: str) -> Address:
    digits, _, port = text.partition(":")
    raw = bytes.fromhex(digits)
    if sys.byteorder == "little":
        raw = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    return address(str(ipaddress.ip_address(raw)), int(port, 16))


def rows(proc: Path = PROC) -> Iterator[Row]:
    """Every TCP socket of the network that this thread is in."""
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (proc / "thread-self" / "net" / name).read_text().splitlines()[1:]:
                columns = line.split()
                yield Row(_decoded(columns[1]), _decoded(columns[2]), columns[3], columns[9])


def listening(wanted: Address, found: list[Row]) -> set[str]:
    """Inodes of the sockets that get a connection to `wanted`: those bound to it, or else to every address."""
    open_ = [row for row in found if row.state == LISTEN and row.local[1] == wanted[1]]
    exact = {row.inode for row in open_ if row.local == wanted}
    return exact or {row.inode for row in open_ if row.local[0].is_unspecified}


def accepted(near: Address, far: Address, proc: Path = PROC) -> str:
    """The inode of the other end of the connection from `near` to `far`; "" as long as nobody has accepted it."""
    for row in rows(proc):
        if row.state == ESTABLISHED and (row.local, row.remote) == (far, near) and row.inode != "0":
            return row.inode
    return ""


def holders(inodes: set[str], proc: Path = PROC) -> list[int]:
    """The processes that hold one of these sockets, as far as this account may look."""
    return sorted(
        int(folder.name) for folder in proc.iterdir() if folder.name.isdigit() and inodes & held(int(folder.name), proc)
    )


def held(pid: int, proc: Path = PROC) -> set[str]:
    """Inodes of the sockets of a process; none where this account may not look, or where it has just ended."""
    found = set()
    try:
        for link in (proc / str(pid) / "fd").iterdir():
            with suppress(OSError):
                name = str(link.readlink())
                if name.startswith("socket:["):
                    found.add(name[8:-1])
    except OSError:
        pass
    return found
