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
from ..verdict import Verdict
from .watching import Judged


@dataclass(frozen=True)
class Attesting:
    """Judges the service at `base`. `accepted`: `simulated` and `administrator`, as far as the person accepts them;
    `release`: the SHA-384 (hex) of the manifest whose pages are shown, "" for none."""

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
            live = fetch_evidence(self.base, self.fetcher)
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


def refusal(verdict: Verdict, accepted: frozenset[str]) -> str:
    """Why this verdict is not what was asked for, in one sentence; "" if it is. Only `tee.real` can be accepted as it
    is: everything else has to pass."""
    # what binding.channel doubts follows from what another check says better
    for check in sorted(verdict.checks, key=lambda each: each.id == "binding.channel" and each.status == "warn"):
        fine = check.status == "pass" or (check.id == "service.token" and check.status == "skipped")
        if fine or (check.id == "tee.real" and "simulated" in accepted):
            continue
        hint = " To try it out all the same, add --accept simulated." if check.id == "tee.real" else ""
        if check.id == "platform.match" and "whoever administers" in check.detail:
            hint = " If you trust that person, add --accept administrator."
        return f"{check.title}: {check.detail.rstrip('.')}.{hint}"
    return ""


def _key(text: str) -> KeyConfig:
    try:
        return decode(from_base64url(text, "the channel's key"))
    except SealedError as error:
        raise Malformed(str(error)) from None
