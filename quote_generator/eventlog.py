"""The event log together with its register: a line is in the log if, and only if, RTMR 3 was extended by it.

An append writes the log with its next line beside the old one and syncs it, extends the register, then renames. After
a kill in between, the register itself says whether the extend happened. A register that neither log leads to was
extended by somebody else; nothing can be measured then until the next boot.

    log = EventLog.open(directory, find_registers())
    log.ensure("release", {"sha384": digest})
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Mapping
from typing import Any

from .aael import (
    DOMAIN,
    INIT_LINE,
    LAUNCH,
    EventLogError,
    digest,
    extended,
    format_line,
    in_force,
    launch_content,
    replay,
    replay_lines,
    to_text,
)
from .errors import TdxAttestError
from .logfolder import LogFolder
from .registers import Registers

__all__ = ["EventLog", "EventLogError", "ForeignRegisterError", "UnmeasurableError", "replay"]


class ForeignRegisterError(EventLogError):
    """RTMR 3 does not hold what the log leads to: something else extended it since the TD booted."""


class UnmeasurableError(EventLogError):
    """The register cannot be extended here. Nothing was extended and nothing was logged."""


class EventLog:
    """The log of this boot. Every call takes the lock; any number of processes and threads may use one folder."""

    def __init__(self, folder: LogFolder, registers: Registers) -> None:
        self._folder = folder
        self._registers = registers

    @classmethod
    def open(cls, directory: str | os.PathLike[str], registers: Registers, boot_id: str | None = None) -> EventLog:
        """The log below `directory` (made if absent), recovered from a crash; logs of earlier boots are archived.

        Raises ForeignRegisterError, EventLogError, or TdxAttestError where the register cannot be read.
        """
        log = cls(LogFolder(directory, boot_id), registers)
        log._folder.create()
        with log._folder.locked(fcntl.LOCK_EX):
            log._recover()
        return log

    def append(self, operation: str, content: Mapping[str, Any] | str, domain: str = DOMAIN) -> str:
        """Extends RTMR 3 by an event and logs it; writes the INIT line first in an empty log. Returns the line."""
        line = format_line(operation, content, domain)
        with self._folder.locked(fcntl.LOCK_EX):
            self._add(self._recover(), line)
        return line

    def ensure(self, operation: str, content: Mapping[str, Any] | str, domain: str = DOMAIN) -> bool:
        """Appends the event unless the same line is there already. Returns whether it was appended."""
        line = format_line(operation, content, domain)
        with self._folder.locked(fcntl.LOCK_EX):
            lines = self._recover()
            if line in lines:
                return False
            self._add(lines, line)
        return True

    def launch(self, events: Iterable[tuple[str, Mapping[str, Any]]], keep: bool = False) -> int:
        """Puts exactly these events in force: appends those that are missing, then a `launch` that names them all.

        Nothing is appended where the last launch put the same events in force. Returns how many lines were appended.
        `keep`: beside what is in force already, for what is measured while a launch runs.
        No quote is made in between: a log that is read ends with a launch, unless its writer was killed.
        """
        plan = list(dict.fromkeys(format_line(operation, content) for operation, content in events))
        with self._folder.locked(fcntl.LOCK_EX):
            lines = self._recover()
            before = len(lines)
            if keep:
                plan = list(dict.fromkeys([*in_force(lines), *plan]))
            for line in plan:
                if line not in lines:
                    lines = self._add(lines, line)
            closing = format_line(LAUNCH, launch_content(lines, plan))
            if lines[-1] != closing:
                lines = self._add(lines, closing)
        return len(lines) - before

    def lines(self) -> list[str]:
        """The lines that RTMR 3 holds now, INIT included; raises ForeignRegisterError where it holds others."""
        with self._folder.locked(fcntl.LOCK_SH):
            register = self._registers.read()
            for lines in self._folder.candidates():
                if replay_lines(lines) == register:
                    return lines
            raise self._foreign(register)

    def text(self) -> str:
        """The log as AAEL text; empty before the first event."""
        return to_text(self.lines())

    def rtmr3(self) -> bytes:
        """The register's current value: 48 bytes."""
        return self._registers.read()

    def verify(self) -> None:
        """Raises ForeignRegisterError unless the log replays to the register."""
        self.lines()

    def _recover(self) -> list[str]:
        """Finishes what a killed writer left, by asking the register. Returns the committed lines."""
        committed, *pending = self._folder.candidates()
        register = self._registers.read()
        if pending and replay_lines(pending[0]) == register:
            self._folder.commit()
            return pending[0]
        if replay_lines(committed) != register:
            raise self._foreign(register)
        if pending:
            self._folder.drop_pending()
        return committed

    def _add(self, lines: list[str], line: str) -> list[str]:
        if not lines:
            lines = self._extend([], INIT_LINE)
        return self._extend(lines, line)

    def _extend(self, lines: list[str], line: str) -> list[str]:
        before = replay_lines(lines)
        after = extended(before, digest(line))
        self._folder.write_pending([*lines, line])
        refusal: TdxAttestError | None = None
        try:
            self._registers.extend(digest(line))
        except TdxAttestError as error:
            refusal = error
        register = self._registers.read()  # the register decides, whatever the call answered
        if register == before:
            self._folder.drop_pending()
            reason = refusal or f"{self._registers.name} reported success, but the register did not change"
            raise UnmeasurableError(f"RTMR 3 cannot be extended: {reason}") from refusal
        if register != after:
            raise self._foreign(register)
        self._folder.commit()
        return [*lines, line]

    def _foreign(self, register: bytes) -> ForeignRegisterError:
        return ForeignRegisterError(
            f"RTMR 3 holds {register.hex()[:16]}..., which the event log in {self._folder.folder} does not lead to: "
            "another program extended it since boot, or the log was changed; reboot the TD and start this service first"
        )
