"""One judgement of a service for `connect`: is it what the person asked for, and to which key may be sealed?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..appraise import Options
from ..assets import measured_releases
from ..collateral_cache import CollateralCache
from ..collateral_source import Sources
from ..encoding import from_base64url
from ..errors import Malformed
from ..fetch import Fetcher
from ..live import fetch_evidence, judge
from ..sealed_http.errors import SealedError
from ..sealed_http.key_config import KeyConfig, decode
from ..verdict import Check, Verdict
from .watching import Judged


@dataclass(frozen=True)
class Attesting:
    """Judges the service at `base`. `accepted`: `simulated`, `administrator` and `plain-data`, as far as the person
    accepts them; `release`: the SHA-384 (hex) of the manifest whose pages are shown, "" for none."""

    base: str
    sources: Sources
    cache: CollateralCache
    fetcher: Fetcher
    options: Options
    accepted: frozenset[str]
    show: Callable[[Verdict], None] = lambda verdict: None
    release: str = ""

    def __call__(self) -> Judged:
        """Ask for evidence and judge it. Raises `Unreachable`."""
        options = replace(self._options(), sealed=True)
        try:
            live = fetch_evidence(self.base, self.fetcher, self.options.references.explain)
        except Malformed as error:  # somebody answered, and not with evidence
            return Judged("not-genuine", time.time(), None, f"The service's evidence cannot be read: {error}.")
        bundle, verdict = judge(live, self.sources, self.cache, self.fetcher, options)
        self.show(verdict)
        why_not = refusal(verdict, self.accepted)
        if not why_not and self.release and measured_releases(bundle) != {self.release}:
            why_not = (
                f"The pages are of another release than the service's: {self.release[:16]}... is not what it measured."
            )
        if why_not:
            return Judged(verdict.overall, time.time(), None, why_not, verdict)
        try:
            key = _key(bundle.evidence["runtime_data"]["channel"])
        except Malformed as error:
            return Judged(
                verdict.overall, time.time(), None, f"The service's channel cannot be used: {error}.", verdict
            )
        return Judged(verdict.overall, time.time(), key, verdict=verdict)

    def _options(self) -> Options:
        if "administrator" not in self.accepted:
            return self.options
        return replace(self.options, policy=replace(self.options.policy, trust_administrator=True))


#: Doubts that follow from what another check says better.
_FOLLOW = ("binding.channel", "data.protected")


def refusal(verdict: Verdict, accepted: frozenset[str]) -> str:
    """Why this verdict is not what was asked for, in one sentence; "" if it is.

    `tee.real` can be accepted as it is, and a warning about what is kept, which on accepted simulated hardware says
    nothing new: its host reads all of it."""
    for check in sorted(verdict.checks, key=lambda each: each.id in _FOLLOW and each.status == "warn"):
        fine = check.status == "pass" or (check.id == "service.token" and check.status == "skipped")
        if fine or (check.id == "tee.real" and "simulated" in accepted):
            continue
        doubted = check.id == "data.protected" and check.status == "warn"
        if doubted and ("plain-data" in accepted or _imitated(verdict)):
            continue
        return f"{check.title}: {check.detail.rstrip('.')}.{_hint(check)}"
    return ""


def _hint(check: Check) -> str:
    if check.id == "tee.real":
        return " To try it out all the same, add --accept simulated."
    if check.id == "platform.match" and "whoever administers" in check.detail:
        return " If you trust that person, add --accept administrator."
    if check.id == "data.protected" and check.status == "warn":
        return " If that is as it should be, add --accept plain-data."
    return ""


def _imitated(verdict: Verdict) -> bool:
    """Whether the hardware is simulated; who gets this far has accepted that."""
    return any(check.id == "tee.real" and check.status == "fail" for check in verdict.checks)


def _key(text: str) -> KeyConfig:
    try:
        return decode(from_base64url(text, "the channel's key"))
    except SealedError as error:
        raise Malformed(str(error)) from None
