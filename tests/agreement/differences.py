"""Where the two implementations may differ, and why: a table that is meant to be empty.

An entry is (name, reason, whether it explains a difference). Each says which of the two is right and what keeps the
other from saying so; `test_every_exception_is_needed` fails for an entry that nothing needs any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tests.agreement.questions import Answer, Question


@dataclass(frozen=True)
class Difference:
    """A question that the two answered differently. `seed` and `index` make it again."""

    seed: int
    index: int
    how: tuple[str, ...]
    question: Question
    python: Answer
    typescript: Answer

    @property
    def checks(self) -> dict[str, tuple[str, str]]:
        """The checks that differ: what Python says, what TypeScript says."""
        names = list(dict.fromkeys((*self.python.checks, *self.typescript.checks)))
        both = {name: (self.python.checks.get(name, "-"), self.typescript.checks.get(name, "-")) for name in names}
        told = self.question.get("word_for_word")
        return {name: pair for name, pair in both.items() if pair[0] != pair[1] or name == told}

    def __str__(self) -> str:
        lines = [f"question {self.index} of seed {self.seed} ({', '.join(self.how)}):"]
        for name, answer in (("Python", self.python), ("TypeScript", self.typescript)):
            lines.append(f"  {name}: {answer.overall or f'refused: {answer.refused}'}")
            lines += [
                f"    {check} {answer.checks[check]}: {answer.details[check][:300]}"
                for check in self.checks
                if check in answer.checks
            ]
        return "\n".join(lines)


class Exemption(NamedTuple):
    """One known difference."""

    name: str
    reason: str
    explains: Callable[[Difference], bool]


TABLE: tuple[Exemption, ...] = ()


def exemption_of(difference: Difference) -> Exemption | None:
    """The entry that explains the difference, if there is one."""
    return next((entry for entry in TABLE if entry.explains(difference)), None)
