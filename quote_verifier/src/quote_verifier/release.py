"""`release.match`: are the events of the measured launch those that the relying party knows to be good?

Exact lines are compared with reference values, what a site chose by rule (`site.py`). Every line counts until the next
boot, also of an earlier launch: what ran then may have left something behind.
"""

import json
from collections.abc import Iterator
from typing import Any

from .errors import Malformed
from .eventlog import DOMAIN, EXACT, LAUNCH, REQUIRED, SITE, WARNINGS, Event, launches
from .references import References
from .site import judge
from .strictjson import load_object
from .verdict import Check

SHOWN = 200  # characters of one value in a detail
# These belong together: one document of reference values must know all of them.
TOGETHER = ("release", "python", "settings")

Events = tuple[Event, ...]


def check_release(events: Events, references: References, bound: dict[str, Any]) -> Check:
    """`release.match`: every measured event is known; the launch's main parts were measured, and belong together.

    `bound`: the quote's runtime data, as far as it was proven; its `release` and `origin` must be those of the launch.
    """
    if not references.events:
        measured = next((event.content.get("sha384") for event in events if event.operation == "release"), "nothing")
        return Check("release.match", "warn", f"No reference values for the release are held; it measured {measured}")
    fault = next(_faults(events, references, bound), None)
    if fault:
        return Check("release.match", "fail", fault)
    doubts = list(dict.fromkeys(_doubts(events)))
    if doubts:
        return Check("release.match", "warn", f"All {len(events)} events are known, but {'; '.join(doubts)}")
    return Check("release.match", "pass", f"All {len(events)} measured events equal the reference values")


def _faults(events: Events, references: References, bound: dict[str, Any]) -> Iterator[str]:
    """What makes the launch another one than expected, the most telling first."""
    for event in events:
        if event.operation in EXACT and event.line not in references.events:
            yield _unknown(event, references)
    if not events or events[-1].operation != LAUNCH:
        yield "the log does not end with a launch: what is in force now is not known"
        return
    in_force = launches(events)[-1]
    yield from _incomplete(in_force)
    lines = {event.line for event in in_force if event.operation in TOGETHER}
    if not any(lines <= document for document in references.documents):
        yield f"no document of reference values knows this {', '.join(TOGETHER)} together"
    yield from _unbound(in_force, bound)
    try:
        for event in events:
            if event.operation == SITE:
                judge(event.content)
    except Malformed as error:
        yield str(error)


def _incomplete(in_force: Events) -> Iterator[str]:
    measured = [event.operation for event in in_force]
    missing = [name for name in REQUIRED if name not in measured]
    if missing:
        yield f"the launch did not measure: {', '.join(missing)}"
    twice = [name for name in REQUIRED if measured.count(name) > 1]
    if twice:
        yield f"the launch measured more than one {', '.join(twice)}"


def _unbound(in_force: Events, bound: dict[str, Any]) -> Iterator[str]:
    for name, operation, member in (("release", "release", "sha384"), ("origin", SITE, "origin")):
        measured = next(event.content.get(member) for event in in_force if event.operation == operation)
        attested = bound.get(name)
        if attested is not None and attested != measured:
            yield f"the attester's {name} is {attested}, the launch measured {measured}"


def _doubts(events: Events) -> Iterator[str]:
    operations = {event.operation for event in events}
    yield from (sentence for name, sentence in WARNINGS.items() if name in operations)
    for event in events:
        if event.operation == SITE:
            yield from judge(event.content)
    *earlier, last = launches(events)
    now = {event.line for event in last}
    before = {event.operation for launch in earlier for event in launch if event.line not in now}
    changed = [name for name in TOGETHER if name in before]
    if changed:
        yield f"an earlier launch of this boot ran with another {', '.join(changed)}"


def _unknown(event: Event, references: References) -> str:
    """Which component differs, and in what: the members that differ from the closest reference of the same kind."""
    prefix = f"{DOMAIN} {event.operation} "
    held = [_content(line.removeprefix(prefix)) for line in references.events if line.startswith(prefix)]
    differences = [_differences(event.content, expected) for expected in held]
    closest = min((found for found in differences if found), key=lambda found: (len(found), found), default=[])
    if not closest:
        return f"{event.operation} is {event.line.removeprefix(prefix)[:SHOWN]}, expected no such event"
    return f"{event.operation} differs: {'; '.join(closest[:8])}"


def _content(text: str) -> dict[str, Any]:
    try:
        return load_object(text, "a reference value")
    except Malformed:
        return {}


def _differences(actual: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    def show(members: dict[str, Any], key: str) -> str:
        return json.dumps(members[key], ensure_ascii=False)[:SHOWN] if key in members else "nothing"

    keys = sorted(key for key in {*actual, *expected} if show(actual, key) != show(expected, key))
    return [f"{key[:64]} is {show(actual, key)}, expected {show(expected, key)}" for key in keys]
