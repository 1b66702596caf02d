"""Start processes so that they can all be stopped again, whatever happens to the launcher.

Every child leads a process group of its own (a Ctrl-C in the terminal reaches only the launcher, which then stops the
children in order), asks the kernel to be killed when the launcher dies (see `__main__.run_module`), and writes to a
log file of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from ..errors import ChildError, Stopped, UnavailableError, writing
from ..plan.processes import Process
from ..summary import notice
from . import descendants
from .fence import Fence
from .notify import Notifier
from .ready import is_ready

TAIL_LINES = 15
TAIL_BYTES = 16_384
POLL_S = 0.05


@dataclass
class Child:
    """A running process of the launcher's."""

    spec: Process
    process: subprocess.Popen[bytes]
    log: Path

    def tell(self, message: bytes) -> None:
        """Write to the standard input of a process that was started to be told, and close it."""
        pipe = self.process.stdin
        if pipe is None:
            raise ValueError(f"{self.spec.name} was not started to be told anything")
        with suppress(BrokenPipeError), pipe:  # it ended; `Supervisor.check` says so, with its log
            pipe.write(message)

    def tail(self) -> str:
        """The last lines of the log, for a person to see why it ended."""
        with open(self.log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])


@dataclass
class Supervisor:
    """Starts children in order, watches them, stops them in the opposite order."""

    logs: Path
    children: list[Child] = field(default_factory=list)
    signal_received: int | None = None
    reload_asked: bool = False
    adopts: bool = False
    orphans: descendants.Orphans = field(default_factory=descendants.Orphans)
    notifier: Notifier = field(default_factory=Notifier)
    fence: Fence | None = None
    starting: bool = False  # something that serves is being started, after the service was said to be ready

    def catch_signals(self) -> None:
        """From now on a signal ends the launch in order, and nothing that it starts can leave it.

        SIGHUP only where it says that the terminal is gone; without one it asks for files to be read anew.
        """
        self.adopts = descendants.adopt()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP and not os.isatty(0):
            self.reload_asked = True
        else:
            self.signal_received = number

    def check(self) -> None:
        """Raise Stopped if a signal came, ChildError if a child ended."""
        if self.signal_received is not None:
            raise Stopped
        for child in self.children:
            code = child.process.poll()
            if code is not None:
                raise ChildError(
                    f"{child.spec.name} ended by itself ({_describe(code)}), so everything was stopped. "
                    f"Its log is {child.log}; the last lines:\n{child.tail()}"
                )
        if self.notifier.due() and (self.starting or not self.notifier.serving or self._all_answer()):
            self.notifier.alive()

    def _all_answer(self) -> bool:
        """Whether every child still gives its sign: one that hangs is no service, though its process is there."""
        return all(self._is_ready(child.spec) for child in self.children)

    def _is_ready(self, spec: Process) -> bool:
        """Whether a process has given its sign, which may have to be looked for where it is."""
        if spec.fenced and spec.ready.url and self.fence:
            return self.fence.inside(lambda: is_ready(spec.ready))
        return is_ready(spec.ready)

    def start(self, spec: Process, files: Sequence[int] = ()) -> Child:
        """Start one process, which gets the open `files` under the same numbers; `wait` for it before relying on it.

        Raises ChildError, UnavailableError, Stopped.
        """
        self.check()
        log = self.logs / f"{spec.name.replace(' ', '-')}.log"
        with writing("a log", log):
            if log.exists():
                log.replace(log.with_suffix(".log.1"))
            output = open(log, "xb")  # noqa: SIM115 - the child keeps it
        with output:
            child = Child(spec, self._popen(spec, output.fileno(), files), log)
        self.children.append(child)
        return child

    def wait(self, children: Sequence[Child], timeout_s: float) -> None:
        """Wait until all of `children` are ready. Raises ChildError, UnavailableError, Stopped."""
        deadline = time.monotonic() + timeout_s
        for child in children:
            while not self._is_ready(child.spec):
                self.check()
                if time.monotonic() > deadline:
                    raise UnavailableError(
                        f"{child.spec.name} was not ready after {timeout_s:.0f} s (START_TIMEOUT_S). "
                        f"Its log is {child.log}; the last lines:\n{child.tail()}"
                    )
                time.sleep(POLL_S)

    def _popen(self, spec: Process, output: int, files: Sequence[int]) -> subprocess.Popen[bytes]:
        command, account = list(spec.command), spec.user
        if spec.fenced:
            if self.fence is None:
                raise UnavailableError(f"{spec.name} is to run inside the fence, and there is none.")
            command, account = self.fence.command(command, account), None  # it changes the account once it is inside
            files = [*files, self.fence.network]
        user, group = (account.uid, account.gid) if account else (None, None)
        groups: list[int] | None = [] if account else None
        try:
            return subprocess.Popen(  # noqa: S603 - our own commands
                command,
                env=dict(spec.env),
                cwd=spec.cwd,
                stdin=subprocess.PIPE if spec.told else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=files,
                user=user,
                group=group,
                extra_groups=groups,
            )
        except OSError as error:
            raise UnavailableError(f"Cannot start {spec.name} with {spec.command[0]}: {error.strerror}.") from error

    def watch(self, tend: Callable[[bool], None], also: Callable[[], None] = lambda: None) -> None:
        """Return never; raises Stopped or ChildError. `tend` is called now and then, and told whether SIGHUP came, and
        so is `also`."""
        while True:
            self.check()
            asked, self.reload_asked = self.reload_asked, False
            tend(asked)
            also()
            if self.adopts:
                self.orphans.reap({child.process.pid for child in self.children})
            time.sleep(4 * POLL_S)

    def end(self, child: Child) -> None:
        """End one child and whatever it started: politely, then not."""
        _signal_group(child.process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(child.spec.stop_s)
        # Also where the leader went by itself: a member of its group may still be there.
        _signal_group(child.process.pid, signal.SIGKILL)
        child.process.wait()
        self.children.remove(child)

    def stop(self) -> None:
        """End every child and whatever it started, last one first."""
        for child in self.children[::-1]:
            self.end(child)
        if self.adopts and (left := descendants.end_all()):
            notice(f"The kernel does not let go of these processes: {', '.join(map(str, sorted(left)))}.")


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _describe(code: int) -> str:
    if code < 0:
        try:
            return f"signal {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code}"
