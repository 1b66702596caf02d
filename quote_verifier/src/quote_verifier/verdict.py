"""The verdict: a list of checks in a fixed order, and one overall status. Same model as the browser's."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .facts import load

if TYPE_CHECKING:
    from .genuine import Genuine

Status = Literal["pass", "warn", "fail", "skipped"]
Overall = Literal["verified", "incomplete", "simulated", "not-acceptable", "not-genuine"]

_GROUPS = load("checks")
_CHECKS: dict[str, dict[str, str]] = _GROUPS["quote"] | _GROUPS["server"] | _GROUPS["page"] | _GROUPS["name"]
TITLES = {check_id: check["title"] for check_id, check in _CHECKS.items()}
BARE_CHECKS = tuple(_GROUPS["quote"])
ALL_CHECKS = (*BARE_CHECKS, *_GROUPS["server"])
EXIT_CODES: dict[Overall, int] = {overall: entry["exit_code"] for overall, entry in load("verdicts")["overall"].items()}
ERROR_CODES: dict[str, int] = load("verdicts")["errors"]


@dataclass(frozen=True)
class Check:
    """One question and its answer; `detail` is a sentence for people and never parsed. `asked`: false where a failure
    only says that the question could not be asked, because an earlier check failed or there is nothing to ask by."""

    id: str
    status: Status
    detail: str
    asked: bool = True

    @property
    def title(self) -> str:
        """What the check asks, in a few words."""
        return TITLES[self.id]

    def as_dict(self) -> dict[str, str]:
        """As JSON holds it, members in the order of the interface."""
        return {"id": self.id, "status": self.status, "title": self.title, "detail": self.detail}


@dataclass(frozen=True)
class Verdict:
    """All checks that were asked, in order. Once the quote's signature is proven, `claims` holds its body fields (hex)
    and `genuine` the root, the TCB and how new the collateral is."""

    checks: tuple[Check, ...]
    claims: dict[str, str]
    genuine: "Genuine | None" = None

    @property
    def overall(self) -> Overall:
        """The one word for all checks (docs/design.md, Verdict)."""
        if not self.checks:
            return "not-genuine"
        failures = {_CHECKS[check.id]["failure"] for check in self.checks if check.status == "fail"}
        for overall in EXIT_CODES:  # worst first
            if overall in failures:
                return overall
        return "incomplete" if self._unproven() else "verified"

    def _unproven(self) -> bool:
        return any(
            check.status == "warn" or (check.status == "skipped" and check.id != "service.token")
            for check in self.checks
        )

    @property
    def exit_code(self) -> int:
        """What the command line leaves with."""
        return EXIT_CODES[self.overall]

    def check(self, check_id: str) -> Check:
        """The check of that id. Raises `KeyError` if it was not asked."""
        for check in self.checks:
            if check.id == check_id:
                return check
        raise KeyError(check_id)

    def with_check(self, check: Check) -> "Verdict":
        """The same verdict with one more check at its end."""
        return Verdict((*self.checks, check), self.claims, self.genuine)

    def as_dict(self) -> dict[str, Any]:
        """The verdict as docs/design.md spells it."""
        return {"v": 1, "overall": self.overall, "checks": [check.as_dict() for check in self.checks]}
