"""The verdict on a terminal, or wherever text goes: colour only on a terminal, words always, nothing interpreted.

Details quote what servers sent, so everything unprintable is escaped: no terminal escape gets through.
"""

import json

from rich.console import Console
from rich.text import Text

from .verdict import Overall, Verdict

WORDS = {
    "pass": ("pass", "green"),
    "warn": ("warn", "yellow"),
    "fail": ("FAIL", "bold red"),
    "skipped": ("skip", "dim"),
}
HEADLINES: dict[Overall, tuple[str, str, str]] = {
    "verified": ("VERIFIED", "bold green", "Everything that was asked holds."),
    "incomplete": ("INCOMPLETE", "bold yellow", "Genuine, but not everything could be proven: see the warnings."),
    "simulated": ("SIMULATED", "bold yellow", "No hardware protects this service. Apart from that, nothing failed."),
    "not-acceptable": ("NOT ACCEPTABLE", "bold red", "Not what you asked for: see the failures."),
    "not-genuine": ("NOT GENUINE", "bold red", "Do not trust it: see the first failure."),
}
NOT_CHECKED = ("—", "dim")
CANNOT_CHECK = ("CANNOT CHECK", "bold red", "Nothing is proven, and nothing was found wrong: see the first failure.")


def printable(text: str) -> str:
    """`text` with every unprintable character (line breaks, escapes) spelled out."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def as_json(verdict: Verdict) -> str:
    """The verdict for machines, ASCII only."""
    return json.dumps(verdict.as_dict(), indent=2, ensure_ascii=True)


def print_verdict(verdict: Verdict, subject: str, console: Console) -> None:
    """Write the checks, then the overall status and what it means."""
    width = max(len(check.id) for check in verdict.checks)
    console.print(Text(printable(subject)), soft_wrap=True)
    for check in verdict.checks:
        word, style = WORDS[check.status] if check.asked else NOT_CHECKED
        line = Text.assemble("  ", (f"{word:<4}", style), "  ", f"{check.id:<{width}}  ", printable(check.detail))
        console.print(line, soft_wrap=True, highlight=False)
    failures = [check for check in verdict.checks if check.status == "fail"]
    unasked = bool(failures) and not any(check.asked for check in failures)
    headline, style, meaning = CANNOT_CHECK if unasked else HEADLINES[verdict.overall]
    if verdict.overall == "not-acceptable" and any(c.id == "tee.real" and c.status == "fail" for c in verdict.checks):
        meaning += " And it is SIMULATED: no hardware protects it."
    console.print(Text.assemble((headline, style), "  ", meaning), soft_wrap=True)
