"""Random questions to both implementations, and what came of them."""

from __future__ import annotations

import copy
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from tests.agreement import boot_logs, genuine
from tests.agreement.differences import Difference, exemption_of
from tests.agreement.draft import fresh, question
from tests.agreement.node import Node
from tests.agreement.questions import Answer, Question, ask_python
from tests.agreement.resigned import BEFORE_SIGNING
from tests.agreement.unsigned import AFTER_SIGNING

BATCH = 250
C = TypeVar("C")


def _draw(rng: Random, table: dict[C, int], most: int) -> list[C]:
    return rng.choices(list(table), list(table.values()), k=rng.randrange(1, most + 1))


def make(seed: int, index: int) -> tuple[Question, tuple[str, ...]]:
    """The question of that seed and index, and the names of what was changed: even ones before signing, odd after.

    Every tenth one is about a boot event log.
    """
    rng = Random(f"{seed}/{index}")
    if index % 10 == 9:
        return boot_logs.make(rng)
    if index % 2 == 0:
        draft = fresh(rng)
        changes = _draw(rng, BEFORE_SIGNING, 3) if rng.random() < 0.95 else []
        for change in changes:
            change(draft, rng)
        return question(draft), tuple(change.__name__ for change in changes)
    asked = copy.copy(rng.choice(genuine.questions())) if rng.random() < 0.2 else question(fresh(rng))
    alterations = _draw(rng, AFTER_SIGNING, 2)
    for alteration in alterations:
        alteration(asked, rng)
    return asked, ("unsigned", *(alteration.__name__ for alteration in alterations))


@dataclass
class Findings:
    """What a run saw."""

    asked: int = 0
    differences: list[Difference] = field(default_factory=list)
    exempt: Counter[str] = field(default_factory=Counter)
    statuses: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    overall: Counter[str] = field(default_factory=Counter)
    explanations: Counter[str] = field(default_factory=Counter)  # of a boot log's events, by their words

    def note_explanation(self, asked: Question, answer: Answer) -> None:
        """Which of the verifiers' words a question about a boot log led to."""
        told = answer.details.get(asked.get("word_for_word", ""), "")
        self.explanations.update(words for words in boot_logs.EXPLANATIONS if words in told)

    def note(self, difference: Difference | None, answer: Answer) -> None:
        self.asked += 1
        self.overall[answer.overall or "refused"] += 1
        for check, status in answer.checks.items():
            if answer.asked(check):
                self.statuses[check][status] += 1
        if difference is None:
            return
        exemption = exemption_of(difference)
        if exemption:
            self.exempt[exemption.name] += 1
        else:
            self.differences.append(difference)


def _batches(count: int) -> Iterator[range]:
    for start in range(0, count, BATCH):
        yield range(start, min(start + BATCH, count))


def explained(asked: Question, python: Answer, typescript: Answer) -> bool:
    """Whether the failure of a check, which both have, is explained word for word alike: TypeScript says more first."""
    check = asked.get("word_for_word", "")
    if python.checks.get(check) != "fail":
        return True
    return typescript.details[check].endswith(f": {python.details[check]}.")


def ask(count: int, seed: int, node: Node) -> Findings:
    """Ask both implementations `count` questions; each judges while the other does."""
    findings = Findings()
    for batch in _batches(count):
        made = [make(seed, index) for index in batch]
        sent = node.ask([asked for asked, _ in made])
        mine = [ask_python(asked) for asked, _ in made]
        for index, (asked, how), python, typescript in zip(batch, made, mine, sent.answers(), strict=True):
            same = python.judgement == typescript.judgement and explained(asked, python, typescript)
            findings.note_explanation(asked, python)
            findings.note(None if same else Difference(seed, index, how, asked, python, typescript), python)
    return findings
