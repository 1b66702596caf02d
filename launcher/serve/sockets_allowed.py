"""Which sockets a program may make: of families that the fence holds. A seccomp filter (seccomp(2), in classic BPF).

A network namespace holds the Internet's families, not every one: a virtual machine reaches its host by AF_VSOCK out of
any namespace. So all others are refused, by every way in which a program can ask: io_uring, which makes sockets without
that call, and the calls of other architectures and numberings (i386, x32) are refused as a whole.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct

from .namespaces import checked, libc

PR_SET_SECCOMP, MODE_FILTER = 22, 2
#: Of struct seccomp_data: the call's number, the architecture, the lower half of its first argument (little-endian).
NUMBER, ARCHITECTURE, FIRST = 0, 4, 16
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
X32 = 0x40000000
IO_URING_SETUP = 425
#: Of linux/audit.h, and what socket(2) is called there.
MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)

Instruction = tuple[int, int, int, int]  # code, how many to skip where it is so and where not, the value


def program(machine: str) -> list[Instruction]:
    """The filter for one kind of machine, as `uname -m` names it. Raises OSError for one that is not known."""
    if machine not in MACHINES:
        raise OSError(errno.ENOSYS, f"no list of calls for {machine}")
    architecture, make_socket = MACHINES[machine]
    families: list[Instruction] = [
        (EQUAL, len(FAMILIES) - at, 0, int(family)) for at, family in enumerate(FAMILIES)
    ]  # each leads to the last line
    return [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, ERRNO | errno.ENOSYS),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, 1, 0, X32),
        (EQUAL, 0, 1, IO_URING_SETUP),
        (RETURN, 0, 0, ERRNO | errno.ENOSYS),
        (EQUAL, 1, 0, make_socket),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, FIRST),
        *families,
        (RETURN, 0, 0, ERRNO | errno.EAFNOSUPPORT),
        (RETURN, 0, 0, ALLOW),
    ]


def restrict() -> None:
    """For this process, and for all that it starts, for good; PR_SET_NO_NEW_PRIVS has to be set. Raises OSError."""
    lines = program(os.uname().machine)
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    whole = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(lines), ctypes.addressof(code)))
    checked(libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.c_void_p(ctypes.addressof(whole)), 0, 0))
