"""Faults by name: each changes a plan in exactly one way and says what a verifier must make of the result."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

P = TypeVar("P")
BOTH = (4, 5)  # the quote versions


@dataclass(frozen=True)
class Fault(Generic[P]):
    """One way to be wrong.

    `verdict`: "refuse", "harmless" (accepted, every claim unchanged), or the TCB status that must be reported.
    `versions`: the quote versions that it exists for.
    """

    name: str
    summary: str
    verdict: str
    apply: Callable[[P], None]
    versions: tuple[int, ...] = BOTH


class Faults(dict[str, Fault[P]]):
    """The faults of one kind of plan, by name. `kind` is what a refusal calls it: "quote" or "collateral"."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def add(
        self,
        name: str,
        summary: str,
        apply: Callable[[P], None],
        verdict: str = "refuse",
        versions: tuple[int, ...] = BOTH,
    ) -> None:
        """Enter one; ValueError if the name is taken."""
        if name in self:
            raise ValueError(f"two {self.kind} faults are called {name!r}")
        self[name] = Fault(name, summary, verdict, apply, versions)

    def fault(
        self, verdict: str = "refuse", versions: tuple[int, ...] = BOTH
    ) -> Callable[[Callable[[P], None]], Callable[[P], None]]:
        """A decorator that enters a function: its name, with hyphens, is the fault's, and its docstring the summary."""

        def register(function: Callable[[P], None]) -> Callable[[P], None]:
            self.add(name_of(function), summary_of(function), function, verdict, versions)
            return function

        return register

    def find(self, name: str) -> Fault[P]:
        """The fault of that name; ValueError that lists the known ones."""
        if name not in self:
            raise ValueError(f"no {self.kind} fault is called {name!r}; known: {', '.join(sorted(self))}")
        return self[name]


def summary_of(function: Callable[..., object]) -> str:
    """A function's docstring as a summary: no full stop, and a small first letter unless it begins an abbreviation."""
    text = (function.__doc__ or "").removesuffix(".")
    return text[:1].lower() + text[1:] if not text[1:2].isupper() else text


def name_of(function: Callable[..., object]) -> str:
    """A function's name as a fault's."""
    return function.__name__.replace("_", "-")
