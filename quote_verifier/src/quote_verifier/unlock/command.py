"""`quote-verifier unlock URL --release FILE --key FILE`: verify, then have the data opened; `--watch`: and stay."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from .. import options
from ..collateral_cache import CollateralCache
from ..data_unlock.message import MOST_GENERATIONS, Action
from ..errors import Unreachable, UsageError
from ..report import print_verdict, printable
from ..request import Request, prepare, sources
from ..verdict import Verdict
from . import keyfile
from .opening import Opening, Outcome

ACCEPTABLE = ("simulated", "administrator")
WATCH_S = 5.0
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Key = Annotated[Path | None, typer.Option(metavar="FILE", help="The owner's key file (--new-key makes one).")]
NewKey = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw a new owner's key into this file, and print its DATA_OWNER.")
]
Create = Annotated[bool, typer.Option("--create", help="The first time: have a new, empty folder made.")]
Watching = Annotated[bool, typer.Option("--watch", help="Stay, and open the data again after each restart.")]
Accept = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHAT",
        help="Accept simulated hardware (simulated), or trust whoever administers the service (administrator).",
    ),
]
AcceptGeneration = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        max=MOST_GENERATIONS,
        help="Open data that was opened N times only, after a restore of your own.",
    ),
]


@app.command(epilog="Exit codes: 0 the data is open, the others as of quote-verifier.")
def command(
    url: options.Url = None,
    release: options.Release = None,
    key: Key = None,
    new_key: NewKey = None,
    create: Create = False,
    watch: Watching = False,
    accept: Accept = None,
    accept_generation: AcceptGeneration = None,
    policy: options.Policy = None,
    pccs: options.Pccs = None,
    pcs: options.Pcs = False,
    offline: options.Offline = False,
    cache: options.Cache = None,
    ca_file: options.CaFile = None,
    timeout: options.Timeout = 20.0,
) -> None:
    """Verify a service, and have its encrypted data opened with your key, which leaves only for the verified TD."""
    if new_key:
        _new_key(new_key, url)
        raise typer.Exit(0)
    if not url or not key:
        raise UsageError("give the address of the service and --key data.key; --new-key data.key makes one")
    unknown = [each for each in accept or () if each not in ACCEPTABLE]
    if unknown:
        raise UsageError(f"--accept {unknown[0]} is not known; it is {' or '.join(ACCEPTABLE)}")
    if create and watch:
        raise UsageError("--create is for the first time: a watch opens what is there, and makes nothing")
    given: dict[str, Any] = {
        "url": url,
        "release": release,
        "policy": policy,
        "pccs": pccs,
        "pcs": pcs,
        "offline": offline,
    }
    given |= {"cache": cache, "ca_file": ca_file, "timeout": timeout}
    request = Request(**{name: value for name, value in given.items() if value is not None})
    held, fetcher = prepare(request)
    opening = Opening(
        request.url or "",
        keyfile.load(key),
        sources(request, fetcher),
        CollateralCache(request.cache, request.offline),
        fetcher,
        held,
        frozenset(accept or ()),
        _Teller(request.url or ""),
    )
    one = _Attempts(opening, key, Action.CREATE if create else Action.OPEN, accept_generation)
    raise typer.Exit(one.watch() if watch else one.once())


def _new_key(path: Path, url: str | None) -> None:
    if url:
        raise UsageError("--new-key makes a key, and asks no service: leave the address out")
    made = keyfile.make(path)
    print(f"DATA_OWNER={made.public}")
    _say(
        f"The key is in {path}, which only this account may read. Keep a copy elsewhere: without it nobody opens the "
        "data."
    )


class _Teller:
    """The first verdict in full; afterwards only what changes is said."""

    def __init__(self, subject: str) -> None:
        self._subject, self._first = subject, True

    def __call__(self, verdict: Verdict) -> None:
        if self._first:
            print_verdict(verdict, self._subject, Console(stderr=True))
        self._first = False


class _Attempts:
    """Attempts with one key file, which remembers how often the data was opened."""

    def __init__(
        self,
        opening: Opening,
        key: Path,
        action: Action,
        accepted_generation: int | None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._opening, self._key, self._action = opening, key, action
        self._accepted, self._sleep = accepted_generation, sleep

    def once(self) -> int:
        """One attempt; the exit code. Raises `Unreachable`, `UsageError`."""
        outcome = self._attempt()
        _say(outcome.sentence)
        return outcome.code

    def watch(self) -> int:
        """For ever: attempt again and again, and say what changes."""
        said = ""
        while True:
            try:
                sentence = self._attempt().sentence
            except Unreachable as error:
                sentence = f"{error}."
            if sentence != said:
                _say(sentence)
            said = sentence
            self._sleep(WATCH_S)

    def _attempt(self) -> Outcome:
        known = keyfile.seen(self._key)
        least = known if self._accepted is None else self._accepted
        outcome = self._opening(self._action, 0 if self._action is Action.CREATE else least)
        if outcome.generation is not None and outcome.state != "refused":
            # what is open already counts as well, but never takes the count back; an opening is the TD's own word
            newer = outcome.state == "opened" or outcome.generation > known
            if newer:
                keyfile.remember(self._key, outcome.generation)
                self._accepted = None
        return outcome


def _say(sentence: str) -> None:
    print(printable(sentence), file=sys.stderr, flush=True)
