"""The verdict: a list of checks in a fixed order, and one overall status. Same model as the browser's."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .genuine import Genuine

Status = Literal["pass", "warn", "fail", "skipped"]
Overall = Literal["verified", "incomplete", "simulated", "not-acceptable", "not-genuine"]

TITLES = {
    "quote.format": "The quote is well-formed",
    "quote.signature": "Intel's chain of trust signs it",
    "quote.tcb": "The platform's security version",
    "quote.debug": "Closed to debuggers",
    "tee.real": "Real hardware",
    "binding.nonce": "Made for this question",
    "binding.channel": "Made for this connection",
    "eventlog.replay": "The launch log is complete",
    "release.match": "Known software",
    "platform.match": "Known firmware and kernel",
    "service.token": "Attestation service",
    "assets.match": "The served page is the released page",
}
BARE_CHECKS = ("quote.format", "quote.signature", "quote.tcb", "quote.debug", "tee.real")
NOT_GENUINE = {"quote.format", "quote.signature", "binding.nonce", "binding.channel", "eventlog.replay"}
NOT_ACCEPTABLE = {"quote.tcb", "quote.debug", "release.match", "platform.match", "service.token", "assets.match"}
EXIT_CODES: dict[Overall, int] = {
    "verified": 0,
    "not-genuine": 4,
    "not-acceptable": 5,
    "simulated": 6,
    "incomplete": 7,
}


@dataclass(frozen=True)
class Check:
    """One question and its answer; `detail` is a sentence for people and never parsed."""

    id: str
    status: Status
    detail: str

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
        failed = {check.id for check in self.checks if check.status == "fail"}
        if failed & NOT_GENUINE or not self.checks:
            return "not-genuine"
        if failed & NOT_ACCEPTABLE:
            return "not-acceptable"
        if failed:
            return "simulated"
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
