"""`quote-verifier unlock URL --release FILE --key FILE`: verify, then have the data opened; `--watch`: and stay."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
import urllib3
from rich.console import Console
from urllib3.exceptions import InsecureRequestWarning

from .. import options
from ..address import origin_of
from ..collateral_cache import CollateralCache
from ..data_unlock.message import MOST_GENERATIONS, Action
from ..errors import Unreachable, UsageError
from ..fetch import Fetcher
from ..report import print_verdict, printable
from ..request import Request, prepare, sources
from ..verdict import Verdict
from . import granting, keyfile, words
from .opening import Opening, Outcome

ACCEPTABLE = ("simulated", "administrator")
WATCH_S = 5.0
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Key = Annotated[Path | None, typer.Option(metavar="FILE", help="The owner's key file (--new-key makes one).")]
NewKey = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw a new owner's key into this file, and print its DATA_OWNER.")
]
RestoreKey = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the key into this file anew, from its 24 words on standard input."),
]
DataKey = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        max=10_000,
        help="With --restore-key: how often the data's key was exchanged (--rotate-key).",
    ),
]
Create = Annotated[bool, typer.Option("--create", help="The first time: have a new, empty folder made.")]
GrantFile = Annotated[
    Path | None,
    typer.Option(
        "--grant",
        metavar="FILE",
        help="Write what a Trustee is to keep for this owner into a new file. It holds the data's key.",
    ),
]
GrantResource = Annotated[
    str | None,
    typer.Option("--for", metavar="RESOURCE", help="With --grant: where the Trustee keeps it, repository/type/tag."),
]
Rotate = Annotated[
    bool, typer.Option("--rotate-key", help="Open the data and give it another key, which the key file then holds.")
]
Full = Annotated[
    bool,
    typer.Option(
        "--full",
        help="With --rotate-key: copy everything under a new master key as well, against whoever kept the old one.",
    ),
]
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
    restore_key: RestoreKey = None,
    data_key: DataKey = 0,
    grant: GrantFile = None,
    grant_resource: GrantResource = None,
    create: Create = False,
    rotate_key: Rotate = False,
    full: Full = False,
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
    if new_key or restore_key:
        _write_key(new_key, restore_key, data_key, url)
        raise typer.Exit(0)
    if grant or grant_resource:
        _write_grant(grant, grant_resource, key, url, accept_generation)
        raise typer.Exit(0)
    if not url or not key:
        raise UsageError("give the address of the service and --key data.key; --new-key data.key makes one")
    accepted, action = _accepted(accept), _action(create, rotate_key, full)
    if watch and action is not Action.OPEN:
        raise UsageError("--create and --rotate-key are asked once: a watch opens what is there, and changes nothing")
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
    opening = _opening(request, keyfile.load(key), accepted)
    one = _Attempts(opening, key, action, accept_generation)
    raise typer.Exit(one.watch() if watch else one.once())


def _opening(request: Request, owner: keyfile.OwnerKey, accepted: frozenset[str]) -> Opening:
    held, fetcher = prepare(request)
    url = request.url or ""
    if not request.ca_file:  # a locked door has no certificate of a CA's yet, and none is needed: see Opening
        urllib3.disable_warnings(InsecureRequestWarning)
        fetcher = Fetcher(None, request.timeout, origin_of(url))
    cache = CollateralCache(request.cache, request.offline)
    return Opening(url, owner, sources(request, fetcher), cache, fetcher, held, accepted, _Teller(url))


def _accepted(given: list[str] | None) -> frozenset[str]:
    unknown = [each for each in given or () if each not in ACCEPTABLE]
    if unknown:
        raise UsageError(f"--accept {unknown[0]} is not known; it is {' or '.join(ACCEPTABLE)}")
    return frozenset(given or ())


def _action(create: bool, rotate: bool, full: bool) -> Action:
    if full and not rotate:
        raise UsageError("--full says how --rotate-key is to be done: give both")
    if create and rotate:
        raise UsageError(
            "--create makes a new, empty folder, and --rotate-key needs one that is there: give one of them"
        )
    if rotate:
        return Action.COPY if full else Action.ROTATE
    return Action.CREATE if create else Action.OPEN


def _write_key(new: Path | None, restored: Path | None, number: int, url: str | None) -> None:
    path = new or restored
    if path is None or (new and restored) or url:
        raise UsageError(
            "--new-key or --restore-key makes a key file, and asks no service: give one of them, and no address"
        )
    if restored:
        _say(f"The {words.COUNT} words, in one line or more, and an empty line at the end:")
        made = keyfile.make(path, words.secret_of(_until_empty()), number)
    else:
        made = keyfile.make(path)
    print(f"DATA_OWNER={made.public}")
    _say(
        f"The key is in {path}, which only this account may read. Without it nobody opens the data: keep a copy "
        "elsewhere."
    )
    if new:
        _say(
            "The same key in words, to be written down on paper (--restore-key reads them); whoever reads them has it:"
        )
        for line in words.lines_of(made.secret):
            _say(f"  {line}")


def _write_grant(path: Path | None, resource: str | None, key: Path | None, url: str | None, least: int | None) -> None:
    if not path or not resource or not key or url:
        raise UsageError("--grant FILE takes --for repository/type/tag and --key data.key, and no address")
    granting.write(path, key, resource, least)
    _say(granting.WRITTEN.format(path, resource))


def _until_empty() -> str:
    """Standard input as far as an empty line, or its end."""
    lines = []
    for line in sys.stdin:
        if not line.strip():
            break
        lines.append(line)
    return " ".join(lines)


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
        key = keyfile.load(self._key)  # another process may have exchanged the data's key meanwhile
        outcome = replace(self._opening, key=key)(self._action, 0 if self._action is Action.CREATE else least)
        if outcome.generation is not None and outcome.state != "refused":
            # what is open already counts as well, but never takes the count back; an opening is the TD's own word
            newer = outcome.state == "opened" or outcome.generation > known
            if newer:
                keyfile.remember(self._key, outcome.generation)
                self._accepted = None
        if outcome.state == "opened" and self._action.keys > 1:
            keyfile.advance(self._key, key.following)
            _say(
                f"The data has another key now, and {self._key} holds it: copy that file again to where copies are "
                "kept. A Trustee that holds a grant needs a new one (--grant)."
            )
        return outcome


def _say(sentence: str) -> None:
    print(printable(sentence), file=sys.stderr, flush=True)
