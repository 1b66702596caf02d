"""What both implementations are asked, and Python's answer.

A question is a JSON object, so that it can be sent to another process and kept in a file:

    now          the time of judgement, ISO 8601 UTC
    bundle       the text of an evidence bundle, or
    bare         {"quote": hex, "collateral": ...}: a bare quote
    references   list of texts, a document of reference values each
    policy       a policy as JSON
    services     [{"service", "url", "keys": JWKS}]
    seen         numbers of the newest collateral seen, or null
    genuine      whether the simulator's root counts as Intel's
    word_for_word  a check that, where it fails, has to be explained in the same words

An answer: `{"overall", "checks": {id: status}, "refused": null}`, or only `refused` where the relying party's own input
(policy, reference values) cannot be used.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quote_verifier.appraise import Options, verify, verify_bare
from quote_verifier.collateral import Seen
from quote_verifier.errors import UsageError
from quote_verifier.policy import policy_from
from quote_verifier.references import load_references, merge
from quote_verifier.tokens import service_from
from quote_verifier.verdict import Verdict

Question = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """`checks` maps ids to statuses; `details` to sentences, which are compared where a question says so alone."""

    overall: str
    checks: dict[str, str]
    details: dict[str, str]
    refused: str | None = None

    @property
    def judgement(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """What has to be the same in both implementations; in which words something is refused has not."""
        return ("refused", ()) if self.refused else (self.overall, tuple(self.checks.items()))

    def asked(self, check: str) -> bool:
        """Whether the check was answered on its own evidence, and is not merely stopped by another."""
        return not self.details.get(check, "").startswith("Not asked")


def refusal(why: str) -> Answer:
    """The answer where the relying party's own input cannot be used."""
    return Answer("", {}, {}, why)


def _options(question: Question) -> Options:
    return Options(
        references=merge(load_references(text.encode("utf-8", "surrogatepass")) for text in question["references"]),
        policy=policy_from(question["policy"]),
        services=tuple(service_from(item) for item in question["services"]),
        seen=Seen(**(question["seen"] or {})),
        test_root_is_genuine=question["genuine"],
    )


def _verdict(question: Question) -> Verdict:
    now, options = int(datetime.fromisoformat(question["now"]).timestamp()), _options(question)
    bare = question.get("bare")
    if bare is None:
        return verify(question["bundle"], now=now, options=options)
    return verify_bare(bytes.fromhex(bare["quote"]), bare["collateral"], now=now, options=options)


def ask_python(question: Question) -> Answer:
    """The answer of `quote_verifier`, in this process."""
    try:
        verdict = _verdict(question)
    except UsageError as error:
        return refusal(str(error))
    statuses = {check.id: check.status for check in verdict.checks}
    return Answer(verdict.overall, dict(statuses), {check.id: check.detail for check in verdict.checks})
