"""Cases about the event log and the reference values."""

import hashlib
from typing import Any

from tests.vectors.ground import (
    EVENTS,
    GOOD,
    OTHERS,
    REFERENCES,
    RELEASE,
    bundle,
    case,
    digest,
    log_of,
    platform_of,
    quote_for,
    runtime_data,
)


def log_cases() -> None:
    failed = {"eventlog.replay": "fail", "release.match": "fail"}

    def text(name: str, about: str, value: Any) -> None:
        case(f"log-{name}", about, "not-genuine", failed, bundle("good", evidence_event_log=value))

    lines = log_of(EVENTS)
    text("reordered", "Two events swapped", "\n".join([*lines[:3], lines[4], lines[3], *lines[5:]]) + "\n")
    text("dropped", "One event dropped", "\n".join(lines[:-1]) + "\n")
    text("duplicated", "One event twice", "\n".join([*lines, lines[-1]]) + "\n")
    text("changed", "One event changed", "\n".join(lines).replace("3.11.7", "3.11.8") + "\n")
    text("crlf", "Other line ends", "\r\n".join(lines) + "\r\n")
    text("blank-line", "An empty line at the end", "\n".join(lines) + "\n\n")
    text("no-init", "No INIT line", "\n".join(lines[1:]) + "\n")
    text("number", "Not a text", 7)
    case("log-missing", "A log withheld", "not-genuine", failed, bundle("good", evidence_event_log=None))
    case(
        "log-empty",
        "An empty log, but the register is not zero",
        "not-genuine",
        failed,
        bundle("good", evidence_event_log=""),
    )
    case(
        "log-without-last-break",
        "The last line break may lack",
        "verified",
        {},
        bundle("good", evidence_event_log="\n".join(lines)),
    )

    def extended(
        name: str, about: str, changed: list[str], overall: str, statuses: dict[str, str], **held: Any
    ) -> None:
        quote = quote_for(runtime_data(), changed)
        given = bundle(f"log-{name}", quote=quote, evidence_event_log="\n".join(changed) + "\n")
        case(f"log-{name}", about, overall, statuses, given, **held)

    extended(
        "init-not-zero",
        "An INIT line that claims an earlier register",
        ["INIT sha384/" + "1" * 96, *EVENTS],
        "not-genuine",
        failed,
    )
    for name, line in (
        ("unknown-operation", "open-webui-tdx surprise {}"),
        ("unknown-domain", "elsewhere release {}"),
        ("not-json", "open-webui-tdx model x"),
        ("not-canonical", 'open-webui-tdx model {"name": "x"}'),
        ("two-parts", "open-webui-tdx model"),
        ("duplicate-key", 'open-webui-tdx model {"a":1,"a":1}'),
    ):
        held = {"references": [REFERENCES | {"events": [*EVENTS, line]}]}
        extended(
            name,
            "An extended event that is unknown or malformed, though held",
            [*lines, line],
            "not-genuine",
            failed,
            **held,
        )
    unmeasured = quote_for(runtime_data(), [])
    for name, value in (("missing", None), ("empty", "")):
        case(
            f"unmeasured-{name}",
            "RTMR 3 is zero and there is no log; references are held",
            "not-acceptable",
            {"eventlog.replay": "warn", "release.match": "fail"},
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
        failed,
        bundle("unmeasured", quote=unmeasured),
    )


def release_cases() -> None:
    def measured(name: str, about: str, events: list[str], status: str, held_events: list[str], **data: Any) -> None:
        overall = {"pass": "verified", "warn": "incomplete", "fail": "not-acceptable"}[status]
        made = runtime_data(**data)
        given = bundle(
            f"release-{name}",
            quote=quote_for(made, log_of(events)),
            evidence_runtime_data=made,
            evidence_event_log="\n".join(log_of(events)) + "\n",
        )
        case(
            f"release-{name}",
            about,
            overall,
            {"release.match": status},
            given,
            references=[REFERENCES | {"events": held_events}],
        )

    changed = {
        "release": EVENTS[0].replace(RELEASE, digest("another release")),
        "python": EVENTS[1].replace("3.11.7", "3.11.8"),
        "settings": EVENTS[2].replace('"true"', '"false"'),
        "llm": EVENTS[3].replace(digest("engine"), digest("another engine")),
        "model": EVENTS[4].replace(digest("model"), digest("another model")),
    }
    for position, (name, line) in enumerate(changed.items()):
        events = [*EVENTS[:position], line, *EVENTS[position + 1 :]]
        release = digest("another release") if name == "release" else RELEASE
        measured(
            f"other-{name}", f"The measured {name} is not the references'", events, "fail", EVENTS, release=release
        )
    measured("later-event", "One more event, unknown to the references", [*EVENTS, OTHERS["ollama"]], "fail", EVENTS)
    measured("restarted", "The same events twice: the service was restarted", [*EVENTS, *EVENTS], "pass", EVENTS)
    measured(
        "ollama",
        "Ollama instead of the embedded model",
        [*EVENTS[:3], OTHERS["ollama"], EVENTS[4]],
        "pass",
        [*EVENTS, OTHERS["ollama"]],
    )
    for name in ("endpoint", "tool", "function", "account", "modified"):
        measured(
            f"unknown-{name}", "An operation at best a warning, and not held", [*EVENTS, OTHERS[name]], "fail", EVENTS
        )
        measured(name, "Known, but at best a warning", [*EVENTS, OTHERS[name]], "warn", [*EVENTS, OTHERS[name]])
    for position, name in enumerate(("release", "python", "settings")):
        rest = [line for index, line in enumerate(EVENTS) if index != position]
        measured(f"without-{name}", f"The launch did not measure its {name}", rest, "fail", EVENTS, release=None)
    measured("no-bound-release", "Runtime data without release", EVENTS, "pass", EVENTS, release=None)
    measured(
        "other-bound-release",
        "The attester's release is not the measured one",
        EVENTS,
        "fail",
        EVENTS,
        release=digest("another release"),
    )
    case(
        "release-none-held",
        "References without events",
        "incomplete",
        {"release.match": "warn"},
        bundle("good"),
        references=[REFERENCES | {"events": []}],
    )
    case(
        "release-two-documents",
        "Events from one document, platforms from another",
        "verified",
        {},
        bundle("good"),
        references=[REFERENCES | {"platforms": []}, REFERENCES | {"events": []}],
    )


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
        other = good | {field: hashlib.sha384(field.encode()).hexdigest()[: len(value)]}
        case(
            f"platform-other-{field}",
            f"{field} is not the reference's",
            "not-acceptable",
            {"platform.match": "fail"},
            bundle("good"),
            references=[REFERENCES | {"platforms": [other]}],
        )
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
    case(
        "platform-policy",
        "The policy's list is not met",
        "not-acceptable",
        {"platform.match": "fail"},
        bundle("good"),
        policy={"v": 1, "platform": {"mr_td": [digest("another mr_td")]}},
    )
