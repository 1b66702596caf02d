"""The right to mount (CAP_SYS_ADMIN), which a launcher with encrypted data has, and what it starts has not."""

from __future__ import annotations

import ctypes
import struct

from .namespaces import checked, libc

SYS_ADMIN = 21
CAPABILITY_VERSION_3 = 0x20080522
PR_SET_NO_NEW_PRIVS = 38


def give_up_mounting() -> None:
    """Give it up for good: neither this process, though it be root's, nor what it starts may have it again.

    Raises OSError.
    """
    head, sets = struct.pack("Ii", CAPABILITY_VERSION_3, 0), ctypes.create_string_buffer(24)
    checked(libc.capget(head, sets))
    words = struct.unpack("6I", sets)  # effective, permitted, inheritable; and the same of the capabilities beyond 31
    first = (word & ~(1 << SYS_ADMIN) for word in words[:3])
    checked(libc.capset(head, struct.pack("6I", *first, *words[3:])))
    checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
