"""Cases about the nonce and the connection."""

import hashlib
from typing import Any

import rfc8785

from simulator import profile
from simulator.quotes import make_quote
from tests.vectors.ground import (
    EVENTS,
    NONCE,
    ORIGIN,
    SITE,
    SPKI,
    W,
    bundle,
    case,
    log_of,
    options,
    quote_for,
    replay,
    runtime_data,
)

FAILED = {"binding.nonce": "fail", "binding.channel": "fail"}


def nonce_cases() -> None:
    def bound(name: str, about: str, data: Any, **changes: Any) -> None:
        quote = quote_for(data, log_of(EVENTS))
        case(
            f"nonce-{name}",
            about,
            "not-genuine",
            FAILED,
            bundle(f"nonce-{name}", quote=quote, evidence_runtime_data=data, **changes),
        )

    other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    bound("other", "A replay: the evidence carries another nonce", runtime_data(nonce=other))
    bound("none", "The evidence carries no nonce", runtime_data(nonce=None))
    bound("padded", "A nonce with padding is not the nonce", runtime_data(nonce=NONCE + "="))
    bound("version", "Runtime data of an unknown version", runtime_data(v=2))
    bound("release-shape", "A release that is no digest", runtime_data(release="abc"))
    bound("not-an-object", "Runtime data that is no object", [1])
    newer = runtime_data(extra="x")
    case(
        "nonce-unknown-member",
        "Runtime data with a member that is newer than this verifier",
        "incomplete",
        {"binding.nonce": "warn"},
        bundle("nonce-unknown-member", quote=quote_for(newer, log_of(EVENTS)), evidence_runtime_data=newer),
    )
    case(
        "nonce-unbound",
        "Runtime data that the quote is not bound to",
        "not-genuine",
        FAILED,
        bundle("good", evidence_runtime_data=runtime_data(origin="https://evil.example")),
    )
    case(
        "nonce-missing-runtime-data",
        "No runtime data",
        "not-genuine",
        FAILED,
        bundle("good", evidence_runtime_data=None),
    )
    case("nonce-not-recorded", "The bundle records no nonce", "not-genuine", FAILED, bundle("good", nonce=None))
    short = "AAAAAAAAAAAAAAAAAAAAAA"
    bound("short", "A nonce of 16 bytes", runtime_data(nonce=short), nonce=short)
    loose = NONCE[:-1] + "N"
    bound("not-canonical", "A nonce with stray bits in its last character", runtime_data(nonce=loose), nonce=loose)
    _report_data_tail()
    _times()


def _report_data_tail() -> None:
    padded_report = make_quote(
        hashlib.sha384(rfc8785.dumps(runtime_data())).digest() + b"\x01" * 16,
        rtmrs=(*profile.TD.rtmrs[:3], replay(log_of(EVENTS))),
    )
    case(
        "nonce-report-data-tail",
        "Report data whose last 16 bytes are not zero",
        "not-genuine",
        FAILED,
        bundle("report-data-tail", quote=padded_report),
    )


def _times() -> None:
    for name, now in (("old", "2025-07-01T12:10:01Z"), ("future", "2025-07-01T11:58:59Z")):
        W.add(
            f"nonce-{name}",
            "Evidence too old, or from the future",
            "not-genuine",
            FAILED,
            now=now,
            bundle=bundle("good"),
            options=options(),
        )
    W.add(
        "nonce-just-in-time",
        "Ten minutes old",
        "verified",
        {},
        now="2025-07-01T12:10:00Z",
        bundle=bundle("good"),
        options=options(),
    )


def channel_cases() -> None:
    def channel(name: str, about: str, status: str, connected: Any, **data: Any) -> None:
        overall = {"pass": "verified", "warn": "incomplete", "fail": "not-genuine"}[status]
        made = runtime_data(**data)
        lines = log_of(EVENTS, SITE | {"origin": made.get("origin", "")})
        given = bundle(
            f"channel-{name}",
            quote=quote_for(made, lines),
            evidence_runtime_data=made,
            evidence_event_log="\n".join(lines) + "\n",
            connected=connected,
        )
        case(f"channel-{name}", about, overall, {"binding.channel": status}, given)

    here = {"origin": ORIGIN, "tls_spki_sha256": SPKI}
    other = hashlib.sha256(b"another TLS key").hexdigest()
    channel("key-not-visible", "A client that cannot see the TLS key", "pass", {"origin": ORIGIN})
    channel("other-key", "Somebody else ends TLS", "fail", {"origin": ORIGIN, "tls_spki_sha256": other})
    channel(
        "other-origin",
        "Evidence for another origin",
        "fail",
        {"origin": "https://evil.example", "tls_spki_sha256": SPKI},
    )
    channel("other-port", "A port is part of the origin", "fail", {"origin": "https://chat.example:8443"})
    channel("no-origin-bound", "The operator configured no origin", "warn", here, origin=None)
    channel("no-key-bound", "TLS does not end inside the TD", "warn", here, tls_spki_sha256=None)
    channel(
        "plain-http",
        "Plain http beyond this machine",
        "warn",
        {"origin": "http://chat.example"},
        origin="http://chat.example",
        tls_spki_sha256=None,
    )
    channel("not-recorded", "The bundle does not say where its client connected", "warn", None)
    for number, local in enumerate(
        (
            "http://localhost:8080",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "http://127.9.9.9",
            "http://chat.localhost:8080",
        )
    ):
        channel(f"loopback-{number}", "This machine", "pass", {"origin": local}, origin=None, tls_spki_sha256=None)
    local = "http://127.0.0.1:8080"
    channel(
        "loopback-bound", "This machine, bound as such", "pass", {"origin": local}, origin=local, tls_spki_sha256=None
    )
    channel(
        "loopback-other-origin", "This machine, evidence for elsewhere", "warn", {"origin": local}, tls_spki_sha256=None
    )
    for number, sham in enumerate(("http://localhost.evil.example", "http://127.0.0.1.evil.example")):
        channel(
            f"sham-loopback-{number}", "Not this machine", "warn", {"origin": sham}, origin=None, tls_spki_sha256=None
        )
