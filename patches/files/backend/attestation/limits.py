"""Bounds on attestation requests, so that nobody's shield slows somebody's chat."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

#: Clients remembered at once; the one idle longest is forgotten first, which can only be generous to it.
MAX_CLIENTS = 10_000


def client_key(host: str) -> str:
    """What counts as one client: an IPv4 address, or an IPv6 /64 (one host has all of it)."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


class RateLimit:
    """A token bucket a client: `per_minute` requests a minute, and at most that many at once."""

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / 60
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client: (tokens, as of)

    def take(self, client: str) -> int:
        """Take one token of `client`: 0 if it had one, else the whole seconds after which it will."""
        now = self._now()
        tokens, since = self._buckets.pop(client, (self._capacity, now))
        tokens = min(self._capacity, tokens + (now - since) * self._per_second)
        wait = 0 if tokens >= 1 else math.ceil((1 - tokens) / self._per_second)
        self._buckets[client] = (tokens - 1 if wait == 0 else tokens, now)
        while len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)
        return wait
