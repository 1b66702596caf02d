"""Cases about the boot's event log, which explains a platform that is not the expected one and decides nothing."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from simulator import boot
from tests.vectors.ground import GOOD, REFERENCES, W, bundle, case, digest, platform_of

Events = Sequence[boot.Event]
FAILED = {"platform.match": "fail"}
#: What both verifiers call the events of the simulated machine, in their order.
WORDS = (
    "the memory map (TD HOB)", "a volume of the firmware", "the variable SecureBoot", "the variable PK",
    "the variable KEK", "the variable db", "the variable dbx", "the separator", "the ACPI tables", "the ACPI tables",
    "the ACPI tables", "the variable BootOrder", "the variable Boot0000", "a step of the boot", "the partition table",
    "a started program", "a step of the boot", "a step of the boot", "the kernel's command line", "the initrd",
)  # fmt: skip
NAMES = {(event.kind, event.data): words for event, words in zip(boot.EVENTS, WORDS, strict=True)}


def to_base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def named(event: boot.Event, what: str) -> boot.Event:
    """The event, which reference values call `what`."""
    NAMES[event.kind, event.data] = what
    return event


def platform(events: Events, *told: int) -> dict[str, Any]:
    """The reference values of a machine that measured these events, which are told for the registers named."""
    registers = boot.registers(events)
    held: dict[str, Any] = platform_of(GOOD) | {f"rtmr_{number}": registers[number].hex() for number in range(3)}
    held["boot_events"] = {
        f"rtmr_{number}": [
            {"type": f"{event.kind:#x}", "sha384": event.digest.hex(), "what": NAMES[event.kind, event.data]}
            for event in events
            if event.register == number
        ]
        for number in told
    }
    return held


def encoded(events: Events) -> str:
    return to_base64url(boot.log(events))


OWN = encoded(boot.EVENTS)
HOB, VOLUME = boot.EVENTS[:2]
ORDER = next(event for event in boot.EVENTS if b"O\0r\0d\0e\0r\0" in event.data)
LONGER = boot.log()[:28] + b"\xff\xff\xff\x7f" + boot.log()[32:]
FIFTH = encoded([HOB._replace(register=4)])
KERNEL = next(event for event in boot.EVENTS if event.kind == 0x80000003)


def changed(*events: boot.Event) -> list[boot.Event]:
    """The simulated machine's events, but these with another digest."""
    return [one._replace(digest=bytes.fromhex(digest("another"))) if one in events else one for one in boot.EVENTS]


def without(*events: boot.Event) -> list[boot.Event]:
    return [one for one in boot.EVENTS if one not in events]


def boot_cases() -> None:
    _explained()
    _not_believed()
    _decides_nothing()


def _case(name: str, about: str, expected: Events, says: str, log: Any = OWN, told: Sequence[int] = (0, 1, 2)) -> None:
    label = "boot" if log == OWN else f"boot-{name}"
    text = W.share("logs", label, log, ".txt") if isinstance(log, str) and len(log) > 200 else log
    given = bundle("good", evidence_boot_log=text)
    held = REFERENCES | {"platforms": [platform(expected, *told)]}
    case(
        f"boot-log-{name}",
        about,
        "not-acceptable",
        FAILED,
        given,
        says={"platform.match": says},
        references=[held],
    )


def _explained() -> None:
    """The log replays to the quote's registers, so that its events can be compared with those expected."""
    shape = changed(HOB, *boot.ACPI)
    _case("shape", "A machine of another size", shape, "rtmr_0 differs in the memory map (TD HOB), the ACPI tables")
    _case("more", "An event more than expected", without(ORDER), "rtmr_0 has the variable BootOrder in addition")
    extra = named(boot.Event(0, 0xD, bytes.fromhex(digest("grub")), b"text"), "a step of the boot loader")
    _case("fewer", "An event fewer", [*boot.EVENTS, extra], "rtmr_0 lacks a step of the boot loader")
    _case(
        "instead",
        "Another event instead of one",
        [*without(VOLUME), extra],
        "rtmr_0 lacks a step of the boot loader and has a volume of the firmware instead",
    )
    swapped = [boot.EVENTS[1], boot.EVENTS[0], *boot.EVENTS[2:]]
    _case("order", "The same events in another order", swapped, "rtmr_0 differs in the order of its events alone")
    _case("kernel", "Another kernel, in RTMR 1", changed(KERNEL), "rtmr_1 differs in a started program")
    many = [_option(number) for number in range(100, 112)]
    _case("many", "More events than anybody reads", [*boot.EVENTS, *many], "the variable Boot0107 and 4 more")
    told = platform(changed(HOB, KERNEL))["rtmr_0"]
    _case("untold", "A register whose events are not told", changed(HOB), f"expected {told}", told=(1, 2))


def _option(number: int) -> boot.Event:
    name = f"Boot{number:04}"
    made = boot.Event(0, 0x80000002, bytes.fromhex(digest(name)), boot.variable(name))
    return named(made, f"the variable {name}")


def _not_believed() -> None:
    shape = changed(HOB)
    expected = platform(shape)["rtmr_0"]
    for name, about, log, reason in (
        ("another", "The log of another machine", encoded(changed(VOLUME)), "it does not replay to that"),
        ("garbage", "A log that is no base64url", "x+y", "not base64url without padding"),
        ("number", "A log that is no text", 7, "it is not text"),
        ("empty", "An empty log", "", "it is cut off"),
        ("headless", "No header", to_base64url(bytes(64)), "it does not begin with a Spec ID event of version 03"),
        ("short", "A header that is longer than the log", to_base64url(LONGER), "it is cut off"),
        ("cut", "A log that ends within an event", to_base64url(boot.log()[:-1]), "it is cut off within an event"),
        ("register", "A register that no TD has", FIFTH, "it extends register 5, and a TD has 1 to 4"),
    ):  # fmt: skip
        _case(name, about, shape, f"expected {expected} (the boot log is not believed: {reason})", log)
    _case("none", "No log: the registers are said", shape, f"expected {expected}", None)


def _decides_nothing() -> None:
    held = [REFERENCES | {"platforms": [platform(boot.EVENTS, 0, 1, 2)]}]
    own = W.share("logs", "boot", OWN, ".txt")
    logs = (("", "The machine's own log", own), ("-garbage", "A log that is no log", "x+y"))
    for name, about, log in logs:
        given = bundle("good", evidence_boot_log=log)
        case(f"boot-log-known{name}", f"{about}, where the platform is known", "verified", {}, given, references=held)
    elsewhere = [REFERENCES | {"platforms": [platform_of(GOOD) | {"rtmr_0": digest("another")}]}]
    given = bundle("good", evidence_boot_log="x+y")
    case(
        "boot-log-unasked",
        "A log that is no log, where no events are held",
        "not-acceptable",
        FAILED,
        given,
        references=elsewhere,
    )
