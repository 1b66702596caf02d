"""Evidence in the making: everything that is decided before the simulator signs, and the question it becomes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

import rfc8785

from simulator import profile
from simulator.plans import collateral
from simulator.plans import quote as quotes
from tests.agreement.questions import Question
from tests.standins.tokens import jwks, make_token
from tests.vectors import nonces
from tests.vectors.ground import (
    EVENTS,
    KEPT,
    NONCE,
    NOW,
    ORIGIN,
    OTHERS,
    OWNER,
    SECONDS,
    SERVICE_URL,
    SPKI,
    STAMP,
    launch,
    log_of,
    replay,
    runtime_data,
)

PLATFORM = ("mr_td", "xfam", "td_attributes", "mr_seam")
SITE_CHOICES: dict[str, list[Any]] = {
    "origin": ["https://a.example", 7],
    "endpoints": [
        [{"setting": "WEBHOOK_URL", "value": "https://a.example"}],
        [{"setting": "DATABASE_URL", "value": "set"}],
        [{}],
        "none",
    ],
    "admin_access": [True, "false", None],
    "tls": ["off", "acme", "quantum", 1],
    "egress": ["closed", "open", ["a.example"], [1], {}],
    "data_owner": ["", "owner", 1],
    "data_trustee": ["", "https://kbs.example/kbs/v0/resource/a/b/c", 1],
    "surprise": [1],
}
KEPT_ODDLY: list[Any] = [None, {"state": "plain"}, {"state": "encrypted"}, KEPT | {"owner": "A" * 43}]
STATUSES = collateral.TCB_STATUSES[1:-1]
VERSIONS = ((4, quotes.BODY_TD10), (5, quotes.BODY_TD10), (5, quotes.BODY_TD15), (5, quotes.BODY_TD15))


@dataclass
class TokenPlan:
    """A service's token: `payload` changes the text that is signed, `header` replaces the header."""

    service: str
    shape: str = "new"
    fault: str | None = None
    respell: Any = None
    header: dict[str, Any] | None = None


@dataclass
class Draft:
    """A good piece of evidence unless somebody changes it. `lines` is what RTMR 3 holds (empty: unmeasured)."""

    quote: quotes.Plan
    collateral: collateral.Plan
    runtime_data: Any
    proof: Any
    lines: list[str]
    connected: dict[str, Any] | None
    log: Any = None  # None: the lines
    time: str = STAMP
    now: str = STAMP
    nonce: Any = NONCE
    tokens: list[TokenPlan] = field(default_factory=list)
    references: list[dict[str, Any]] = field(default_factory=list)
    held_platform: bool = False  # the references' platform is this quote's
    named_service_td: str = ""  # and it names this service TD (hex)
    held_root: dict[str, Any] = field(default_factory=dict)  # what they say of its root
    policy: dict[str, Any] = field(default_factory=dict)
    seen: dict[str, int] | None = None
    genuine: bool = True
    bare: bool = False


def _bound_hash(data: Any) -> bytes:
    try:
        text = rfc8785.dumps(data)
    except (rfc8785.CanonicalizationError, UnicodeError):
        text = json.dumps(data).encode()
    return hashlib.sha384(text).digest()


def platform_of(body: profile.TdBody) -> dict[str, str]:
    """The reference values of a platform that this TD would match."""
    values = {name: getattr(body, name).hex() for name in PLATFORM}
    return values | {f"rtmr_{index}": body.rtmrs[index].hex() for index in range(3)}


def _policy(rng: Random) -> dict[str, Any]:
    tcb: dict[str, Any] = {}
    if rng.random() < 0.7:
        tcb["accepted_statuses"] = rng.sample(STATUSES, rng.randrange(1, 5))
    for name, values in (
        ("accepted_advisories", [["INTEL-SA-00837", "INTEL-SA-00960"], ["INTEL-SA-00837"], []]),
        ("refused_advisories", [["INTEL-SA-00960"], ["INTEL-SA-99999"]]),
        ("min_tcb_evaluation_data_number", [16, 17, 18]),
        ("min_tee_tcb_svn", ["06010300000000000000000000000000", "06010200000000000000000000000001"]),
        ("min_pce_svn", [12, 13, 14]),
        ("min_qe_isv_svn", [5, 6, 7]),
        ("allow_dynamic_platform", [True, False]),
        ("allow_cached_keys", [True, False]),
        ("allow_smt", [True, False]),
    ):
        if rng.random() < 0.12:
            tcb[name] = rng.choice(values)
    policy: dict[str, Any] = {"tcb": tcb} if tcb else {}
    if rng.random() < 0.3:
        platform = platform_of(profile.TD)
        policy["platform"] = {name: [platform[name]] for name in rng.sample(sorted(platform), rng.choice((1, 3, 7)))}
    if rng.random() < 0.2:
        policy.setdefault("platform", {})["trust_administrator"] = rng.choice((True, True, False))
    if rng.random() < 0.15:
        policy["freshness"] = {"max_age_s": rng.choice((1, 60, 600, 10**6))}
    if rng.random() < 0.1:
        policy["services"] = {"required": [rng.choice(("alibaba", "trustee"))]}
    return policy


def _log(rng: Random, events: list[str], origin: str | None, owned: bool) -> list[str]:
    """The log of one launch, sometimes of two in one boot, whose site chose something odd now and then."""
    site: dict[str, Any] = {"origin": origin or "", "endpoints": [], "admin_access": False}
    site |= {"data_owner": OWNER} if owned else {}
    for name, values in SITE_CHOICES.items():
        if rng.random() < 0.08:
            site[name] = rng.choice(values)
    lines = log_of(events, site if rng.random() < 0.97 else None)
    if rng.random() < 0.1:
        plan = rng.sample(lines[1:-1], rng.randrange(len(lines) - 1))
        lines = [*lines, launch(lines, plan)]
    return lines if rng.random() < 0.95 else lines[:-1]


def fresh(rng: Random) -> Draft:
    """Good evidence of a random kind: version, place of connection, services, what is held."""
    version, body_type = rng.choice(VERSIONS)
    origin = rng.choice((ORIGIN,) * 6 + ("http://localhost:8080", "http://127.0.0.1", "http://chat.example", None))
    size = rng.choice((1, 1, 2, 3, 5, 7, 8, 13))
    place = rng.randrange(size)
    tree = nonces.among(NONCE, size, place)
    tls = {"spki_sha256": SPKI, "key": rng.choice(("drawn",) * 7 + ("given",))} if rng.random() < 0.9 else None
    kept = KEPT if rng.random() < 0.8 else rng.choice(KEPT_ODDLY)
    owned = kept == KEPT or rng.random() < 0.3
    data = runtime_data(origin=origin, nonces=nonces.bound(tree), tls=tls, data=kept)
    connected = {"origin": origin or ORIGIN} | ({"tls_spki_sha256": SPKI} if rng.random() < 0.7 else {})
    events = EVENTS if rng.random() < 0.97 else EVENTS[:-1]  # without what encrypts
    events = [*events, *(OTHERS[name] for name in OTHERS if rng.random() < 0.03)]
    draft = Draft(
        quote=quotes.Plan(version=version, body_type=body_type),
        collateral=collateral.plan(NOW),
        runtime_data=data,
        proof=nonces.proof(place, tree),
        lines=[] if rng.random() < 0.04 else _log(rng, events, origin, owned),
        connected=connected if rng.random() < 0.95 else None,
        genuine=rng.random() < 0.9,
        bare=rng.random() < 0.08,
        policy=_policy(rng) if rng.random() < 0.35 else {},
    )
    if rng.random() < 0.8:
        held = [*EVENTS, *OTHERS.values()]
        draft.references = [{"v": 2, "name": "test", "events": held, "platforms": []}]
        draft.references[0]["rtmr_3"] = rng.choice((None, "00" * 48))
        draft.held_platform = rng.random() < 0.85
        draft.held_root = rng.choice(
            ({"root": "verity"},) * 5 + ({"root": "unmeasured"}, {}, {"root": "hopefully"}, {"more": 1})
        )
    for service in SERVICE_URL:
        if rng.random() < 0.2:
            fault = "warning" if service == "trustee" and rng.random() < 0.15 else None
            draft.tokens.append(TokenPlan(service, rng.choice(("new", "old")), fault))
    return draft


def _tokens(draft: Draft, quote: bytes) -> list[dict[str, str]]:
    made = []
    for plan in draft.tokens:
        url = SERVICE_URL[plan.service]
        arguments: dict[str, Any] = {"origin": url, "now": SECONDS, "shape": plan.shape, "fault": plan.fault}
        whole = quote.ljust(1024, b"\0")  # what the service makes of a truncated quote is of no interest
        token = make_token(plan.service, whole, **arguments, respell=plan.respell, header=plan.header)
        made.append({"service": plan.service, "url": url, "token": token})
    return made


def signed_quote(draft: Draft) -> bytes:
    """The quote, bound to the draft's runtime data and holding its lines in RTMR 3."""
    body = draft.quote.body
    rtmrs = (*body.rtmrs[:3], replay(draft.lines) if draft.lines else body.rtmrs[3])
    report_data = body.report_data if any(body.report_data) else _bound_hash(draft.runtime_data) + bytes(16)
    draft.quote.body = dataclasses.replace(body, rtmrs=rtmrs, report_data=report_data)
    return quotes.assemble(draft.quote)


def question(draft: Draft) -> Question:
    """The draft, signed."""
    quote = signed_quote(draft)
    made = collateral.assemble(draft.collateral)
    references = [dict(document) for document in draft.references]
    platforms = references[0].get("platforms") if references else None
    if draft.held_platform and isinstance(platforms, list):
        named = {"mr_service_td": draft.named_service_td} if draft.named_service_td else {}
        held = platform_of(draft.quote.body) | named | draft.held_root
        references[0]["platforms"] = [held, *platforms]
    asked: Question = {
        "now": draft.now,
        "references": [json.dumps(document) for document in references],
        "policy": draft.policy,
        "services": [
            {"service": plan.service, "url": SERVICE_URL[plan.service], "keys": jwks(plan.service)}
            for plan in draft.tokens
        ],
        "seen": draft.seen,
        "genuine": draft.genuine,
    }
    if draft.bare:
        return asked | {"bare": {"quote": quote.hex(), "collateral": made}}
    log = "\n".join(draft.lines) + "\n" if draft.log is None and draft.lines else draft.log
    evidence = {"quote": quote.hex(), "tee": "tdx", "runtime_data": draft.runtime_data, "event_log": log}
    evidence["proof"] = draft.proof
    bundle = {
        "v": 1,
        "time": draft.time,
        "nonce": draft.nonce,
        "connected": draft.connected,
        "evidence": evidence,
        "collateral": made,
        "service_tokens": _tokens(draft, quote),
    }
    return asked | {"bundle": json.dumps(bundle, separators=(",", ":"))}
