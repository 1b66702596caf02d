"""Cases about the event log and the reference values."""

import hashlib
from typing import Any

from tests.vectors.ground import (
    EVENTS,
    GOOD,
    INIT,
    OTHERS,
    OVERALL,
    REFERENCES,
    RELEASE,
    SITE,
    bundle,
    case,
    digest,
    event,
    launch,
    log_of,
    platform_of,
    quote_for,
    runtime_data,
)

REPLAY_FAILED = {"eventlog.replay": "fail", "release.match": "fail", "data.protected": "fail"}
TRUST = {"v": 1, "platform": {"trust_administrator": True}}


def _without_root(platform: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in platform.items() if key != "root"}


def log_cases() -> None:
    _altered()
    _extended_lines()
    _odd_launches()
    _unmeasured()


def _altered() -> None:
    """What was extended is good; what is told of it is not."""

    def text(name: str, about: str, value: Any) -> None:
        case(f"log-{name}", about, "not-genuine", REPLAY_FAILED, bundle("good", evidence_event_log=value))

    lines = log_of(EVENTS)
    text("reordered", "Two events swapped", "\n".join([*lines[:3], lines[4], lines[3], *lines[5:]]) + "\n")
    text("dropped", "One event dropped", "\n".join(lines[:-1]) + "\n")
    text("duplicated", "One event twice", "\n".join([*lines, lines[-1]]) + "\n")
    text("changed", "One event changed", "\n".join(lines).replace("3.11.7", "3.11.8") + "\n")
    text("crlf", "Other line ends", "\r\n".join(lines) + "\r\n")
    text("blank-line", "An empty line at the end", "\n".join(lines) + "\n\n")
    text("no-init", "No INIT line", "\n".join(lines[1:]) + "\n")
    text("number", "Not a text", 7)
    case("log-missing", "A log withheld", "not-genuine", REPLAY_FAILED, bundle("good", evidence_event_log=None))
    case(
        "log-empty",
        "An empty log, but the register is not zero",
        "not-genuine",
        REPLAY_FAILED,
        bundle("good", evidence_event_log=""),
    )
    case(
        "log-without-last-break",
        "The last line break may lack",
        "verified",
        {},
        bundle("good", evidence_event_log="\n".join(lines)),
    )


def _extended(name: str, about: str, changed: list[str], overall: str, statuses: dict[str, str], **held: Any) -> None:
    quote = quote_for(runtime_data(), changed)
    given = bundle(f"log-{name}", quote=quote, evidence_event_log="\n".join(changed) + "\n")
    case(f"log-{name}", about, overall, statuses, given, **held)


def _extended_lines() -> None:
    _extended(
        "init-not-zero",
        "An INIT line that claims an earlier register",
        ["INIT sha384/" + "1" * 96, *log_of(EVENTS)[1:]],
        "not-genuine",
        REPLAY_FAILED,
    )
    for name, line in (
        ("unknown-domain", "elsewhere release {}"),
        ("not-json", "open-webui-tdx model x"),
        ("not-canonical", 'open-webui-tdx model {"name": "x"}'),
        ("two-parts", "open-webui-tdx model"),
        ("duplicate-key", 'open-webui-tdx model {"a":1,"a":1}'),
    ):
        held = {"references": [REFERENCES | {"events": [*EVENTS, line]}]}
        _extended(
            name,
            "An extended event that is unknown or malformed, though held",
            log_of([*EVENTS, line]),
            "not-genuine",
            REPLAY_FAILED,
            **held,
        )
    _extended(
        "unknown-operation",
        "An operation that is newer than this verifier: never a pass, never a forgery",
        log_of([*EVENTS, event("surprise", {})]),
        "incomplete",
        {"eventlog.replay": "warn"},
    )


def _odd_launches() -> None:
    lines = log_of(EVENTS)
    plan = hashlib.sha384("".join(f"{line}\n" for line in EVENTS[:2]).encode()).hexdigest()
    for name, about, content in (
        ("other-digest", "A launch whose digest is that of other lines", {"lines": [2, 3, 4], "plan": plan}),
        ("line-twice", "A launch that names a line twice", {"lines": [2, 2], "plan": plan}),
        ("later-line", "A launch that names itself", {"lines": [2, 9], "plan": plan}),
        ("init-line", "A launch that names the INIT line", {"lines": [1, 2], "plan": plan}),
        ("no-lines", "A launch that names no lines", {"plan": plan}),
        ("odd-member", "A launch that says more than it may", {"lines": [2, 3], "plan": plan, "more": True}),
        ("odd-number", "A launch that names half a line", {"lines": [2, "3"], "plan": plan}),
    ):
        _extended(f"launch-{name}", about, [*lines[:-1], event("launch", content)], "not-genuine", REPLAY_FAILED)


def _unmeasured() -> None:
    unmeasured = quote_for(runtime_data(), [])
    for name, value in (("missing", None), ("empty", "")):
        case(
            f"unmeasured-{name}",
            "RTMR 3 is zero and there is no log; references are held",
            "not-acceptable",
            {"eventlog.replay": "warn", "release.match": "fail", "data.protected": "warn"},
            bundle("unmeasured", quote=unmeasured, evidence_event_log=value),
        )
    case(
        "unmeasured-nothing-held",
        "The same with nothing held",
        "incomplete",
        {"eventlog.replay": "warn", "release.match": "warn", "platform.match": "warn"},
        bundle("unmeasured", quote=unmeasured, evidence_event_log=None),
        references=None,
    )
    case(
        "unmeasured-log-without-register",
        "A log that was never extended",
        "not-genuine",
        REPLAY_FAILED,
        bundle("unmeasured", quote=unmeasured),
    )


def _logged(
    name: str, about: str, lines: list[str], status: str, held: list[Any], kept: str = "pass", **data: Any
) -> None:
    """`kept` is the status of `data.protected`, which fails only where `release.match` does."""
    made = runtime_data(**data)
    given = bundle(
        f"release-{name}",
        quote=quote_for(made, lines),
        evidence_runtime_data=made,
        evidence_event_log="\n".join(lines) + "\n",
    )
    changed = {"release.match": status, "data.protected": kept}
    case(f"release-{name}", about, OVERALL[status], changed, given, references=held)


def _measured(name: str, about: str, events: list[str], status: str, held_events: list[str], **data: Any) -> None:
    _logged(name, about, log_of(events), status, [REFERENCES | {"events": held_events}], **data)


def _other_parts() -> None:
    changed = {
        "release": EVENTS[0].replace(RELEASE, digest("another release")),
        "python": EVENTS[1].replace("3.11.7", "3.11.8"),
        "settings": EVENTS[2].replace('"true"', '"false"'),
        "llm": EVENTS[3].replace(digest("engine"), digest("another engine")),
        "model": EVENTS[4].replace(digest("model"), digest("another model")),
        "gocryptfs": EVENTS[5].replace(digest("gocryptfs"), digest("another gocryptfs")),
    }
    for position, (name, line) in enumerate(changed.items()):
        events = [*EVENTS[:position], line, *EVENTS[position + 1 :]]
        release = digest("another release") if name == "release" else RELEASE
        _measured(
            f"other-{name}", f"The measured {name} is not the references'", events, "fail", EVENTS, release=release
        )


def release_cases() -> None:
    _other_parts()
    _measured("later-event", "One more event, unknown to the references", [*EVENTS, OTHERS["ollama"]], "fail", EVENTS)
    _measured(
        "ollama",
        "Ollama instead of the embedded model",
        [*EVENTS[:3], OTHERS["ollama"], *EVENTS[4:]],
        "pass",
        [*EVENTS, OTHERS["ollama"]],
    )
    for name in ("tool", "function", "account", "modified"):
        _measured(
            f"unknown-{name}", "An operation at best a warning, and not held", [*EVENTS, OTHERS[name]], "fail", EVENTS
        )
        _measured(name, "Known, but at best a warning", [*EVENTS, OTHERS[name]], "warn", [*EVENTS, OTHERS[name]])
    for position, name in enumerate(("release", "python", "settings")):
        rest = [line for index, line in enumerate(EVENTS) if index != position]
        _measured(f"without-{name}", f"The launch did not measure its {name}", rest, "fail", EVENTS, release=None)
    _measured("no-bound-release", "Runtime data without release", EVENTS, "pass", EVENTS, release=None)
    _measured(
        "other-bound-release",
        "The attester's release is not the measured one",
        EVENTS,
        "fail",
        EVENTS,
        release=digest("another release"),
    )
    _launches()
    _sites()
    case(
        "release-none-held",
        "References without events",
        "incomplete",
        {"release.match": "warn"},
        bundle("good"),
        references=[REFERENCES | {"events": []}],
    )
    about = {"version": "0.5.20-tdx1", "commit": "01" * 20, "upstream": "Open WebUI v0.5.20"}
    case(
        "release-about",
        "References that say what release they are for: texts for people, which decide nothing",
        "verified",
        {},
        bundle("good"),
        references=[REFERENCES | {"release": about}],
    )
    case(
        "release-two-documents",
        "Events from one document, platforms from another",
        "verified",
        {},
        bundle("good"),
        references=[REFERENCES | {"platforms": []}, REFERENCES | {"events": []}],
    )


def _launches() -> None:
    """Logs of several launches in one boot, and of none."""
    held = [REFERENCES]
    lines = log_of(EVENTS)
    other = [EVENTS[0], EVENTS[1], EVENTS[2].replace('"true"', '"false"'), *EVENTS[3:]]
    both = [REFERENCES, REFERENCES | {"platforms": [], "events": other}]
    site = event("site", SITE)

    def then(before: list[str], plan: list[str]) -> list[str]:
        added = [*before, *(line for line in plan if line not in before)]
        return [*added, launch(added, plan)]

    _logged("no-launch", "A log that does not say what is in force", lines[:-1], "fail", held, "fail")
    _logged(
        "unended", "An event after the last launch", [*lines, OTHERS["tool"]], "fail", [_with(OTHERS["tool"])], "fail"
    )
    _logged(
        "two-settings",
        "Two settings in force at once, each known from a document of its own",
        then([INIT], [*EVENTS, other[2], site]),
        "fail",
        both,
    )
    _logged(
        "apart",
        "Release and settings in force are known, but from two documents",
        lines,
        "fail",
        [REFERENCES | {"events": [EVENTS[0], *EVENTS[3:]]}, REFERENCES | {"events": EVENTS[1:], "platforms": []}],
    )
    _logged(
        "other-settings-earlier",
        "An earlier launch of this boot ran with other settings, known from another document",
        then(then([INIT], [*other, site]), [*EVENTS, site]),
        "warn",
        both,
    )
    _logged(
        "unknown-settings-earlier",
        "An earlier launch of this boot ran with settings that nobody knows",
        then(then([INIT], [*other, site]), [*EVENTS, site]),
        "fail",
        held,
    )
    _logged(
        "back-again",
        "Other settings in between, then the first launch again",
        then(then(then([INIT], [*EVENTS, site]), [*other, site]), [*EVENTS, site]),
        "warn",
        both,
    )
    _logged(
        "added-later",
        "A Function measured while the service ran",
        then(lines, [*EVENTS, site, OTHERS["function"]]),
        "warn",
        [_with(OTHERS["function"])],
    )


def _with(*lines: str) -> dict[str, Any]:
    return REFERENCES | {"events": [*EVENTS, *lines]}


def _sites() -> None:
    """What a site chose, by rule."""
    endpoint = {"setting": "WEBHOOK_URL", "value": "https://hooks.example"}

    def chosen(name: str, about: str, status: str, site: dict[str, Any] | None, kept: str = "pass") -> None:
        _logged(f"site-{name}", about, log_of(EVENTS, site), status, [REFERENCES], kept)

    chosen("none", "The launch did not say what the site chose", "fail", None, "fail")
    chosen("endpoint", "Something leaves the machine", "warn", SITE | {"endpoints": [endpoint]})
    chosen("admin-access", "Administrators can read what others write", "warn", SITE | {"admin_access": True})
    chosen("closed", "All members, all harmless", "pass", SITE | {"tls": "acme", "egress": "closed"})
    chosen("egress-open", "Programs may connect anywhere", "warn", SITE | {"egress": "open"})
    chosen("egress-list", "Programs may connect to named hosts", "warn", SITE | {"egress": ["search.example:443"]})
    chosen("tls-unknown", "A way of ending TLS that nobody knows", "warn", SITE | {"tls": "quantum"})
    chosen("newer", "A member that is newer than this verifier", "warn", SITE | {"surprise": 1})
    chosen("no-origin", "No origin is bound, and none was measured", "fail", SITE | {"origin": ""})
    chosen("other-origin", "The bound origin is not the measured one", "fail", SITE | {"origin": "https://a.example"})
    for member, value in (
        ("origin", 7),
        ("endpoints", {}),
        ("endpoints", [{"setting": "A"}]),
        ("admin_access", "false"),
        ("egress", [1]),
    ):
        chosen(
            f"odd-{member}-{type(value).__name__}",
            f"A {member} of the wrong type",
            "fail",
            SITE | {member: value},
            "fail",
        )
    for member in ("origin", "endpoints", "admin_access"):
        rest = {key: value for key, value in SITE.items() if key != member}
        chosen(f"without-{member}", f"A site event without {member}", "fail", rest, "fail")


def platform_cases() -> None:
    case(
        "platform-none-held",
        "References without platforms",
        "incomplete",
        {"platform.match": "warn"},
        bundle("good"),
        references=[REFERENCES | {"platforms": []}],
    )
    good = platform_of(GOOD)
    for field, value in good.items():
        if field == "root":
            continue
        other = good | {field: hashlib.sha384(field.encode()).hexdigest()[: len(value)]}
        case(
            f"platform-other-{field}",
            f"{field} is not the reference's",
            "not-acceptable",
            {"platform.match": "fail"},
            bundle("good"),
            references=[REFERENCES | {"platforms": [other]}],
        )
    _roots(good)
    _entries(good)
    case(
        "platform-policy",
        "The policy's list is not met",
        "not-acceptable",
        {"platform.match": "fail"},
        bundle("good"),
        policy={"v": 1, "platform": {"mr_td": [digest("another mr_td")]}},
    )


def _roots(good: dict[str, str]) -> None:
    roots: tuple[tuple[str, str, str, dict[str, Any], list[dict[str, Any]]], ...] = (
        ("root-unmeasured", "Nothing measured the programs", "warn", {}, [good | {"root": "unmeasured"}]),
        ("root-not-stated", "The same, by saying nothing", "warn", {}, [_without_root(good)]),
        ("root-trusted", "The same, its administrator trusted", "pass", TRUST, [_without_root(good)]),
        ("root-either", "Known twice, once with its programs", "pass", {}, [_without_root(good), good]),
        ("newer-member", "A member that is newer than this verifier", "warn", {}, [good | {"surprise": "1"}]),
        (
            "newer-trusted",
            "The same, the administrator trusted",
            "warn",
            TRUST,
            [_without_root(good) | {"surprise": "1"}],
        ),
    )
    for name, about, status, policy, platforms in roots:
        held = {"references": [REFERENCES | {"platforms": platforms}], "policy": policy or None}
        case(f"platform-{name}", about, OVERALL[status], {"platform.match": status}, bundle("good"), **held)


def _entries(good: dict[str, str]) -> None:
    second = good | {"mr_td": digest("another mr_td")}
    case(
        "platform-second-entry",
        "One of two platforms matches",
        "verified",
        {},
        bundle("good"),
        references=[REFERENCES | {"platforms": [second, good]}],
    )
    mixed = [second, good | {"rtmr_0": digest("another rtmr_0")}]
    case(
        "platform-no-mixing",
        "Fields of two entries do not add up to one",
        "not-acceptable",
        {"platform.match": "fail"},
        bundle("good"),
        references=[REFERENCES | {"platforms": mixed}],
    )
