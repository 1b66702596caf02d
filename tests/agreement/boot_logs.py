"""Boot event logs and expected events with something odd in them, for a machine that is not the expected one.

The quote is the same for all: what it holds of the boot is what the simulated machine measured (simulator/boot.py). The
log and the events that reference values expect are changed, each by itself, so that a part of the logs still replays.
"""

from __future__ import annotations

import base64
import json
import struct
from functools import cache
from random import Random
from typing import Any

from quote_verifier.boot_events import name_of
from quote_verifier.boot_log import BootEvent

from simulator import boot
from simulator.plans import collateral
from simulator.plans import quote as quotes
from tests.agreement.draft import Draft, platform_of, question
from tests.agreement.oddities import ODD, odd_document, odd_text
from tests.agreement.questions import Question
from tests.vectors.ground import EVENTS, NOW, ORIGIN, PROOF, SPKI, log_of, runtime_data

Events = list[boot.Event]
#: What both verifiers may say of a register, in parts; a run in `make test` leads to each of them.
EXPLANATIONS = (
    " differs in the order", " differs in ", " lacks ", " in addition", " instead", " more", "the variable ",
    "a variable", "does not replay", "it is cut off", "it is cut off within an event", "it is cut off within a digest",
    "is not text", "does not begin with", "has no SHA-384", "algorithms", "digests, expected", "does not name",
    "extends register", "not base64url", "more than 524288",
)  # fmt: skip
KINDS = (
    0x1, 0x4, 0x6, 0xA, 0xD, 0x80000001, 0x80000002, 0x80000003, 0x80000009, 0x8000000B, 0x800000E0, 0, 0xFFFFFFFF,
)  # fmt: skip
NAMES = (
    "SecureBoot", "Boot0007", "a" * 32, "a" * 33, "", "ä", "\u0130", "a b", "<b>", "\ud800", "x\0",
    "\U0001f600", "\u0661",
)  # fmt: skip
VARIABLES = (0x80000001, 0x80000002, 0x8000000C, 0x800000E0)
DATA = (
    b"", b"ACPI DATA", b"etc/acpi/rsdp\0", b"etc/table-loader", b"x" * 87 + b"ACPI DATA", b"x" * 88 + b"ACPI DATA",
    b"\x09TdxTable\0", b"LOADED_IMAGE::LoadOptions\0", b"Linux initrd\0", b"\xff" * 200, bytes(40),
)  # fmt: skip
WORDS = (
    "the memory map",
    "x",
    "a" * 80,
    "a" * 81,
    "$&",
    "{{field}}",
    "{{next}} $1",
    "é",
    "\n",
    " ",
    "%s {0}",
    "",
    7,
    None,
)


def _variable(rng: Random) -> bytes:
    name = rng.choice(NAMES).encode("utf-16-le", "surrogatepass")
    size = rng.choice((len(name) // 2,) * 6 + (0, 1, 32, 33, 2**32, 2**63, 2**64 - 1))
    whole = bytes(16) + struct.pack("<QQ", size, 0) + name
    return whole if rng.random() < 0.7 else whole[: rng.randrange(16, len(whole))]


def _changed(rng: Random, events: Events) -> Events:
    """Events with one of them left out, twice, elsewhere, or another; what a register holds becomes another."""
    at, other = rng.randrange(len(events)), rng.randrange(len(events))
    kind = rng.randrange(6)
    if kind == 0:
        return events[:at] + events[at + 1 :] or events
    if kind == 1:
        return [*events[:at], events[other], *events[at:]]
    if kind == 2:
        rest = events[:at] + events[at + 1 :]
        return [*rest[:other], events[at], *rest[other:]]
    if kind == 3:
        return [*events, *(boot.Event(0, 0xD, rng.randbytes(48), b"") for _ in range(rng.choice((1, 7, 8, 9, 20))))]
    changed = events[at]._replace(digest=rng.randbytes(48))
    changed = changed if kind == 4 else events[at]._replace(register=rng.randrange(4))
    return [*events[:at], changed, *events[at + 1 :]]


def _renamed(rng: Random, events: Events) -> Events:
    """Events of which one says something else: digests, and so registers, stay."""
    at = rng.randrange(len(events))
    if rng.random() < 0.5:
        renamed = events[at]._replace(kind=rng.choice(VARIABLES), data=_variable(rng))
    else:
        renamed = events[at]._replace(kind=rng.choice(KINDS), data=rng.choice(DATA))
    # EV_NO_ACTION, which extends nothing
    nothing = boot.Event(rng.choice((-1, 0, 3, 4, 77)), 3, rng.randbytes(48), renamed.data)
    return [*events[:at], *rng.choice(([renamed], [renamed], [events[at], nothing])), *events[at + 1 :]]


def _packed(rng: Random, events: Events) -> bytes:
    """A log whose header names some algorithms with their sizes; each event has a digest for each, most of the time."""
    algorithms = rng.choice(ALGORITHMS)
    other = rng.choice((0xC, 0xB)) if rng.random() < 0.1 else None
    content = b"Spec ID Event03\0" + struct.pack("<IBBBBI", 0, 0, 2, 0, 2, len(algorithms))
    content += b"".join(struct.pack("<HH", *one) for one in algorithms) + b"\0"
    out = struct.pack("<II20sI", 0, 3, bytes(20), len(content)) + content
    for event in events:
        out += struct.pack("<III", event.register + 1 & 0xFFFFFFFF, event.kind, len(algorithms))
        for name, size in algorithms:
            out += struct.pack("<H", other or name) + (event.digest + bytes(64))[: size if name != 0xC else 48]
        out += struct.pack("<I", len(event.data)) + event.data
    return out


ALGORITHMS: tuple[list[tuple[int, int]], ...] = ([(0xC, 48)],) * 12 + (
    [(0xB, 32), (0xC, 48)], [(0xC, 48), (0x4, 20), (0xD, 64), (0x12, 32)], [(0xC, 48), (0xC, 48)], [(0xC, 47)],
    [(0xB, 32)], [], [(0xC, 48), (0x99, 8)], [(0xC, 48), (0x4, 20)] * 3,
)  # fmt: skip


def _bytes(rng: Random, log: bytes) -> bytes:
    at, end = rng.randrange(len(log)), rng.choice((0x20, 0x60, len(log), len(log)))
    near = rng.randrange(min(end, len(log)))
    flipped = log[:near] + bytes([log[near] ^ 1 << rng.randrange(8)]) + log[near + 1 :]
    number = log[:near] + struct.pack("<I", rng.choice((0, 1, 4, 5, 0x7FFFFFFF, 0xFFFFFFFF))) + log[near + 4 :]
    tail = rng.choice((bytes(64), b"\xff" * 64, bytes(11), bytes(12), b"\xff" * 12 + log))
    tail = rng.choice((tail, b"\0\0\0\0" + b"\xff" * 8, struct.pack("<III", 1, 5, 1), struct.pack("<III", 0, 5, 0)))
    return rng.choice(
        (log[:near], log[:at], log[:at], log[:-1], flipped, flipped, number, log + tail, log + tail, log[at:])
    )


def _text(rng: Random, log: bytes) -> Any:
    text = base64.urlsafe_b64encode(log).rstrip(b"=").decode()
    if rng.random() < 0.9:
        return text
    spare = text[:-1] + chr(ord(text[-1]) + 1)  # perhaps bits that no byte has
    plain = base64.b64encode(log).decode()
    return rng.choice((odd_text(rng, text), spare, plain, "A" * 700_000, "A" * 700_000, rng.choice(ODD), [text]))


def _log(rng: Random) -> Any:
    events = list(boot.EVENTS)
    for _ in range(rng.choice((0, 1, 3, 8, 20))):
        events = _renamed(rng, events)
    if rng.random() < 0.15:
        events = _changed(rng, events)
    log = _packed(rng, events)
    return _text(rng, _bytes(rng, log) if rng.random() < 0.3 else log)


def _platform(rng: Random, body: Any) -> dict[str, Any]:
    """The platform of a machine that measured other events, which are told for some registers."""
    events = list(boot.EVENTS)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 4, 12))):
        events = _changed(rng, events)
    if rng.random() < 0.4:  # a register of which hardly anything is expected, so that what it holds is named
        number, few = rng.randrange(3), rng.randrange(3)
        mine = [event for event in events if event.register == number]
        kept = rng.sample(mine, min(few, len(mine)))
        events = [event for event in events if event.register != number or event in kept]
    held: dict[str, Any] = {**platform_of(body), "root": "verity"}
    values, told = boot.registers(events), {}
    for number in range(3):
        held[f"rtmr_{number}"] = values[number].hex()
        mine = [event for event in events if event.register == number]
        if mine and rng.random() < 0.8:
            told[f"rtmr_{number}"] = [
                {"type": f"{one.kind:#x}", "sha384": one.digest.hex(), "what": _what(rng, one)} for one in mine
            ]
    if rng.random() < 0.2:
        held["mr_td"] = rng.randbytes(48).hex()
    return held | {"boot_events": odd_document(rng, told) if told and rng.random() < 0.06 else told}


def _what(rng: Random, event: boot.Event) -> Any:
    if rng.random() < 0.6:
        return name_of(BootEvent(*event))
    good = ("the same", f"type {event.kind:#x}", *WORDS[:3], *WORDS[4:7])
    return rng.choice(WORDS if rng.random() < 0.002 else good)


@cache
def _ground() -> tuple[dict[str, Any], Any]:
    """A good question, and the body of its quote."""
    draft = Draft(
        quote=quotes.Plan(),
        collateral=collateral.plan(NOW),
        runtime_data=runtime_data(),
        proof=PROOF,
        lines=log_of(EVENTS),
        connected={"origin": ORIGIN, "tls_spki_sha256": SPKI},
        references=[{"v": 2, "name": "test", "events": EVENTS}],
    )
    return question(draft), draft.quote.body


def make(rng: Random) -> tuple[Question, tuple[str, ...]]:
    """A question; where `platform.match` fails, what explains it has to be the same word for word."""
    asked, body = dict(_ground()[0]), _ground()[1]
    bundle = json.loads(asked["bundle"])
    bundle["evidence"]["boot_log"] = _log(rng)
    held = [_platform(rng, body) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    document = json.loads(asked["references"][0]) | {"platforms": held}
    asked |= {"bundle": json.dumps(bundle, separators=(",", ":")), "references": [json.dumps(document)]}
    return asked | {"word_for_word": "platform.match"}, ("boot log",)
