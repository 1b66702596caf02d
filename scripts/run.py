"""The one command runner: echoes, logs everything, and says where the log is when a command fails."""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, cast

from scripts.errors import CommandError, MissingError

TAIL = 25  # lines of a failed command's output that are shown
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


class Runner:
    """Runs the commands of one stage. `run(["node", "x.js"], cwd=folder, env={"A": "b"})`."""

    def __init__(self, stage: str, log: Path, place: str = "", about: float | None = None) -> None:
        """`place`: what a terminal shows instead of the stage's name; `about`: seconds that the stage usually takes."""
        self.stage = stage
        self.log = log
        self._place, self._about = place or stage, about
        self._began = time.monotonic()

    def start_log(self) -> None:
        """Begin the log anew; a stage calls for this once."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_text("", encoding="utf-8")

    def say(self, text: str) -> None:
        """One line for the person and the log."""
        print(f"[{self.stage}] {text}", flush=True)
        self._append(text + "\n")

    def __call__(
        self,
        command: Sequence[object],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        quiet: bool = False,
        what: str = "",
    ) -> str:
        """Run `command` (each part a text or a path) to its end and return its output (stdout and stderr together).

        `env` is laid over this process's environment; a value of None removes the name. `quiet` logs without
        echoing. `what` names the work in the error message. Raises CommandError when it fails, MissingError
        when the program is not there.
        """
        arguments = [os.fspath(cast("str | Path", part)) for part in command]
        echo = _CREDENTIALS.sub("***@", shlex.join(arguments))
        if not quiet:
            print(f"[{self.stage}] $ {_shorten(echo, 200)}", flush=True)
        self._append(f"$ {echo}\n")
        began = time.monotonic()
        status, output = self._run(arguments, cwd, _merged(env), quiet)
        took = time.monotonic() - began
        self._append(f"-> exit status {status} after {took:.1f} s\n")
        if status:
            raise CommandError(self._failure(what or Path(arguments[0]).name, status, output))
        return output

    def _run(self, arguments: list[str], cwd: Path | None, env: dict[str, str], quiet: bool) -> tuple[int, str]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            process = subprocess.Popen(
                arguments,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        except FileNotFoundError as error:
            if cwd is not None and not cwd.is_dir():
                raise
            raise MissingError(f"{error.filename} is not installed; `make doctor` says what is missing.") from None
        lines: list[str] = []
        try:
            with self.log.open("a", encoding="utf-8") as log, self._progress(quiet) as progress:
                assert process.stdout is not None
                for line in process.stdout:
                    log.write(_CREDENTIALS.sub("***@", line))
                    lines.append(line)
                    progress.line(line)
            return process.wait(), "".join(lines)
        except BaseException:
            _end_group(process)
            raise

    def _progress(self, quiet: bool) -> _Progress:
        return _Progress(self._place, self._began, self._about, quiet)

    def _failure(self, what: str, status: int, output: str) -> str:
        reason = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"failed with exit status {status}"
        last = deque(_CREDENTIALS.sub("***@", output).splitlines(), TAIL)
        shown = "".join(f"\n    {line}" for line in last)
        return (
            f"{what} {reason} in stage {self.stage}; the whole log is {self.log}. Its last lines:{shown or ' (none)'}"
        )

    def _append(self, text: str) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a", encoding="utf-8") as log:
            log.write(text)


class _Progress:
    """The latest line of a long command, rewritten in place: only on a terminal that nobody else writes to."""

    def __init__(self, place: str, began: float, about: float | None, quiet: bool) -> None:
        alone = "jobserver" not in os.environ.get("MAKEFLAGS", "")
        self._stream: IO[str] | None = sys.stdout if sys.stdout.isatty() and alone and not quiet else None
        self._place, self._began, self._shown = place, began, 0.0
        self._about = f" of about {minutes(about)}" if about else ""

    def __enter__(self) -> _Progress:
        return self

    def line(self, text: str) -> None:
        now = time.monotonic()
        if self._stream is None or now - self._shown < 0.2:
            return
        self._shown = now
        width = max(20, _width() - 1)
        shown = _shorten(f"[{self._place}, {minutes(now - self._began)}{self._about}] {_plain(text)}", width)
        self._stream.write(f"\r\x1b[K{shown}")
        self._stream.flush()

    def __exit__(self, *_: object) -> None:
        if self._stream is not None and self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def minutes(seconds: float) -> str:
    """Minutes and seconds, such as 1:20."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _width() -> int:
    try:
        return os.get_terminal_size().columns
    except OSError:
        return 80


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x1f]", "", text)


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def _merged(env: Mapping[str, str | None] | None) -> dict[str, str]:
    merged = {**os.environ, **(env or {})}
    return {name: value for name, value in merged.items() if value is not None}


def _end_with_parent() -> None:
    """In the child: if the build tool is killed, so is the command, lest it write into the next attempt's folder."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _end_group(process: subprocess.Popen[str]) -> None:
    """End the command and whatever it started: it leads a process group of its own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue
