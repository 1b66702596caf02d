"""Connected to it? That the address and the TLS key that a client saw are those of the TD, and what that is worth.

Without a bound TLS key whoever ends TLS may relay to a genuine TD elsewhere. A key that was given to the TD may be in
other hands. And that it was drawn in the TD is the attester's own word, which counts only where nobody could have
changed the programs: on a platform that passes. A browser does not see its connection's key: there a person has to
trust the name. What a page seals to the TD's own key nobody on the way reads, whoever ends TLS; but the page came that
way, too.
"""

import ipaddress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .verdict import Check, Status

_NONE = "no key of an encrypted channel is bound: this service has none"


@dataclass(frozen=True)
class Connected:
    """A client's own record: where it was, the SHA-256 (hex) of the TLS key's SPKI that it saw, and whether it is a
    page that seals what it sends to the bound key."""

    origin: str | None
    spki: str | None = None
    sealed: bool = False


def is_loopback(origin: str) -> bool:
    """Whether an origin's host is this machine: localhost, *.localhost, 127.0.0.0/8 or ::1."""
    try:
        host = (urlsplit(origin).hostname or "").removesuffix(".")
        named = host == "localhost" or host.endswith(".localhost") or host == "::1"
        return named or ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


def _answer(status: Status, detail: str) -> Check:
    return Check("binding.channel", status, detail)


def _by_address(bound_origin: str | None, origin: str, sealed: bool) -> Check | None:
    """What the address alone decides; `None`: it is the TD's, over https."""
    if is_loopback(origin):
        if bound_origin in (None, origin):
            return _answer("pass", f"{origin} is the machine that asked")
        return _answer("warn", f"The evidence is for {bound_origin}, reached as {origin} on the machine that asked")
    if bound_origin is not None and bound_origin != origin:
        return _answer("fail", f"the evidence is for {bound_origin}, the connection went to {origin}")
    if urlsplit(origin).scheme != "https" and sealed:
        return _answer(
            "warn",
            f"What is sent to {origin} is sealed to the bound key, but it is plain http: anybody on the way could have "
            "changed the page",
        )
    if urlsplit(origin).scheme != "https":
        return _answer("warn", f"{origin} is plain http: anybody on the way can read and change it")
    if bound_origin is None:
        return _answer("warn", f"The evidence names no origin, the connection went to {origin}")
    return None


def _by_key(tls: dict[str, Any] | None, origin: str, seen: str | None, platform: Check, trusted: bool) -> Check:
    if tls is None:
        return _answer("warn", "No TLS key is bound: whoever ends TLS for this origin may sit between")
    if tls["key"] == "given":
        return _answer("warn", "Its TLS key was given to the TD: somebody else may hold it, and sit between")
    if seen is None and not trusted:
        return _answer(
            "warn",
            "This client could not see the TLS key of its connection, so it cannot compare it with the TD's: "
            "whoever controls this name may sit between, and could have changed the page",
        )
    if platform.status != "pass":
        return _answer(
            "warn",
            "Its TLS key is said to be drawn in the TD, but platform.match does not pass: that is the word of programs "
            "that somebody could have changed",
        )
    if seen is None:
        return _answer("pass", f"{origin}: you trust whoever administers this service, its machine and its name")
    return _answer("pass", f"{origin}, and its TLS key is the TD's, drawn in it")


def _by_seal(origin: str, platform: Check, trusted: bool) -> Check:
    if not trusted:
        return _answer(
            "warn",
            f"What is sent to {origin} is sealed to the bound key, but whoever controls that name could have changed "
            "the page",
        )
    if platform.status != "pass":
        return _not_drawn()
    return _answer(
        "pass",
        f"What is sent to {origin} is sealed to the bound key: you trust whoever administers this service, its machine "
        "and its name",
    )


def _not_drawn() -> Check:
    return _answer(
        "warn",
        "The encrypted channel's key is said to be drawn in the TD, but platform.match does not pass: that is the word "
        "of programs that somebody could have changed",
    )


def check_channel(runtime_data: dict[str, Any], connected: Connected, platform: Check, trusted: bool) -> Check:
    """`binding.channel` for the client that recorded `connected`.

    `runtime_data` is what the quote is proven to be bound to, `platform` the answer of `platform.match`, and `trusted`
    whether the relying party trusts whoever administers the service, its machine and its name.
    """
    origin, seen = connected.origin, connected.spki
    tls: dict[str, Any] | None = runtime_data.get("tls")
    if origin is None:
        return _answer("warn", "The bundle does not record where its client connected")
    if tls and seen and tls["spki_sha256"] != seen:
        return _answer(
            "fail",
            f"its TLS key is not the TD's: {seen} was seen, {tls['spki_sha256']} is bound; somebody sits between",
        )
    if connected.sealed and "channel" not in runtime_data:
        return _answer("fail", _NONE)
    found = _by_address(runtime_data.get("origin"), origin, connected.sealed)
    if found or not connected.sealed or seen:
        return found or _by_key(tls, origin, seen, platform, trusted)
    return _by_seal(origin, platform, trusted)


def check_sealed(runtime_data: dict[str, Any], origin: str | None, platform: Check) -> Check:
    """`binding.channel` for a client that seals all it sends to the key that is bound as `channel`: whoever ends TLS
    reads nothing, so only the key counts, and the address that it was bound for."""
    bound_origin = runtime_data.get("origin")
    if "channel" not in runtime_data:
        return _answer("fail", _NONE)
    if bound_origin is not None and bound_origin != origin:
        return _answer("fail", f"the evidence is for {bound_origin}, the connection went to {origin}")
    if platform.status != "pass":
        return _not_drawn()
    return _answer("pass", "Everything is sealed to a key that was drawn in the TD, whoever ends TLS")
