"""The command line: `python -m scripts STAGE`, `build`, `status` and the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.config import Config, from_environment
from scripts.stage import STAGES, destination, ensure, load, state

ROOT = Path(__file__).resolve().parent.parent
WORK_TO_DO = 10  # exit status of `status` when a stage is not current

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)


def config() -> Config:
    return from_environment(ROOT)


def _stage_command(name: str) -> None:
    @app.command(name, help=f"Bring stage {name} up to date (its dependencies must be).")
    def command() -> None:
        ensure(config(), name)


for _name in STAGES:
    _stage_command(_name)


@app.command()
def build() -> None:
    """Bring every stage up to date, one after the other."""
    cfg = config()
    for name in STAGES:
        ensure(cfg, name)


@app.command()
def status(quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only what is not current.")] = False) -> None:
    """Say which stages are current; exit status 10 if one is not."""
    cfg = config()
    stale: list[str] = []
    for name in STAGES:
        stage = load(name)
        found = state(cfg, stage)
        waits = [dependency for dependency in stage.DEPENDS if dependency in stale]
        if found.fresh and not waits:
            reason = "current"
        else:
            reason = found.reason if not found.fresh else f"may follow from {waits[0]}"
            stale.append(name)
        if not quiet:
            print(f"{name:12} {reason}")
    if stale:
        raise typer.Exit(WORK_TO_DO)
    if quiet:
        print(f"Nothing to do: {destination(cfg, load(STAGES[-1]))} is up to date.")


@app.command("list-upstream")
def list_upstream() -> None:
    """Make scripts/upstream-files.sha256 anew from the pinned source (only when the pin itself changes)."""
    from scripts import upstream_files
    from scripts.run import Runner
    from scripts.stage import write_durably
    from scripts.stages.fetch import list_upstream as make

    cfg = config()
    text = make(cfg, Runner("list-upstream", cfg.logs / "list-upstream.log"))
    write_durably(cfg.root / upstream_files.LIST, text.encode())
    print(f"{cfg.root / upstream_files.LIST}: {text.count(chr(10))} lines, {len(text)} bytes")
