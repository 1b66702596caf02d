"""Bound to me? That a quote was made for this client's nonce, and names the service and TLS key that it connected to.

Establishes freshness and, with a bound TLS key, that the connection ends in the TD. Without a bound TLS key it does
not: whoever ends TLS may relay to a genuine TD elsewhere.
"""

import hashlib
import ipaddress
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import rfc8785

from .encoding import from_base64url, from_hex
from .errors import Malformed
from .quote import Quote
from .site import NEWER
from .verdict import Check

NONCE_SIZE = 32
MAX_CLOCK_SKEW_S = 60
_MEMBERS = {"v", "nonce", "release", "origin", "tls_spki_sha256"}


def _check_runtime_data(runtime_data: Any, nonce: str) -> dict[str, Any]:
    if not isinstance(runtime_data, dict):
        raise Malformed("runtime_data is missing or not an object")
    if runtime_data.get("v") != 1 or isinstance(runtime_data.get("v"), (bool, float)):
        raise Malformed(f"runtime_data's v is {str(runtime_data.get('v'))[:64]!r}, expected 1")
    for key in _MEMBERS & set(runtime_data) - {"v"}:
        if not isinstance(runtime_data[key], str):
            raise Malformed(f"runtime_data's {key} is not a string")
    if runtime_data.get("nonce") != nonce:
        theirs = str(runtime_data.get("nonce"))[:64]
        raise Malformed(f"runtime_data's nonce is {theirs!r}, the one that was sent is {nonce!r}")
    for key, size in (("release", 48), ("tls_spki_sha256", 32)):
        if key in runtime_data:
            from_hex(runtime_data[key], f"runtime_data's {key}", size)
    return runtime_data


def _check_age(time: datetime, now: int, max_age_s: int) -> str:
    age = now - int(time.timestamp())
    if age > max_age_s:
        raise Malformed(
            f"the evidence is {age} s old, expected at most {max_age_s} s (judge a file as of its time with --at)"
        )
    if age < -MAX_CLOCK_SKEW_S:
        raise Malformed(f"the evidence is dated {-age} s in the future")
    return f"made {max(age, 0)} s before it was judged, for the nonce that was sent"


def report_data_of(runtime_data: dict[str, Any]) -> bytes:
    """SHA-384(JCS(runtime_data)) and 16 zero bytes: the 64 bytes of report data that bind it."""
    return hashlib.sha384(rfc8785.dumps(runtime_data)).digest() + bytes(16)


def check_nonce(runtime_data: Any, nonce: str | None, time: datetime, quote: Quote, now: int, max_age_s: int) -> Check:
    """`binding.nonce`."""
    try:
        if nonce is None:
            raise Malformed("the bundle records no nonce, so the quote may be an old one")
        from_base64url(nonce, "the bundle's nonce", NONCE_SIZE)
        expected = report_data_of(_check_runtime_data(runtime_data, nonce))
        if expected != quote.body["report_data"]:
            raise Malformed(f"report_data is {quote.hex('report_data')}, runtime_data hashes to {expected.hex()}")
        age = _check_age(time, now, max_age_s)
        unknown = sorted(set(runtime_data) - _MEMBERS)
        if unknown:
            return Check("binding.nonce", "warn", f"{age}, but {NEWER.format(f'runtime_data {unknown[0][:40]}')}")
        return Check("binding.nonce", "pass", age)
    except (Malformed, rfc8785.CanonicalizationError, UnicodeError) as error:
        return Check("binding.nonce", "fail", str(error))


def is_loopback(origin: str) -> bool:
    """Whether an origin's host is this machine: localhost, *.localhost, 127.0.0.0/8 or ::1."""
    try:
        host = (urlsplit(origin).hostname or "").removesuffix(".")
        named = host == "localhost" or host.endswith(".localhost") or host == "::1"
        return named or ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


def check_channel(runtime_data: dict[str, Any], origin: str | None, spki: str | None) -> Check:
    """`binding.channel`: `origin` and `spki` are where the client connected and the TLS key it saw there (hex)."""

    def answer(status: Any, detail: str) -> Check:
        return Check("binding.channel", status, detail)

    bound_origin, bound_spki = runtime_data.get("origin"), runtime_data.get("tls_spki_sha256")
    if origin is None:
        return answer("warn", "The bundle does not record where its client connected")
    if bound_spki and spki and bound_spki != spki:
        return answer("fail", f"the TLS key seen is {spki}, the TD's is {bound_spki}: somebody sits between")
    if is_loopback(origin):
        if bound_origin in (None, origin):
            return answer("pass", f"{origin} is the machine that asked")
        return answer("warn", f"The evidence is for {bound_origin}, reached as {origin} on the machine that asked")
    if bound_origin is not None and bound_origin != origin:
        return answer("fail", f"the evidence is for {bound_origin}, the connection went to {origin}")
    if urlsplit(origin).scheme != "https":
        return answer("warn", f"{origin} is plain http: anybody on the way can read and change it")
    if bound_origin is None:
        return answer("warn", f"The evidence names no origin, the connection went to {origin}")
    if bound_spki is None:
        return answer("warn", "No TLS key is bound: whoever ends TLS for this origin may sit between")
    if spki is None:
        return answer("pass", f"{origin}; this client could not see the TLS key to compare it with the bound one")
    return answer("pass", f"{origin}, and its TLS key is the TD's")
