from __future__ import annotations

import errno
import signal
from collections.abc import Iterator

import pytest

from scripts import __main__, cli, errors
from scripts.building import status


def test_every_error_has_an_exit_code_of_its_own() -> None:
    family: list[type[errors.ToolError]] = [errors.ToolError, *errors.ToolError.__subclasses__()]
    codes = [kind.exit_code for kind in family]
    assert len(set(codes)) == len(family)
    assert 0 not in codes
    assert status.WORK_TO_DO not in codes


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EFBIG, errno.EDQUOT])
def test_a_full_or_forbidden_disk_is_one_sentence(number: int) -> None:
    told = str(errors.from_os_error(OSError(number, "reason", "/some/file")))
    assert "/some/file" in told
    assert "Earlier results are untouched" in told
    assert "\n" not in told


@pytest.fixture
def own_handlers() -> Iterator[None]:
    """What a process does at these signals afterwards, as before."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("own_handlers")
def test_main_turns_an_error_into_its_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/x")

    monkeypatch.setattr(cli, "app", fail)
    assert __main__.main() == errors.DiskError.exit_code
    assert capsys.readouterr().err.startswith("error: Cannot use /x: No space left on device")
