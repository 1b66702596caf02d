"""Runs the command line and turns every expected failure into one sentence and an exit code."""

from __future__ import annotations

import signal
import sys

from scripts.errors import ToolError, from_os_error


def main() -> int:
    from scripts.cli import app

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that commands under way are ended
    try:
        app()
    except ToolError as error:
        return _report(error)
    except OSError as error:
        return _report(from_os_error(error))
    except KeyboardInterrupt:
        print("\nInterrupted. Finished stages are kept; the one that was under way will be redone.", file=sys.stderr)
        return 130
    return 0


def _report(error: ToolError) -> int:
    sys.stdout.flush()
    print(f"error: {error}", file=sys.stderr)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
