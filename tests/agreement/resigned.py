"""Structural changes: made before the simulator signs, so that what they lead to is judged on its merits.

Every function changes a draft in one way. `BEFORE_SIGNING` lists them with how often each is drawn.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import rfc8785

from simulator import pki, profile
from simulator.faults import chain as chain_faults
from simulator.faults import collateral as collateral_faults
from simulator.faults import quote as quote_faults
from simulator.plans.collateral import TCB_STATUSES, Crl, Signed
from tests.agreement import certificates
from tests.agreement.draft import Draft
from tests.agreement.oddities import odd_document, odd_json, odd_spelling, odd_text, odd_value
from tests.standins.tokens import FAULTS as TOKEN_FAULTS
from tests.vectors import nonces
from tests.vectors.ground import EVENTS, INIT, NOW, OTHERS, event, launch

ORIGINS = (
    "https://chat.example:443",
    "https://chat.example:8443",
    "https://Chat.example",
    "https://chat.example.",
    "https://chat.example/",
    "https://user@chat.example",
    "https://chät.example",
    "https://xn--cht-qla.example",
    "http://[::1]",
    "http://[0:0:0:0:0:0:0:1]:8080",
    "http://[::ffff:127.0.0.1]",
    "http://127.1",
    "http://127.000.000.001",
    "http://127.0.0.1:80",
    "http://localhost.",
    "http://a.localhost:08080",
    "http://0.0.0.0",
    "https://chat.example?x",
    "https://chat.example#x",
    "https://chat.example:0",
    "https://chat.example:65536",
    "ftp://chat.example",
    "null",
    "",
)
TIMES = (
    "2025-07-01T12:00:00Z",
    "2025-07-01T12:00:00+00:00",
    "2025-07-01T12:00:00.5Z",
    "2025-07-01T12:00:00.123456789Z",
    "2025-07-01T12:00:00.1234567890Z",
    "2025-07-01T12:00:00",
    "2025-07-01 12:00:00Z",
    "2025-07-01T12:00:00z",
    "2025-07-01T12:00:60Z",
    "2025-07-01T24:00:00Z",
    "2025-06-31T12:00:00Z",
    "2025-7-1T12:00:00Z",
    "+002025-07-01T12:00:00Z",
    "2025-07-01T12:00:00-00:00",
    "2025-07-01T11:50:00Z",
    "2025-07-01T11:49:59.999Z",
    "2025-07-01T12:01:00Z",
    "2025-07-01T12:01:00.999Z",
    "2025-07-01T12:01:01Z",
    "0001-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "1969-12-31T23:59:59Z",
)


# --- the quote -------------------------------------------------------------------------------------------------------
def quote_fault(draft: Draft, rng: Random) -> None:
    known = [fault for fault in quote_faults.FAULTS.values() if draft.quote.version in fault.versions]
    rng.choice(known).apply(draft.quote)


def _flipped(rng: Random, value: bytes) -> bytes:
    changed = bytearray(value)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def body_field(draft: Draft, rng: Random) -> None:
    """Any field of the TD report."""
    name = rng.choice([field.name for field in dataclasses.fields(profile.TdBody)])
    body = draft.quote.body
    if name == "rtmrs":
        registers = list(body.rtmrs)
        registers[rng.randrange(4)] = rng.choice((bytes(48), b"\xff" * 48))
        draft.quote.body = dataclasses.replace(body, rtmrs=(registers[0], registers[1], registers[2], registers[3]))
        return
    value = getattr(body, name)
    changed = rng.choice((_flipped(rng, value), bytes(len(value)), b"\xff" * len(value)))
    draft.quote.body = dataclasses.replace(body, **{name: changed})  # type: ignore[arg-type]


def attributes(draft: Draft, rng: Random) -> None:
    """One bit of the TD's attributes."""
    bits = int.from_bytes(draft.quote.body.td_attributes, "little") ^ (1 << rng.randrange(64))
    draft.quote.body = dataclasses.replace(draft.quote.body, td_attributes=bits.to_bytes(8, "little"))


def let_in(draft: Draft, rng: Random) -> None:
    """What lets somebody outside into the TD: a service TD, migration. And a relying party that accepts it, or not."""
    bound, other = b"\x38" * 48, b"\x39" * 48
    changes: dict[str, Any] = {}
    if rng.random() < 0.7:
        changes["mr_service_td"] = bound
    if rng.random() < 0.4:
        changes["td_attributes"] = (1 << 28 | 1 << 29).to_bytes(8, "little")
    draft.quote.body = dataclasses.replace(draft.quote.body, **changes)
    held = draft.policy.get("platform")
    platform: dict[str, Any] = dict(held) if isinstance(held, dict) else {}
    if rng.random() < 0.5:
        platform["mr_service_td"] = [value.hex() for value in rng.choice(((bound,), (other,), (other, bound)))]
    if rng.random() < 0.5:
        platform["allow_migration"] = rng.random() < 0.8
    draft.policy = {**draft.policy, "platform": platform}
    draft.named_service_td = rng.choice(("", "", bound.hex(), bound.hex(), other.hex()))


def security_versions(draft: Draft, rng: Random) -> None:
    """The module's and the CPU's security versions, around the levels that the collateral lists."""
    changes: dict[str, Any] = {}
    for name in rng.choice((("tee_tcb_svn",), ("tee_tcb_svn2",), ("tee_tcb_svn", "tee_tcb_svn2"))):
        svn = bytearray(getattr(draft.quote.body, name))
        svn[rng.choice((0, 1, 2, 2, 3, 15))] = rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 255))
        changes[name] = bytes(svn)
    draft.quote.body = dataclasses.replace(draft.quote.body, **changes)


def quoting_enclave(draft: Draft, rng: Random) -> None:
    """The QE's report and authentication data."""
    plan = draft.quote
    kind = rng.randrange(6)
    if kind == 0:
        plan.qe_isv_svn = rng.choice((0, 3, 4, 5, 6, 7, 65535))
    elif kind == 1:
        plan.qe_attributes = _flipped(rng, plan.qe_attributes)
    elif kind == 2:
        plan.qe_auth_data = bytes(range(rng.choice((0, 1, 31, 32, 33, 64, 255))))
    elif kind == 3:
        plan.qe_isv_prod_id = rng.choice((0, 1, 2, 3))
    elif kind == 4:
        plan.qe_report_data = rng.randbytes(64)
    else:
        plan.outer_type, plan.inner_type = rng.randrange(8), rng.choice((1, 4, 5, 5, 5, 6))


# --- certificates ----------------------------------------------------------------------------------------------------
def leaf(draft: Draft, rng: Random) -> None:
    """A PCK certificate with other security versions, names, dates or extensions."""
    changes = certificates.odd_leaf(rng)
    names = ("platform-ca", "root") if rng.random() < 0.9 else ("platform-ca",)
    chain = pki.pem_chain(chain_faults.pck_leaf(**changes), *(pki.certificate(name) for name in names)) + "\0"
    draft.quote.chain = lambda: chain


def chain(draft: Draft, rng: Random) -> None:
    """The quote's chain in another order, with too much or too little, or as another text."""
    text = certificates.odd_chain(rng, ("pck", "platform-ca", "root"))
    draft.quote.chain = lambda: text


def edited_leaf(draft: Draft, rng: Random) -> None:
    """A byte of the PCK certificate changed, and signed anew."""
    text = certificates.edited_chain(rng, "pck", "platform-ca", ("platform-ca", "root")) + "\0"
    draft.quote.chain = lambda: text


def issuer_chain(draft: Draft, rng: Random) -> None:
    """A chain of the collateral in another order, with too much or too little, or with an edited certificate."""
    edit = rng.random() < 0.4
    if rng.random() < 0.4:
        names: tuple[str, ...] = ("platform-ca", "root")
        edited = certificates.edited_chain(rng, "platform-ca", "root", ("root",)) if edit else None
        draft.collateral.pck_crl_chain = edited or certificates.odd_chain(rng, names)
        return
    part = rng.choice((draft.collateral.tcb_info, draft.collateral.qe_identity))
    edited = certificates.edited_chain(rng, "tcb-signing", "root", ("root",)) if edit else None
    part.chain = edited or certificates.odd_chain(rng, ("tcb-signing", "root"))


# --- collateral ------------------------------------------------------------------------------------------------------
def collateral_fault(draft: Draft, rng: Random) -> None:
    rng.choice(list(collateral_faults.FAULTS.values())).apply(draft.collateral)


def signed_document(draft: Draft, rng: Random) -> None:
    """TCB info or QE identity with another value, member, order or spelling."""
    part: Signed = rng.choice((draft.collateral.tcb_info, draft.collateral.tcb_info, draft.collateral.qe_identity))
    before, seed = part.spell, rng.random()

    def spell(text: str) -> str:
        return odd_json(Random(seed), before(text) if before else text)

    part.spell = spell


def levels(draft: Draft, rng: Random) -> None:
    """TCB levels with other numbers, statuses and orders."""
    values: dict[str, Any] = rng.choice((draft.collateral.tcb_info, draft.collateral.qe_identity)).values
    modules = values.get("tdxModuleIdentities")
    owner = rng.choice(modules) if isinstance(modules, list) and modules and rng.random() < 0.4 else values
    found = owner.get("tcbLevels") if isinstance(owner, dict) else None
    if not isinstance(found, list) or not found:
        return
    kind, level = rng.randrange(5), rng.choice(found)
    if kind == 0:
        owner["tcbLevels"] = rng.choice((found[::-1], found[:1], found[1:], [*found, *found], []))
    elif kind == 1:
        level["tcbStatus"] = rng.choice((*TCB_STATUSES, "uptodate", "Unknown", ""))
    elif kind == 2:
        level["advisoryIDs"] = rng.choice(([], ["INTEL-SA-00837"], ["x"], ["INTEL-SA-00960"] * 2))
    elif kind == 3:
        level["tcbDate"] = rng.choice(TIMES)
    else:
        _odd_numbers(level["tcb"], rng)


def _odd_numbers(tcb: dict[str, Any], rng: Random) -> None:
    name = rng.choice(sorted(tcb))
    if isinstance(tcb[name], list):
        item = rng.choice(tcb[name]) if tcb[name] else {}
        item["svn"] = rng.choice((0, 1, 2, 3, 4, 5, 255, 256))
        if rng.random() < 0.2:
            tcb[name] = tcb[name][: rng.randrange(16)]
    else:
        tcb[name] = rng.choice((0, 1, 3, 4, 5, 6, 7, 12, 13, 14, 65535, 65536))


def numbers(draft: Draft, rng: Random) -> None:
    """Evaluation data numbers and CRL numbers, against what was seen before."""
    made = draft.collateral
    for part in (made.tcb_info, made.qe_identity):
        if rng.random() < 0.5:
            part.values["tcbEvaluationDataNumber"] = rng.choice((0, 1, 16, 17, 18, 2**31, 2**32, 2**53 - 1))
    for crl in (made.root_crl, made.pck_crl):
        if rng.random() < 0.5:
            crl.number = rng.choice((0, 1, 2, 3, 127, 128, 2**31, 2**53 - 1, 2**53, 2**64, 2**120))
    draft.seen = {
        name: rng.choice((0, 1, 2, 3, 16, 17, 18))
        for name in ("tcb_evaluation_data_number", "root_ca_crl_number", "pck_crl_number")
    }


def _around_now(rng: Random) -> dt.datetime:
    return NOW + dt.timedelta(seconds=rng.choice((-86400, -61, -60, -1, 0, 1, 60, 61, 86400)))


def dates(draft: Draft, rng: Random) -> None:
    """Dates of the collateral at, just before and just after the time of judgement."""
    part: Signed | Crl = rng.choice(draft.collateral.parts)
    if rng.random() < 0.5:
        part.issued = _around_now(rng)
    else:
        part.expires = _around_now(rng)
    if isinstance(part, Crl) and part.expires <= part.issued:
        part.issued = part.expires - dt.timedelta(days=1)


def date_texts(draft: Draft, rng: Random) -> None:
    """Dates of the signed documents in other spellings."""
    part = rng.choice((draft.collateral.tcb_info, draft.collateral.qe_identity))
    part.values[rng.choice(("issueDate", "nextUpdate"))] = rng.choice(TIMES)


def revocation_list(draft: Draft, rng: Random) -> None:
    """A CRL that revokes, is signed by another, or has one byte changed and is signed anew."""
    crl = rng.choice((draft.collateral.root_crl, draft.collateral.pck_crl))
    kind = rng.randrange(3)
    if kind == 0:
        crl.revoked += [pki.certificate(rng.choice(pki.CERTIFICATES)).serial_number]
    elif kind == 1:
        crl.signer = rng.choice(("root", "platform-ca", "pck", "forger"))
    else:
        crl.garbage = certificates.edited_der(rng, crl.der(), crl.signer)


# --- what is bound and measured --------------------------------------------------------------------------------------
def runtime(draft: Draft, rng: Random) -> None:
    """Runtime data with something odd, and a quote that is bound to it."""
    draft.runtime_data = odd_document(rng, draft.runtime_data)


def origin(draft: Draft, rng: Random) -> None:
    """Where the client was connected, and which origin is bound."""
    name = rng.choice(ORIGINS)
    if rng.random() < 0.7:
        draft.connected = {**(draft.connected or {}), "origin": name}
    if rng.random() < 0.6 and isinstance(draft.runtime_data, dict):
        draft.runtime_data = {**draft.runtime_data, "origin": name}


def time(draft: Draft, rng: Random) -> None:
    """When the evidence was made."""
    draft.time = rng.choice(TIMES)


def log(draft: Draft, rng: Random) -> None:
    """Events dropped, repeated, reordered, unknown or odd, all of them measured."""
    lines = list(draft.lines) or [INIT]
    at = rng.randrange(len(lines))
    kind = rng.randrange(8)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(at, rng.choice((*lines, *OTHERS.values())))
    elif kind == 2:
        rng.shuffle(lines)
    elif kind == 3:
        lines[at] = odd_text(rng, lines[at])
    elif kind == 4:
        lines.append(rng.choice(("", " ", "a b", "a  b", "open-webui-tdx release", "open-webui-tdx  release {}")))
    else:
        domain, operation, content = (*lines[-1].split(" ", 2), "", "")[:3]
        lines[-1] = f"{domain} {operation} {_odd_content(rng, content)}"
    draft.lines = [line for line in lines if "\n" not in line]


def _odd_content(rng: Random, content: str) -> str:
    if rng.random() < 0.4:
        return odd_spelling(rng, content)
    try:
        return rfc8785.dumps(odd_document(rng, json.loads(content))).decode()
    except (rfc8785.CanonicalizationError, UnicodeError, json.JSONDecodeError):
        return odd_text(rng, content)


def known_events(draft: Draft, rng: Random) -> None:
    """Events that are at best a warning, or references that do not know what was measured."""
    lines = [*(draft.lines or [INIT]), rng.choice([*OTHERS.values(), event("surprise", {})])]
    in_force = [line for line in lines[1:] if not line.startswith("open-webui-tdx launch ")]
    draft.lines = [*lines, launch(lines, in_force)] if rng.random() < 0.8 else lines
    if draft.references and rng.random() < 0.5:
        draft.references[0]["events"] = rng.choice((EVENTS, [*EVENTS, event("release", {"sha384": "0" * 96})], []))


def references(draft: Draft, rng: Random) -> None:
    """Reference values with something odd in them."""
    if draft.references:
        draft.references[0] = odd_document(rng, draft.references[0])
    draft.references = [item for item in draft.references if isinstance(item, dict)]


def unmeasured(draft: Draft, rng: Random) -> None:
    """No log, and a register that is empty or not."""
    draft.lines = []
    draft.log = rng.choice((None, "", 0, "\n", INIT + "\n"))


# --- services --------------------------------------------------------------------------------------------------------
def token(draft: Draft, rng: Random) -> None:
    """A service's token: a named fault, or another payload or header, properly signed."""
    if not draft.tokens:
        return
    plan = rng.choice(draft.tokens)
    kind, seed = rng.randrange(4), rng.random()
    if kind == 0:
        plan.fault = rng.choice(list(TOKEN_FAULTS))
    elif kind == 1:
        plan.header = odd_document(rng, {"typ": "JWT", "alg": "ES256" if plan.service == "trustee" else "RS256"})
    else:
        plan.respell = lambda text: _odd_payload(Random(seed), text)


def _odd_payload(rng: Random, text: str) -> str:
    payload = json.loads(text) if rng.random() < 0.6 else None
    if isinstance(payload, dict) and isinstance(payload.get("tcb-status"), str):
        return json.dumps(payload | {"tcb-status": odd_json(rng, payload["tcb-status"])})
    return odd_json(rng, text)


def policy(draft: Draft, rng: Random) -> None:
    """A policy with something odd in it."""
    changed = odd_document(rng, draft.policy or {"v": 1, "tcb": {"accepted_statuses": ["OutOfDate"]}})
    draft.policy = changed if isinstance(changed, dict) else {}


def odd_nonce(draft: Draft, rng: Random) -> None:
    """Another nonce in the bundle, or the evidence for an odd one."""
    draft.nonce = odd_value(rng, draft.nonce)
    if rng.random() < 0.7 and isinstance(draft.nonce, str) and isinstance(draft.runtime_data, dict):
        with suppress(ValueError):  # what is no base64 has no leaf
            tree, draft.proof = nonces.alone(draft.nonce)
            draft.runtime_data = {**draft.runtime_data, "nonces": tree}


def odd_proof(draft: Draft, rng: Random) -> None:
    """A proof with something odd, or with the tree's size changed in both places."""
    if rng.random() < 0.8:
        draft.proof = odd_document(rng, draft.proof)
    elif isinstance(draft.proof, dict) and isinstance(draft.runtime_data, dict):
        size = rng.choice((0, 1, 2, 4, 9, 64, 65536, 65537))
        bound = draft.runtime_data.get("nonces")
        draft.runtime_data = {
            **draft.runtime_data,
            "nonces": {**(bound if isinstance(bound, dict) else {}), "size": size},
        }
        draft.proof = {**draft.proof, "size": size}


def later_members(draft: Draft, rng: Random) -> None:
    """Members that later parts of the release bind, good or odd."""
    if isinstance(draft.runtime_data, dict):
        key = nonces.b64(bytes(32))
        data = {"state": rng.choice(("plain", "encrypted")), "owner": key, "generation": rng.randrange(9)}
        later = {"channel": "AQID", "unlock": key, "data": data, "gpu_evidence": "ab" * 48, "newer": 1}
        some = {name: later[name] for name in rng.sample(sorted(later), rng.randrange(1, 6))}
        draft.runtime_data = {**draft.runtime_data, **(some if rng.random() < 0.4 else odd_document(rng, some))}


Change = Callable[[Draft, Random], None]
BEFORE_SIGNING: dict[Change, int] = {
    quote_fault: 8,
    body_field: 5,
    attributes: 4,
    let_in: 6,
    security_versions: 6,
    quoting_enclave: 4,
    leaf: 5,
    chain: 5,
    edited_leaf: 2,
    issuer_chain: 5,
    collateral_fault: 8,
    signed_document: 10,
    levels: 8,
    numbers: 5,
    dates: 5,
    date_texts: 4,
    revocation_list: 4,
    runtime: 6,
    origin: 6,
    time: 4,
    log: 8,
    known_events: 4,
    references: 5,
    unmeasured: 3,
    token: 8,
    policy: 4,
    odd_nonce: 4,
    odd_proof: 6,
    later_members: 4,
}
