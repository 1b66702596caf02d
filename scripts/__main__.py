"""Runs the command line and turns every expected failure into one sentence and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from scripts import children
from scripts.errors import ToolError, from_os_error


def main() -> int:
    """Run one command of the build tool; the exit code."""
    os.umask(0o022)  # a release can be read by other accounts, and is the same, whatever the person's umask
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    children.adopt()
    told = False
    try:
        return _command(sys.argv[1:])
    except ToolError as error:
        return _report(error)
    except OSError as error:
        return _report(from_os_error(error))
    except KeyboardInterrupt:
        told = True
        print("\nInterrupted. Finished stages are kept; the one that was under way will be redone.", file=sys.stderr)
        return 130
    finally:
        try:
            children.end_all(told)
        except KeyboardInterrupt:  # again: the person will not wait
            children.end_all(told, 0)


def _stop(number: int, frame: FrameType | None) -> None:
    """Unwind once, so that what is under way is ended; a second signal must not cut that short."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def _command(arguments: list[str]) -> int:
    if arguments == ["status", "--quiet"]:  # `make build` asks this each time: it must not wait for the library
        from scripts.building.status import report
        from scripts.config import from_environment, root

        return report(from_environment(root()), quiet=True)
    from scripts.cli import app

    app()
    return 0


def _report(error: ToolError) -> int:
    sys.stdout.flush()
    print(f"error: {error}", file=sys.stderr)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
