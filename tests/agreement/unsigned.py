"""Changes made after everything was signed: to the texts that an attacker, or a person's own hand, can change.

Every function changes a question in one way. `AFTER_SIGNING` lists them with how often each is drawn.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any

from simulator.collateral import collateral
from simulator.faults import collateral as collateral_faults
from tests.agreement.certificates import odd_pem
from tests.agreement.oddities import odd_document, odd_json, odd_spelling, odd_text
from tests.agreement.questions import Question
from tests.agreement.resigned import ORIGINS, TIMES
from tests.vectors.ground import NOW, OTHERS


def _bundle(question: Question) -> dict[str, Any] | None:
    """The bundle where its text is still one: an earlier change may have broken it."""
    try:
        value = json.loads(question.get("bundle", ""))
    except (ValueError, RecursionError):
        return None
    good = isinstance(value, dict) and isinstance(value.get("evidence"), dict)
    return value if good and isinstance(value.get("collateral"), dict) else None


def _write(question: Question, bundle: Any) -> None:
    question["bundle"] = json.dumps(bundle, separators=(",", ":"))


def _in_evidence(question: Question, name: str, change: Callable[[str], Any]) -> None:
    bundle = _bundle(question)
    if bundle and isinstance(bundle["evidence"].get(name), str):
        bundle["evidence"][name] = change(bundle["evidence"][name])
        _write(question, bundle)


def _in_collateral(question: Question, change: Callable[[dict[str, Any]], None]) -> None:
    bundle = _bundle(question)
    if question.get("bare"):
        question["bare"] = {**question["bare"], "collateral": dict(question["bare"]["collateral"])}
        change(question["bare"]["collateral"])
    elif bundle:
        change(bundle["collateral"])
        _write(question, bundle)


# --- the quote -------------------------------------------------------------------------------------------------------
def _spliced(rng: Random, quote: bytes) -> bytes:
    at, removed = rng.randrange(len(quote) + 1), rng.choice((0, 1, 2, 4, 48, 64))
    return quote[:at] + rng.randbytes(rng.choice((0, 1, 2, 4, 48))) + quote[at + removed :]


def _with_byte(rng: Random, quote: bytes, places: range) -> bytes:
    changed, at = bytearray(quote), rng.choice(places)
    changed[at] = rng.choice((changed[at] ^ 1 << rng.randrange(8), 0, 0xFF, changed[at] + 1 & 0xFF))
    return bytes(changed)


def _odd_quote(rng: Random, text: str) -> str:
    try:
        quote = bytes.fromhex(text)
    except ValueError:
        return odd_text(rng, text)
    if not quote or rng.random() < 0.1:
        return odd_text(rng, text)
    places = rng.choice((range(len(quote)), range(min(700, len(quote))), range(min(60, len(quote)))))
    tail = range(min(630, len(quote) - 1), min(1300, len(quote)))
    return rng.choice((_spliced(rng, quote), *(_with_byte(rng, quote, part) for part in (places, places, tail)))).hex()


def quote(question: Question, rng: Random) -> None:
    if question.get("bare"):
        changed = _odd_quote(rng, question["bare"]["quote"])
        if len(changed) % 2 == 0 and not set(changed) - set("0123456789abcdef"):
            question["bare"] = {**question["bare"], "quote": changed}
    else:
        _in_evidence(question, "quote", lambda text: _odd_quote(rng, text))


# --- the bundle ------------------------------------------------------------------------------------------------------
def member(question: Question, rng: Random) -> None:
    """Any member of the bundle, at any depth."""
    bundle = _bundle(question)
    if bundle:
        _write(question, odd_document(rng, bundle))


def near_member(question: Question, rng: Random) -> None:
    """A member near the top: most of a bundle's paths lie in its collateral."""
    bundle = _bundle(question)
    if bundle:
        few = {key: value for key, value in bundle.items() if key != "collateral"}
        changed = odd_document(rng, few)
        _write(question, {**changed, "collateral": bundle["collateral"]})


def text(question: Question, rng: Random) -> None:
    """The bundle's text."""
    if "bundle" in question:
        question["bundle"] = odd_spelling(rng, question["bundle"])


def log(question: Question, rng: Random) -> None:
    def change(value: str) -> str:
        lines = value.split("\n")
        at = rng.randrange(len(lines))
        other = lines[at:] + lines[:at]
        return rng.choice(
            (
                odd_text(rng, value),
                "\n".join(lines[:at] + lines[at + 1 :]),
                "\n".join(lines[: at + 1] + lines[at:]),
                "\n".join(other),
                "\n".join([*lines[:at], rng.choice(list(OTHERS.values())), *lines[at:]]),
                value.replace("\n", "\r\n"),
            )
        )

    _in_evidence(question, "event_log", change)


def when(question: Question, rng: Random) -> None:
    bundle = _bundle(question)
    if bundle:
        bundle["time"] = rng.choice(TIMES)
        _write(question, bundle)


def now(question: Question, rng: Random) -> None:
    """The time of judgement, near what it depends on."""
    at = datetime.fromisoformat(question["now"])
    seconds = rng.choice((-(2**31), -86400 * 30, -86401, -86400, -86399, -61, -60, -1, 1, 599, 600, 601, 86400 * 30))
    moment = (at + timedelta(seconds=seconds)).astimezone(UTC)
    question["now"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def connection(question: Question, rng: Random) -> None:
    bundle = _bundle(question)
    if bundle:
        bundle["connected"] = {"origin": rng.choice(ORIGINS)} | (
            bundle.get("connected") or {} if rng.random() < 0.3 else {}
        )
        _write(question, bundle)


# --- collateral ------------------------------------------------------------------------------------------------------
@cache
def _other(fault: str) -> dict[str, str]:
    return collateral(NOW, fault=fault)


def collateral_member(question: Question, rng: Random) -> None:
    """A member of the collateral swapped for another's, another collateral's, or an odd one."""

    def change(members: dict[str, Any]) -> None:
        name = rng.choice(sorted(members))
        value = members[name] if isinstance(members[name], str) else ""
        members[name] = rng.choice(
            (
                members[rng.choice(sorted(members))],
                _other(rng.choice(sorted(collateral_faults.FAULTS))).get(name, ""),
                odd_text(rng, value),
                value.upper(),
            )
        )

    _in_collateral(question, change)


def pem(question: Question, rng: Random) -> None:
    """The spelling of an issuer chain."""

    def change(members: dict[str, Any]) -> None:
        name = rng.choice(("pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain"))
        if isinstance(members.get(name), str):
            members[name] = odd_pem(rng, members[name])

    _in_collateral(question, change)


def further_member(question: Question, rng: Random) -> None:
    """A member that the collateral need not have."""
    name = rng.choice(("pck_certificate_chain", "version", "", "__proto__", "tcb_info "))
    _in_collateral(question, lambda members: members.update({name: rng.choice(("", "x", None, members["pck_crl"]))}))


# --- what the relying party holds ------------------------------------------------------------------------------------
def references(question: Question, rng: Random) -> None:
    held = question["references"]
    if held:
        at = rng.randrange(len(held))
        question["references"] = [*held[:at], odd_json(rng, held[at]), *held[at + 1 :]]


def policy(question: Question, rng: Random) -> None:
    full = {"v": 1, "tcb": {"accepted_statuses": ["OutOfDate"], "min_pce_svn": 13}, "freshness": {"max_age_s": 600}}
    question["policy"] = odd_document(rng, question["policy"] or full)
    if not isinstance(question["policy"], dict):
        question["policy"] = {"v": question["policy"]}


def token(question: Question, rng: Random) -> None:
    bundle = _bundle(question)
    tokens = bundle.get("service_tokens") if bundle else None
    if isinstance(tokens, list) and tokens:
        changed = odd_document(rng, tokens)
        again = rng.choice((tokens * 2, tokens[::-1], [*tokens, {"service": "x", "url": "", "token": ""}]))
        _write(question, {**(bundle or {}), "service_tokens": rng.choice((changed, changed, again))})


Change = Callable[[Question, Random], None]
AFTER_SIGNING: dict[Change, int] = {
    quote: 14,
    member: 4,
    near_member: 12,
    text: 12,
    log: 6,
    when: 4,
    now: 6,
    connection: 5,
    collateral_member: 10,
    pem: 6,
    further_member: 2,
    references: 8,
    policy: 4,
    token: 5,
}
