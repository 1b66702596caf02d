"""`--ct`: whether certificates for the service's name are logged whose keys the TD does not hold.

Certificate transparency (RFC 9162) makes every certificate that browsers accept public. Whoever can answer for the
name, as its network's operator can, may have one with a key of their own, and end TLS outside: it is logged.
Asked is a monitor of the logs in the form of crt.sh (https://github.com/crtsh/certwatch_db): a search with
`Identity=NAME&match==&exclude=expired&output=json` lists ids, `?d=ID` is the certificate. Nothing that it says is
signed: it can leave things out, so it is asked by https.
"""

import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote as percent_encode
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from .address import parse_address
from .bundle import Bundle
from .errors import Malformed, Unreachable, UsageError
from .fetch import Fetcher, require_ok, spki_sha256
from .verdict import Check, Verdict

CHECK = "certificates.known"
MAX_LIST = 16 * 1024 * 1024
MAX_CERTIFICATE = 64 * 1024
MAX_CERTIFICATES = 200
DEADLINE_S = 300.0
SHOWN = 10
_KEY = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class Logged:
    """One certificate of a log: the monitor's number of it, who issued it, when it is valid, SHA-256 (hex) of its
    SubjectPublicKeyInfo, and the names that it is for."""

    number: int
    issuer: str
    start: datetime
    end: datetime
    spki: str
    names: frozenset[str]

    def covers(self, name: str) -> bool:
        """Whether browsers take it for `name` (RFC 6125, 6.4): it has the name, or a wildcard for its first label."""
        return name in self.names or f"*.{name.partition('.')[2]}" in self.names


def known_keys(given: Iterable[str]) -> frozenset[str]:
    """The values of --known-key, in lower case. Raises `UsageError`."""
    found = frozenset(one.lower() for one in given)
    for one in sorted(found):
        if not _KEY.match(one):
            raise UsageError(f"--known-key {one[:80]!r} is not a key's SHA-256: 64 hexadecimal digits")
    return found


def monitor_address(url: str) -> str:
    """The address of --ct, without a slash at its end. Raises `UsageError`."""
    try:
        address = parse_address(url)
    except Malformed as error:
        raise UsageError(f"--ct: {error}") from None
    parts = urlsplit(address.url)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise UsageError(
            f"--ct {url[:200]!r} is plain http: anybody on the way could leave certificates out; use https"
        )
    return address.url


def name_of(base: str) -> str:
    """The DNS name whose certificates are asked for. Raises `UsageError` for what no public CA knows."""
    parts = urlsplit(base)
    name = (parts.hostname or "").removesuffix(".")
    last = name.rpartition(".")[2]
    if parts.scheme != "https" or "." not in name or ":" in name or last.isdigit() or last == "localhost":
        raise UsageError(f"--ct needs a service with a public name and https, which {base} has not")
    return name


def check_certificates(
    name: str, monitor: str, bundle: Bundle, verdict: Verdict, fetcher: Fetcher, known: frozenset[str], public: bool
) -> Check:
    """`certificates.known`: every certificate for `name` that `monitor` lists as valid now is for the bound key, or for
    one of `known`. `public`: the service's own certificate is one that browsers accept, so it must be listed."""
    bound = _bound_key(bundle, verdict)
    if isinstance(bound, Check):
        return bound
    try:
        logged = [one for one in _logged(name, monitor, fetcher) if one.covers(name)]
    except (Malformed, Unreachable) as error:
        return Check(CHECK, "warn", f"It could not be found out which certificates are logged for {name}: {error}")
    strange = [one for one in logged if one.spki not in known | {bound}]
    if strange:
        return Check(CHECK, "fail", _describe(name, monitor, strange))
    if public and not any(one.spki == bound for one in logged):
        return Check(
            CHECK,
            "warn",
            f"{monitor} does not list the certificate of this very connection among {len(logged)} for {name}: it is "
            "behind, or does not tell everything; ask again in a day, or ask another one",
        )
    ours = "is for the TD's key" if len(logged) == 1 else "are for the TD's key or one that you know"
    return Check(CHECK, "pass", f"{_count(len(logged))} for {name} that {monitor} lists as valid {ours}")


def _bound_key(bundle: Bundle, verdict: Verdict) -> str | Check:
    """The key that the quote binds (hex), or the answer where there is none to compare with."""
    try:
        proven = verdict.check("binding.nonce").status in ("pass", "warn")
    except KeyError:
        proven = False
    if not proven:
        return Check(CHECK, "fail", "Not asked: no proven quote says which key is the TD's", asked=False)
    key = bundle.bound_key
    if key is None:
        return Check(CHECK, "warn", "No TLS key is bound: no certificate can be told to be the TD's")
    return key


def _logged(name: str, monitor: str, fetcher: Fetcher) -> Iterator[Logged]:
    """Every listed certificate that is valid now. Raises `Malformed`, `Unreachable`."""
    until = time.monotonic() + DEADLINE_S
    now = datetime.now(UTC)
    for number in sorted(_numbers(name, monitor, fetcher)):
        if time.monotonic() > until:
            raise Unreachable(f"{monitor} needs more than {DEADLINE_S:g} s for its certificates")
        url = f"{monitor}/?d={number}"
        one = _certificate(number, require_ok(fetcher.get(url, MAX_CERTIFICATE), url), url)
        if one.end >= now:
            yield one


def _numbers(name: str, monitor: str, fetcher: Fetcher) -> set[int]:
    """The numbers of the certificates for the name and for the wildcard that covers it."""
    identities = [name, f"*.{name.partition('.')[2]}"] if name.count(".") > 1 else [name]
    found: set[int] = set()
    for identity in identities:
        url = f"{monitor}/?Identity={percent_encode(identity, safe='')}&match=%3D&exclude=expired&output=json"
        found |= set(_entries(require_ok(fetcher.get(url, MAX_LIST), url), url))
    if len(found) > MAX_CERTIFICATES:
        raise Malformed(
            f"{monitor} lists {len(found)} certificates, more than the {MAX_CERTIFICATES} that are looked at"
        )
    return found


def _entries(body: bytes, url: str) -> Iterator[int]:
    try:
        entries: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed(f"{url} does not answer in JSON, as crt.sh does") from None
    if not isinstance(entries, list):
        raise Malformed(f"{url} does not answer with a list, as crt.sh does")
    for entry in entries:
        number = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 1 << 63:
            raise Malformed(f"{url} lists a certificate without an id, which crt.sh does not")
        yield number


def _certificate(number: int, body: bytes, url: str) -> Logged:
    """Read one. What cannot be read is no reason to pass: it may be the one that matters."""
    try:
        certificate = x509.load_pem_x509_certificate(body)
        names = _names(certificate)
        spki = spki_sha256(certificate.public_bytes(Encoding.DER))
        issuer = certificate.issuer.rfc4514_string()
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise Malformed(f"{url} is no certificate that can be read (PEM)") from None
    return Logged(number, issuer, start, end, spki, names)


def _names(certificate: x509.Certificate) -> frozenset[str]:
    """Subject alternative names alone: browsers do not look at the common name."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(name.lower() for name in extension.value.get_values_for_type(x509.DNSName))


def _describe(name: str, monitor: str, strange: list[Logged]) -> str:
    lines = [
        f"{monitor}/?id={one.number} (by {one.issuer[:80]}, {one.start:%Y-%m-%d} to {one.end:%Y-%m-%d}, key {one.spki})"
        for one in strange[:SHOWN]
    ]
    more = f"; and {len(strange) - SHOWN} more" if len(strange) > SHOWN else ""
    return (
        f"{_count(len(strange))} for {name} with a key that the TD does not hold: {'; '.join(lines)}{more}. Whoever "
        "has one can end TLS outside; an earlier key of this service is named with --known-key"
    )


def _count(number: int) -> str:
    return "1 certificate" if number == 1 else f"{number} certificates"
