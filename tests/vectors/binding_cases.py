"""Cases about the nonce and the connection."""

import hashlib
from typing import Any

import rfc8785

from simulator import profile
from simulator.quotes import make_quote
from tests.vectors import nonces
from tests.vectors.ground import (
    ALONE,
    EVENTS,
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

FAILED = {"binding.nonce": "fail", "binding.channel": "fail"}


def _bound(name: str, about: str, data: Any, **changes: Any) -> None:
    """Evidence that is bound to `data`, and refused."""
    given = bundle(f"nonce-{name}", quote=quote_for(data, log_of(EVENTS)), evidence_runtime_data=data, **changes)
    case(f"nonce-{name}", about, "not-genuine", FAILED, given)


def nonce_cases() -> None:
    other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    tree, proof = nonces.alone(other)
    _bound("other", "A replay: the evidence is for another nonce", runtime_data(nonces=tree), evidence_proof=proof)
    _bound("none", "The evidence binds no nonces", runtime_data(nonces=None))
    _bound("padded", "A nonce with padding is not the nonce", runtime_data(), nonce=NONCE + "=")
    earlier = {"v": 1, "nonce": NONCE, "release": RELEASE, "origin": ORIGIN, "tls_spki_sha256": SPKI}
    _bound("version-1", "Runtime data of an older release", earlier)
    _bound("version", "Runtime data of an unknown version", runtime_data(v=3))
    _bound("release-shape", "A release that is no digest", runtime_data(release="abc"))
    _bound("not-an-object", "Runtime data that is no object", [1])
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
        _bound(name, about, runtime_data(nonces=tree), nonce=nonce, evidence_proof=proof)
    _report_data_tail()
    _times()


def member_cases() -> None:
    """What runtime_data may hold: unknown members warn, known ones of a wrong type are refused."""
    later = {
        "channel": nonces.b64(b"a key configuration"),
        "unlock": nonces.b64(bytes(32)),
        "data": {"state": "encrypted", "owner": nonces.b64(bytes(32)), "generation": 7},
        "gpu_evidence": digest("the GPUs' evidence"),
    }
    for name, about, status, data in (
        ("later", "Members that later parts of the release bind", "pass", later),
        ("plain-data", "Data that lies in plain", "pass", {"data": {"state": "plain"}}),
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
        _bound(f"member-{name}", "A member of runtime_data that is not of its type", runtime_data(**wrong))


def proof_cases() -> None:
    for size, index in ((2, 0), (2, 1), (3, 2), (5, 4), (6, 4), (7, 3), (7, 6), (13, 12), (1000, 999), (65536, 40000)):
        _proven(f"proof-{size}-{index}", size, index, {}, "One asker of many")
    tree = nonces.among(NONCE, 7, 2)
    good = nonces.proof(2, tree)
    path = good["path"]
    for name, about, proof in (
        ("somebody-elses", "The proof of another asker of the same quote", nonces.proof(3, tree)),
        ("wrong-index", "The place of another asker", good | {"index": 3}),
        ("index-beyond", "A place that the tree does not have", good | {"index": 7}),
        ("wrong-size", "A tree of another size than the quote binds", good | {"size": 6}),
        ("short-path", "A path that ends before the root", good | {"path": path[:-1]}),
        ("long-path", "A path that goes on after the root", good | {"path": [*path, path[0]]}),
        ("no-path", "No path, where there are others", good | {"path": []}),
        ("swapped", "Two hashes of the path, swapped", good | {"path": [path[1], path[0], path[2]]}),
        ("longest", "A longer path than any tree has", good | {"path": path * 6}),
        ("list", "A path alone is no proof", path),
        ("unknown-member", "A proof with another member", good | {"root": nonces.b64(nonces.root(tree))}),
        ("index-text", "An index that is a text", good | {"index": "2"}),
        ("index-negative", "A negative index", good | {"index": -5}),
        ("index-true", "An index that is true", good | {"index": True}),
        ("path-text", "A path that is a text", good | {"path": "".join(path)}),
        ("hash-number", "A hash that is a number", good | {"path": [*path[:2], 7]}),
        ("hash-short", "A hash of 47 bytes", good | {"path": [*path[:2], path[2][:-1]]}),
        ("hash-standard", "A hash in base64 that is not base64url", good | {"path": [*path[:2], "+" * 64]}),
        ("missing", "No proof", None),
    ):
        _proven(f"proof-{name}", 7, 2, FAILED, about, evidence_proof=proof)
    _other_hashes()


def _proven(name: str, size: int, index: int, changed: dict[str, str], about: str, **changes: Any) -> None:
    tree = nonces.among(NONCE, size, index)
    data = runtime_data(nonces=nonces.bound(tree))
    given = bundle(
        f"nonces-{size}-{index}",
        quote=quote_for(data, log_of(EVENTS)),
        **{"evidence_runtime_data": data, "evidence_proof": nonces.proof(index, tree)} | changes,
    )
    case(f"nonce-{name}", f"{about}: nonce {index} of {size}", "not-genuine" if changed else "verified", changed, given)


def _other_hashes() -> None:
    """Trees that take a node for a leaf or the other way round, or swap the sides."""
    mine, other = nonces.raw(NONCE), nonces.others(1)[0]
    left, right = nonces.leaf(mine), nonces.leaf(other)
    for name, about, root, path in (
        ("leaf-as-node", "A leaf hashed like a node", hashlib.sha384(b"\x01" + mine).digest(), []),
        ("leaf-bare", "A leaf hashed without what makes it one", hashlib.sha384(mine).digest(), []),
        ("node-as-leaf", "A node hashed like a leaf", hashlib.sha384(b"\x00" + left + right).digest(), [right]),
        ("node-bare", "A node hashed without what makes it one", hashlib.sha384(left + right).digest(), [right]),
        ("sides-swapped", "A node whose sides are swapped", nonces.node(right, left), [right]),
    ):
        size = len(path) + 1
        data = runtime_data(nonces={"root": nonces.b64(root), "size": size})
        proof = {"index": 0, "size": size, "path": [nonces.b64(one) for one in path]}
        _bound(f"proof-{name}", about, data, evidence_proof=proof)


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
    given = {"spki_sha256": SPKI, "key": "given"}
    channel("key-not-visible", "A client that cannot see the TLS key", "warn", {"origin": ORIGIN})
    channel("other-key", "Somebody else ends TLS", "fail", other)
    channel("given-key", "A TLS key that was given to the TD", "warn", here, tls=given)
    channel("given-key-not-visible", "A given TLS key that nobody sees", "warn", {"origin": ORIGIN}, tls=given)
    channel("given-other-key", "Another TLS key than the given one", "fail", other, tls=given)
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
