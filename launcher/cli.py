"""The launcher's command line. Without a command it runs the service."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from .errors import LauncherError

EXIT_CODES = (
    "exit codes: 0 stopped on request, 1 something that was started ended by itself, 2 a setting is wrong, "
    "3 something needed is missing or taken, 4 the data folder cannot be used, 5 no real TDX, "
    "6 a file is not what was built"
)


def _parser(release: Path) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="open-webui-tdx", epilog=EXIT_CODES,
        description="Open WebUI with Intel TDX attestation. Settings come from the environment: docs/deployment.md.",
    )
    parser.set_defaults(command="run", allow_modified=False, release=release)
    commands = parser.add_subparsers(title="commands", metavar="")
    run = commands.add_parser("run", help="check, measure and serve (also without a command)")
    run.add_argument("--allow-modified", action="store_true", help="serve a release that is not what was built, and say so")
    run.set_defaults(command="run")
    return parser


def main(arguments: list[str], release: Path) -> int:
    """Run one command; every known failure is one sentence on standard error and an exit code."""
    options = _parser(release).parse_args(arguments)
    # Nothing in the release or its data is written with more rights than asked for, whatever the shell's umask.
    os.umask(0o022)
    try:
        return _dispatch(options)
    except LauncherError as error:
        print(f"open-webui-tdx: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return 130


def _dispatch(options: argparse.Namespace) -> int:
    from .run import run

    return run(options.release, os.environ, options.allow_modified)
