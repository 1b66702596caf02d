"""Put events into RTMR 3 and its log, in a process of its own: the launcher itself never opens the device.

The child (`_module launcher.measure.registers FOLDER`) reads `{"keep", "events": [[operation, content], ...]}` as JSON
from its standard input and answers one JSON object on its standard output.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import LauncherError, TdxError
from ..plan.events import Event
from ..plan.processes import Process

TIMEOUT_S = 120


@dataclass(frozen=True)
class Outcome:
    """What a measurement led to. `problem` is "" or why nothing can be measured on this machine."""

    measured: bool
    added: int
    rtmr3: str
    problem: str = ""


def extend(registrar: Process, events: Sequence[Event], keep: bool = False) -> Outcome:
    """Put exactly these events in force: each once a boot in RTMR 3 and the log, a `launch` event after them.

    `keep`: beside what is in force already, for what is measured while a launch runs. Raises TdxError.
    """
    request = json.dumps({"keep": keep, "events": [[event.operation, dict(event.content)] for event in events]})
    registrar.cwd.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(  # noqa: S603 - our own commands
            registrar.command,
            input=request,
            env=dict(registrar.env),
            cwd=registrar.cwd,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            start_new_session=True,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise TdxError(f"The TDX device did not answer within {TIMEOUT_S} s.") from None
    except ValueError:
        raise LauncherError(
            f"The process that measures ended early: {done.stderr.strip()[-800:] or done.returncode}"
        ) from None
    if answer["kind"] == "error":
        raise TdxError(f"The launch cannot be measured: {answer['message']}.")
    if answer["kind"] == "unmeasurable":
        return Outcome(False, 0, "", answer["message"])
    return Outcome(True, answer["added"], answer["rtmr3"])


def _measure(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    from quote_generator import TdxAttestError
    from quote_generator.errors import LibraryNotFoundError, NotSupportedError
    from quote_generator.eventlog import EventLog, EventLogError, UnmeasurableError
    from quote_generator.registers import find_registers

    log = None
    try:
        log = EventLog.open(folder, find_registers())
        added = log.launch(((operation, content) for operation, content in request["events"]), request["keep"])
        return {"kind": "measured", "added": added, "rtmr3": log.rtmr3().hex()}
    except (UnmeasurableError, NotSupportedError, LibraryNotFoundError) as error:
        # A register that was extended this boot and now refuses is a failure, not a machine without one.
        kind = "error" if log is not None and log.lines() else "unmeasurable"
        return {"kind": kind, "message": str(error)}
    except (EventLogError, TdxAttestError) as error:
        return {"kind": "error", "message": str(error)}


if __name__ == "__main__":
    print(json.dumps(_measure(Path(sys.argv[1]), json.load(sys.stdin))))
