"""The log and its register agree: after a kill at any step, with several writers, with readers in between."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quote_generator.aael import INIT_LINE, replay
from quote_generator.eventlog import EventLog, EventLogError, ForeignRegisterError, UnmeasurableError
from quote_generator.logfolder import LogFolder
from tests.quote_generator.fakes import FileRegisters

BOOT = "11111111-2222-3333-4444-555555555555"
EVENTS = [("release", {"sha384": "ab" * 48}), ("python", {"version": "3.11"}), ("settings", {"A": "1"})]
EXPECTED = [
    INIT_LINE,
    'open-webui-tdx release {"sha384":"' + "ab" * 48 + '"}',
    'open-webui-tdx python {"version":"3.11"}',
    'open-webui-tdx settings {"A":"1"}',
]


@pytest.fixture
def registers(tmp_path: Path) -> FileRegisters:
    return FileRegisters(tmp_path / "rtmr3")


def launch(directory: Path, registers: FileRegisters) -> EventLog:
    """What a launcher does: every event once a boot."""
    log = EventLog.open(directory, registers, BOOT)
    for operation, content in EVENTS:
        log.ensure(operation, content)
    return log


def test_a_launch_measures_and_a_second_one_adds_nothing(tmp_path: Path, registers: FileRegisters) -> None:
    log = launch(tmp_path / "log", registers)
    assert log.lines() == EXPECTED
    assert replay(log.text()) == log.rtmr3() == registers.read() != bytes(48)
    before = registers.read()
    assert launch(tmp_path / "log", registers).lines() == EXPECTED
    assert registers.read() == before


def test_an_unused_log_is_empty(tmp_path: Path, registers: FileRegisters) -> None:
    log = EventLog.open(tmp_path / "log", registers, BOOT)
    assert log.text() == "" and log.lines() == []
    log.verify()


def test_append_repeats_and_ensure_does_not(tmp_path: Path, registers: FileRegisters) -> None:
    log = EventLog.open(tmp_path / "log", registers, BOOT)
    assert log.ensure("model", {"name": "a"}) is True
    assert log.ensure("model", {"name": "a"}) is False
    log.append("model", {"name": "a"})
    assert len(log.lines()) == 3
    log.verify()


STEPS = ["open", "close", "fsync", "rename", "unlink", "mkdir", "write", "read"]


@pytest.fixture
def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """fsync stays a step, but costs nothing: a kill, unlike a power cut, does not lose what was written."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def in_child(work: Callable[[], object], kill_at: int, registers: FileRegisters) -> bool:
    """Runs `work` in a fork that dies right before its `kill_at`-th step. Returns whether it got that far."""
    child = os.fork()
    if child == 0:
        try:
            count = 0

            def counted(call: Callable[..., Any]) -> Callable[..., Any]:
                def step(*args: Any, **kwargs: Any) -> Any:
                    nonlocal count
                    count += 1
                    if count == kill_at:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return call(*args, **kwargs)

                return step

            for name in STEPS:
                setattr(os, name, counted(getattr(os, name)))
            fcntl.flock = counted(fcntl.flock)
            registers.extend = counted(registers.extend)  # type: ignore[method-assign]
            registers.read = counted(registers.read)  # type: ignore[method-assign]
            work()
        except BaseException:
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


@pytest.mark.slow
def test_a_kill_at_any_step_loses_and_repeats_nothing(tmp_path: Path, no_disk: None) -> None:
    kill_at = 0
    recovered_by_register = 0
    while True:
        kill_at += 1
        place = tmp_path / str(kill_at)
        place.mkdir()
        registers = FileRegisters(place / "rtmr3")
        killed = in_child(lambda: launch(place / "log", registers), kill_at, registers)  # noqa: B023
        pending = place / "log" / BOOT / "pending"
        if pending.exists() and replay(pending.read_text()) == registers.read():
            recovered_by_register += 1
        if (place / "lock").exists():
            assert_readable(place / "log", registers)
        log = launch(place / "log", registers)
        assert log.lines() == EXPECTED, f"after a kill at step {kill_at}"
        assert replay(log.text()) == registers.read()
        if not killed:
            break
    assert kill_at > 60  # every step of four appends was tried
    assert recovered_by_register >= 4  # among them those between the extend and the commit


def assert_readable(directory: Path, registers: FileRegisters) -> None:
    """A reader that comes before the recovery already sees what the register holds."""
    log = EventLog(LogFolder(directory, BOOT), registers)
    assert replay(log.text()) == registers.read()


@pytest.mark.slow
def test_two_kills_in_a_row(tmp_path: Path, no_disk: None) -> None:
    generator = random.Random(7)
    for attempt in range(15):
        place = tmp_path / str(attempt)
        place.mkdir()
        registers = FileRegisters(place / "rtmr3")
        for _ in range(3):
            in_child(lambda: launch(place / "log", registers), generator.randrange(1, 80), registers)  # noqa: B023
        assert launch(place / "log", registers).lines() == EXPECTED


@pytest.mark.slow
def test_processes_killed_at_random_times(tmp_path: Path) -> None:
    """Two writers at once, killed by the clock, again and again: the log still replays and holds no line twice."""
    registers = FileRegisters(tmp_path / "rtmr3")
    generator = random.Random(11)
    for _ in range(15):
        children = []
        for _ in range(2):
            child = os.fork()
            if child == 0:
                try:
                    log = EventLog.open(tmp_path / "log", registers, BOOT)
                    for number in range(200):
                        log.ensure("event", {"n": number})
                except BaseException:
                    os._exit(3)
                os._exit(0)
            children.append(child)
        time.sleep(generator.uniform(0.005, 0.08))
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    log = EventLog.open(tmp_path / "log", registers, BOOT)
    lines = log.lines()
    assert len(lines) > 2 and len(set(lines)) == len(lines)
    assert replay(log.text()) == registers.read()


@pytest.mark.slow
def test_two_processes_append_without_loss(tmp_path: Path, registers: FileRegisters) -> None:
    children = []
    for who in range(2):
        child = os.fork()
        if child == 0:
            try:
                log = EventLog.open(tmp_path / "log", registers, BOOT)
                for number in range(50):
                    log.append("event", {"who": who, "n": number})
            except BaseException:
                os._exit(3)
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    log = EventLog.open(tmp_path / "log", registers, BOOT)
    assert len(log.lines()) == 101
    log.verify()


@pytest.mark.slow
def test_readers_without_pause_do_not_keep_a_writer_out(tmp_path: Path, registers: FileRegisters) -> None:
    log = EventLog.open(tmp_path / "log", registers, BOOT)
    log.append("event", "0")
    stop = threading.Event()

    def reader() -> None:
        folder = LogFolder(tmp_path / "log", BOOT)
        while not stop.is_set():
            with folder.locked(fcntl.LOCK_SH):
                time.sleep(0.1)

    threads = [threading.Thread(target=reader) for _ in range(12)]
    for thread in threads:
        thread.start()
        time.sleep(0.008)  # out of step: at any moment some reader holds the lock
    try:
        started = time.monotonic()
        log.append("event", "1")
        assert time.monotonic() - started < 5
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_register_that_somebody_else_extended_is_foreign(tmp_path: Path, registers: FileRegisters) -> None:
    registers.extend(b"x" * 48)
    with pytest.raises(ForeignRegisterError, match="another program extended it since boot"):
        EventLog.open(tmp_path / "log", registers, BOOT)


def test_a_register_that_is_extended_behind_the_log_is_foreign(tmp_path: Path, registers: FileRegisters) -> None:
    log = launch(tmp_path / "log", registers)
    registers.extend(b"x" * 48)
    for call in (log.verify, log.text, lambda: log.append("event", "x"), lambda: log.ensure(*EVENTS[0])):
        with pytest.raises(ForeignRegisterError):
            call()
    assert (tmp_path / "log" / BOOT / "log").read_text().splitlines() == EXPECTED


@pytest.mark.parametrize("kind", ["refuse", "silent"])
def test_a_kernel_that_cannot_extend_leaves_no_trace(tmp_path: Path, kind: str) -> None:
    registers = FileRegisters(tmp_path / "rtmr3", **{kind: True})
    log = EventLog.open(tmp_path / "log", registers, BOOT)
    with pytest.raises(UnmeasurableError, match="RTMR 3 cannot be extended"):
        log.append("release", {"sha384": "00"})
    assert log.text() == "" and list((tmp_path / "log" / BOOT).iterdir()) == []


def test_logs_of_earlier_boots_are_archived(tmp_path: Path, registers: FileRegisters) -> None:
    first = launch(tmp_path / "log", registers).text()
    registers.path.write_bytes(bytes(48))  # the reboot
    after = EventLog.open(tmp_path / "log", registers, BOOT.replace("1", "9"))
    assert after.text() == ""
    assert (tmp_path / "log" / "archive" / BOOT / "log").read_text() == first
    EventLog.open(tmp_path / "log", registers, "8" + BOOT[1:])
    assert sorted(p.name for p in (tmp_path / "log" / "archive").iterdir()) == [BOOT, BOOT.replace("1", "9")]


def test_the_kernels_boot_id_is_the_default(tmp_path: Path, registers: FileRegisters) -> None:
    EventLog.open(tmp_path / "log", registers)
    assert (tmp_path / "log" / Path("/proc/sys/kernel/random/boot_id").read_text().strip()).is_dir()


@pytest.mark.parametrize("boot_id", ["../x", "a/b", "archive", "lock", "."])
def test_a_boot_id_is_no_path(tmp_path: Path, registers: FileRegisters, boot_id: str) -> None:
    with pytest.raises(EventLogError, match="no boot id"):
        EventLog.open(tmp_path / "log", registers, boot_id)


def test_a_full_disk_measures_nothing(
    tmp_path: Path, registers: FileRegisters, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = launch(tmp_path / "log", registers)
    before = registers.read()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(EventLogError, match="No space left on device; nothing was measured"):
            log.append("event", "x")
    assert registers.read() == before
    assert log.lines() == EXPECTED
    log.append("event", "x")
    log.verify()


@pytest.mark.parametrize("damage", [b"", b"garbage\n", b"\xff\n", INIT_LINE.encode()])
def test_a_damaged_log_is_never_believed(tmp_path: Path, registers: FileRegisters, damage: bytes) -> None:
    log = launch(tmp_path / "log", registers)
    (tmp_path / "log" / BOOT / "log").write_bytes(damage)
    for call in (log.text, lambda: log.append("event", "x"), lambda: EventLog.open(tmp_path / "log", registers, BOOT)):
        with pytest.raises(EventLogError):
            call()


def test_an_unusable_folder_is_one_sentence(tmp_path: Path, registers: FileRegisters) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EventLogError, match="cannot be used"):
        EventLog.open(tmp_path / "file", registers, BOOT)


def launched(*numbers: int) -> list[tuple[str, dict[str, int]]]:
    return [("event", {"n": number}) for number in numbers]


def in_force(lines: list[str]) -> list[str]:
    """What the last launch names, its digest compared."""
    content = json.loads(lines[-1].removeprefix("open-webui-tdx launch "))
    named = [lines[place - 1] for place in content["lines"]]
    text = "".join(f"{line}\n" for line in named)
    assert content["plan"] == hashlib.sha384(text.encode()).hexdigest()
    return [line.split(" ", 2)[2] for line in named]


def test_a_launch_ends_with_what_is_in_force(tmp_path: Path, registers: FileRegisters) -> None:
    log = EventLog.open(tmp_path / "log", registers, BOOT)
    assert log.launch(launched(1, 2)) == 4  # INIT, two events, the launch
    assert in_force(log.lines()) == ['{"n":1}', '{"n":2}']
    log.verify()


def test_the_same_launch_again_adds_nothing(tmp_path: Path, registers: FileRegisters) -> None:
    log = EventLog.open(tmp_path / "log", registers, BOOT)
    log.launch(launched(1, 2))
    before = registers.read()
    assert log.launch(launched(1, 2)) == 0 and registers.read() == before


def test_another_launch_says_that_it_is_in_force_now(tmp_path: Path, registers: FileRegisters) -> None:
    log = EventLog.open(tmp_path / "log", registers, BOOT)
    log.launch(launched(1, 2))
    assert log.launch(launched(3, 2)) == 2
    assert in_force(log.lines()) == ['{"n":3}', '{"n":2}']
    assert log.launch(launched(1, 2)) == 1, "back again: nothing new was measured, but it has to be said"
    assert in_force(log.lines()) == ['{"n":1}', '{"n":2}']


def test_a_launch_killed_half_way_is_completed(tmp_path: Path, registers: FileRegisters) -> None:
    log = EventLog.open(tmp_path / "log", registers, BOOT)
    log.append("event", {"n": 1})
    assert log.launch(launched(1, 2)) == 2
    assert in_force(log.lines()) == ['{"n":1}', '{"n":2}']


def test_what_is_measured_later_stands_beside_what_is_in_force(tmp_path: Path, registers: FileRegisters) -> None:
    log = EventLog.open(tmp_path / "log", registers, BOOT)
    log.launch(launched(1, 2))
    assert log.launch(launched(3), keep=True) == 2
    assert in_force(log.lines()) == ['{"n":1}', '{"n":2}', '{"n":3}']
    assert log.launch(launched(2), keep=True) == 0, "it is in force already"
    assert log.launch(launched(4)) == 2 and in_force(log.lines()) == ['{"n":4}']
