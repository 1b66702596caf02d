"""Faults by name: each changes a plan in exactly one way and says what a verifier must make of the result."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

P = TypeVar("P")


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
    versions: tuple[int, ...] = (4, 5)


class Register(Protocol[P]):
    """What `registrar` returns: a decorator maker."""

    def __call__(
        self, name: str, summary: str, verdict: str = "refuse", versions: tuple[int, ...] = (4, 5)
    ) -> Callable[[Callable[[P], None]], Callable[[P], None]]: ...


def registrar(faults: dict[str, Fault[P]]) -> Register[P]:
    """A decorator maker that enters functions into `faults`."""

    def fault(
        name: str, summary: str, verdict: str = "refuse", versions: tuple[int, ...] = (4, 5)
    ) -> Callable[[Callable[[P], None]], Callable[[P], None]]:
        def register(function: Callable[[P], None]) -> Callable[[P], None]:
            faults[name] = Fault(name, summary, verdict, function, versions)
            return function

        return register

    return fault


def find(kind: str, faults: dict[str, Fault[P]], name: str) -> Fault[P]:
    """The fault of that name; ValueError that lists the known ones."""
    if name not in faults:
        raise ValueError(f"no {kind} fault is called {name!r}; known: {', '.join(sorted(faults))}")
    return faults[name]
