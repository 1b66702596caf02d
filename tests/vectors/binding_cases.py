"""Cases about the nonce and the connection."""

import hashlib
from typing import Any

import rfc8785

from quote_generator import key_broker
from simulator import profile
from simulator.quotes import make_quote
from tests.vectors import nonces
from tests.vectors.ground import (
    ALONE,
    EVENTS,
    KEPT,
    NONCE,
    ORIGIN,
    REFERENCES,
    RELEASE,
    SITE,
    SPKI,
    TLS,
    W,
    bundle,
    case,
    digest,
    log_of,
    options,
    platform_of,
    quote_for,
    replay,
    runtime_data,
)

GIVEN = {"spki_sha256": SPKI, "key": "given"}
FAILED = {"binding.nonce": "fail", "binding.channel": "fail", "data.protected": "fail"}


def bound(name: str, about: str, data: Any, **changes: Any) -> None:
    """Evidence that is bound to `data`, and refused."""
    given = bundle(f"nonce-{name}", quote=quote_for(data, log_of(EVENTS)), evidence_runtime_data=data, **changes)
    case(f"nonce-{name}", about, "not-genuine", FAILED, given)


def nonce_cases() -> None:
    other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    tree, proof = nonces.alone(other)
    bound("other", "A replay: the evidence is for another nonce", runtime_data(nonces=tree), evidence_proof=proof)
    bound("none", "The evidence binds no nonces", runtime_data(nonces=None))
    bound("padded", "A nonce with padding is not the nonce", runtime_data(), nonce=NONCE + "=")
    earlier = {"v": 1, "nonce": NONCE, "release": RELEASE, "origin": ORIGIN, "tls_spki_sha256": SPKI}
    bound("version-1", "Runtime data of an older release", earlier)
    bound("version", "Runtime data of an unknown version", runtime_data(v=3))
    bound("release-shape", "A release that is no digest", runtime_data(release="abc"))
    brokered = key_broker.runtime_data(NONCE, nonces.b64(bytes(32)), nonces.b64(bytes(32)))
    bound("key-broker", "What a key broker has quoted, with a nonce of somebody's, is no evidence", brokered)
    case(
        "nonce-key-broker-quote",
        "A key broker's quote under runtime data of evidence",
        "not-genuine",
        FAILED,
        bundle("key-broker", quote=quote_for(brokered, log_of(EVENTS))),
    )
    bound("not-an-object", "Runtime data that is no object", [1])
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
    for name, about, nonce in (
        ("short", "A nonce of 16 bytes", "AAAAAAAAAAAAAAAAAAAAAA"),
        ("not-canonical", "A nonce with stray bits in its last character", NONCE[:-1] + "N"),
    ):
        tree, proof = nonces.alone(nonce)
        bound(name, about, runtime_data(nonces=tree), nonce=nonce, evidence_proof=proof)
    _report_data_tail()
    _times()


def member_cases() -> None:
    """What runtime_data may hold: unknown members warn, known ones of a wrong type are refused."""
    later = {
        "channel": nonces.b64(b"a key configuration"),
        "unlock": nonces.b64(bytes(32)),
        "data": KEPT | {"generation": 7},
        "gpu_evidence": digest("the GPUs' evidence"),
    }
    for name, about, status, data in (
        ("later", "Members that later parts of the release bind", "pass", later),
        ("unknown", "A member that is newer than this verifier", "warn", {"extra": "x"}),
        ("unknown-inside", "A member of a member that is newer", "warn", {"tls": {**TLS, "hybrid": True}}),
    ):
        made = runtime_data(**data)
        given = bundle(f"member-{name}", quote=quote_for(made, log_of(EVENTS)), evidence_runtime_data=made)
        overall = "verified" if status == "pass" else "incomplete"
        case(f"nonce-member-{name}", about, overall, {"binding.nonce": status}, given)
    malformed: dict[str, dict[str, Any]] = {
        "tls-no-object": {"tls": SPKI},
        "tls-no-key": {"tls": {"spki_sha256": SPKI}},
        "tls-other-key": {"tls": TLS | {"key": "found"}},
        "tls-short": {"tls": TLS | {"spki_sha256": SPKI[2:]}},
        "channel-padded": {"channel": "AA=="},
        "unlock-short": {"unlock": nonces.b64(bytes(31))},
        "data-unknown-state": {"data": {"state": "secret"}},
        "data-negative": {"data": {"state": "plain", "generation": -1}},
        "gpu-not-hex": {"gpu_evidence": "x" * 96},
        "root-short": {"nonces": ALONE | {"root": nonces.b64(bytes(47))}},
        "size-zero": {"nonces": ALONE | {"size": 0}},
        "size-true": {"nonces": ALONE | {"size": True}},
        "size-huge": {"nonces": ALONE | {"size": 65537}},
    }
    for name, wrong in malformed.items():
        bound(f"member-{name}", "A member of runtime_data that is not of its type", runtime_data(**wrong))


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
    other = {"origin": ORIGIN, "tls_spki_sha256": hashlib.sha256(b"another TLS key").hexdigest()}
    channel("key-not-visible", "A client that cannot see the TLS key", "warn", {"origin": ORIGIN})
    channel("other-key", "Somebody else ends TLS", "fail", other)
    channel("given-key", "A TLS key that was given to the TD", "warn", here, tls=GIVEN)
    channel("given-key-not-visible", "A given TLS key that nobody sees", "warn", {"origin": ORIGIN}, tls=GIVEN)
    channel("given-other-key", "Another TLS key than the given one", "fail", other, tls=GIVEN)
    channel(
        "other-origin",
        "Evidence for another origin",
        "fail",
        {"origin": "https://evil.example", "tls_spki_sha256": SPKI},
    )
    channel("other-port", "A port is part of the origin", "fail", {"origin": "https://chat.example:8443"})
    channel("no-origin-bound", "The operator configured no origin", "warn", here, origin=None)
    channel("no-key-bound", "TLS does not end inside the TD", "warn", here, tls=None)
    channel(
        "plain-http",
        "Plain http beyond this machine",
        "warn",
        {"origin": "http://chat.example"},
        origin="http://chat.example",
        tls=None,
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
        channel(f"loopback-{number}", "This machine", "pass", {"origin": local}, origin=None, tls=None)
    local = "http://127.0.0.1:8080"
    channel("loopback-bound", "This machine, bound as such", "pass", {"origin": local}, origin=local, tls=None)
    channel("loopback-other-origin", "This machine, evidence for elsewhere", "warn", {"origin": local}, tls=None)
    for number, sham in enumerate(("http://localhost.evil.example", "http://127.0.0.1.evil.example")):
        channel(f"sham-loopback-{number}", "Not this machine", "warn", {"origin": sham}, origin=None, tls=None)
    _drawn_keys()
    _sealed()


def _drawn_keys() -> None:
    """That a key was drawn in the TD is the attester's word: the platform has to pass, or whose it is be trusted."""
    unmeasured = [REFERENCES | {"platforms": [platform_of(quote_for(runtime_data(), log_of(EVENTS)), "unmeasured")]}]
    unknown = [REFERENCES | {"platforms": []}]
    trusting = {"platform": {"trust_administrator": True}}
    unseen = bundle("good", connected={"origin": ORIGIN})
    other = bundle("good", connected={"origin": ORIGIN, "tls_spki_sha256": "ab" * 32})
    warned = {"platform.match": "warn", "binding.channel": "warn"}
    for name, about, changed, given, held in (
        (
            "unmeasured",
            "A drawn key, on a root that nobody measured",
            warned,
            bundle("good"),
            {"references": unmeasured},
        ),
        ("unknown", "A drawn key, on a platform that nobody knows", warned, bundle("good"), {"references": unknown}),
        ("trusted", "The same, whoever administers it being trusted", {}, bundle("good"), {"references": unmeasured}),
        ("unseen-trusted", "A key that the client cannot see; its name is trusted", {}, unseen, {}),
        ("unseen-unknown", "The same, on a platform that nobody knows", warned, unseen, {"references": unknown}),
        ("other-trusted", "Another key, whoever is trusted", {"binding.channel": "fail"}, other, {}),
    ):
        policy = {} if held and "trusted" not in name and name != "unseen-unknown" else {"policy": trusting}
        overall = {"warn": "incomplete", "fail": "not-genuine"}.get(changed.get("binding.channel", ""), "verified")
        case(f"channel-drawn-{name}", about, overall, changed, given, **held, **policy)


def _sealed() -> None:
    """A page that seals what it sends to the bound key: nobody on the way reads, but who sent the page?"""
    unmeasured = [REFERENCES | {"platforms": [platform_of(quote_for(runtime_data(), log_of(EVENTS)), "unmeasured")]}]
    unknown = [REFERENCES | {"platforms": []}]
    trusting: Any = {"policy": {"platform": {"trust_administrator": True}}}
    here: Any = {"origin": ORIGIN, "sealed": True}
    http, local = "http://chat.example", "http://127.0.0.1:8080"
    key: Any = {"channel": nonces.b64(b"a key configuration")}
    outside: Any = {"tls": None, **key}
    seen = here | {"tls_spki_sha256": "ab" * 32}
    away = here | {"origin": "https://evil.example"}
    warned, failed = {"binding.channel": "warn"}, {"binding.channel": "fail"}
    nowhere = {"platform.match": "warn", "binding.channel": "warn"}
    for name, about, changed, connected, data, held in (
        ("page", "TLS ends elsewhere; the page may have been changed there", warned, here, outside, {}),
        ("trusted", "The same, its name being trusted", {}, here, outside, trusting),
        ("both", "TLS ends in the TD, too, its name being trusted", {}, here, key, trusting),
        ("unmeasured", "A root that nobody measured", {}, here, outside, trusting | {"references": unmeasured}),
        ("unknown", "A platform that nobody knows", nowhere, here, outside, trusting | {"references": unknown}),
        ("given", "A TLS key that others may hold, its name being trusted", {}, here, {"tls": GIVEN, **key}, trusting),
        ("not-used", "A client that does not seal: who ends TLS reads", warned, {"origin": ORIGIN}, outside, trusting),
        ("none", "It says that it seals, and no key is bound", failed, here, {"tls": None}, trusting),
        ("other-origin", "Sealed to a TD that serves another origin", failed, away, outside, trusting),
        ("other-key", "Another TLS key than the bound one", failed, seen, key, trusting),
        ("http", "Plain http", warned, here | {"origin": http}, outside | {"origin": http}, trusting),
        ("no-origin", "The operator configured no origin", warned, here, outside | {"origin": None}, trusting),
        ("loopback", "This machine", {}, here | {"origin": local}, outside | {"origin": None}, {}),
    ):
        made = runtime_data(**data)
        lines = log_of(EVENTS, SITE | {"origin": made.get("origin", "")})
        given = bundle(
            f"channel-sealed-{name}",
            quote=quote_for(made, lines),
            evidence_runtime_data=made,
            evidence_event_log="\n".join(lines) + "\n",
            connected=connected,
        )
        overall = {"warn": "incomplete", "fail": "not-genuine"}.get(changed.get("binding.channel", ""), "verified")
        case(f"channel-sealed-{name}", about, overall, changed, given, **held)
