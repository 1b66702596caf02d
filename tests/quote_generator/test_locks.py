"""The log's locks are for the accounts that need them: whoever can open one can hold it, and quotes would wait."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from quote_generator.eventlog import EventLog
from tests.quote_generator.fakes import FileRegisters

pytestmark = pytest.mark.attack


@pytest.mark.parametrize("before", [None, 0o644, 0o666])
def test_no_other_account_can_hold_a_lock(tmp_path: Path, before: int | None) -> None:
    folder = tmp_path / "attestation"
    if before is not None:
        folder.mkdir()
        for name in ("turn", "lock"):
            (folder / name).touch()
            (folder / name).chmod(before)
    log = EventLog.open(folder, FileRegisters(tmp_path / "rtmr3"), "a-b")
    log.append("release", {"sha384": "00"})
    log.text()
    for name in ("turn", "lock"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        assert (folder / name).stat().st_uid == os.geteuid()
