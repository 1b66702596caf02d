"""One attempt to have the data opened: verify everything, then send the key, sealed to what was verified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..appraise import Options
from ..collateral_cache import CollateralCache
from ..collateral_source import Sources
from ..connect.attesting import refusal
from ..data_unlock.ends import Asking
from ..data_unlock.errors import UnlockError
from ..data_unlock.message import Action
from ..data_unlock.outside import MESSAGE_TYPE, PATH
from ..encoding import from_base64url
from ..errors import Malformed
from ..eventlog import SITE, launches, parse_log
from ..fetch import Fetcher, join_url
from ..live import fetch_evidence, judge
from ..strictjson import load_object
from ..verdict import EXIT_CODES, Verdict
from .keyfile import OwnerKey

MAX_ANSWER = 64 * 1024  # bytes

ROTATED_WHEN_OPENED = (
    "The data is open already, and its key is exchanged when it is opened: start the service again, and ask once more."
)
#: A copy of everything may take hours; who is asked to make one answers when it is done.
COPY_S = 24 * 3600.0

State = Literal["opened", "open", "refused"]


@dataclass(frozen=True)
class Outcome:
    """`opened`: by this attempt; `open`: it was already; `refused`: nothing was sent, or the TD did not open it. `code`
    is the exit code, `generation` how often the data was opened by now, as far as that is known."""

    state: State
    sentence: str
    code: int = 0
    generation: int | None = None


@dataclass(frozen=True)
class Opening:
    """Has the data of the service at `base` opened. `accepted`: what of the verdict the owner accepts.

    Whoever ends TLS is not looked at: the evidence is Intel's and the TD's, what is sent opens only there, and the
    answer has a MAC of the TD's."""

    base: str
    key: OwnerKey
    sources: Sources
    cache: CollateralCache
    fetcher: Fetcher
    options: Options
    accepted: frozenset[str]
    show: Callable[[Verdict], None] = lambda verdict: None

    def __call__(self, action: Action, least_generation: int) -> Outcome:
        """One attempt. Raises `Unreachable`."""
        try:
            live = fetch_evidence(self.base, self.fetcher, self.options.references.explain)
        except Malformed as error:
            return Outcome("refused", f"The service's evidence cannot be read: {error}.", EXIT_CODES["not-genuine"])
        # what is sent is sealed to a key that the evidence binds, whoever ends TLS
        options = replace(self._options(), sealed=True)
        bundle, verdict = judge(live, self.sources, self.cache, self.fetcher, options)
        self.show(verdict)
        # data that is not encrypted has no owner, which is said more plainly than by the check
        why_not = refusal(verdict, self.accepted | {"plain-data"}) or self._of_another(bundle.evidence)
        if why_not:
            return Outcome("refused", f"{why_not} No key was sent.", verdict.exit_code or EXIT_CODES["not-acceptable"])
        bound = bundle.evidence["runtime_data"]
        if "unlock" not in bound:
            if action.keys > 1:
                return Outcome("refused", ROTATED_WHEN_OPENED, EXIT_CODES["not-acceptable"])
            return Outcome("open", "The data is open already.", generation=bound["data"].get("generation"))
        return self._send(bound["unlock"], action, least_generation)

    def _options(self) -> Options:
        if "administrator" not in self.accepted:
            return self.options
        return replace(self.options, policy=replace(self.options.policy, trust_administrator=True))

    def _of_another(self, evidence: dict[str, Any]) -> str:
        """Why this is not this owner's data, by the evidence and by what the launch measured before anything was open;
        "" where it is. For evidence whose every check passed."""
        attested = evidence["runtime_data"].get("data", {}).get("owner")
        in_force = launches(parse_log(evidence["event_log"]))[-1]
        measured = next((event.content.get("data_owner") for event in in_force if event.operation == SITE), None)
        if attested == measured == self.key.public:
            return ""
        named = " and ".join(sorted({str(each or "nobody") for each in (attested, measured)}))
        return f"The service keeps the data of {named}, and this key is {self.key.public}'s."

    def _send(self, unlock_key: str, action: Action, least_generation: int) -> Outcome:
        try:
            public = from_base64url(unlock_key, "the key to seal to", 32)
            new = self.key.following.data_key if action.keys > 1 else b""
            asking = Asking(public, self.key.owner, self.key.data_key, action, least_generation, new_key=new)
            patient = (
                Fetcher(self.fetcher.ca_file, COPY_S, self.fetcher.unchecked) if action is Action.COPY else self.fetcher
            )
            answer = patient.post(join_url(self.base, PATH), asking.message, MESSAGE_TYPE, MAX_ANSWER)
            if answer.status != 200:
                return Outcome("refused", _outside(answer.status, answer.body), EXIT_CODES["not-acceptable"])
            said = asking.heard(answer.body)
        except (UnlockError, Malformed) as error:
            return Outcome("refused", f"The data was not opened: {error}.", EXIT_CODES["not-genuine"])
        if said.state == "opened":
            sentence = f"The data is open, for time number {said.generation}."
            return Outcome("opened", sentence, generation=said.generation)
        return Outcome("refused", said.detail, EXIT_CODES["not-acceptable"])


def _outside(status: int, body: bytes) -> str:
    """What somebody said instead of the TD: anybody on the way can have said it."""
    try:
        detail = str(load_object(body, "the answer").get("detail", ""))[:300]
    except Malformed:
        detail = ""
    return f"The service, or somebody before it, did not take the message (HTTP {status}): {detail or 'no reason'}"
