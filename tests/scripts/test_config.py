from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.config import check_interpreter, check_machine, from_environment
from scripts.errors import MissingError, UsageError

ROOT = Path(__file__).resolve().parents[2]


def test_the_defaults() -> None:
    cfg = from_environment(ROOT, {"XDG_CACHE_HOME": "/c"})
    assert (cfg.profile, cfg.source, cfg.offline) == ("slim", "index", False)
    assert (cfg.build, cfg.dist, cfg.var) == (ROOT / "build", ROOT / "dist", ROOT / "var")
    assert cfg.cache == Path("/c/open-webui-tdx")
    assert cfg.release == cfg.dist / f"open-webui-tdx-{cfg.pins.release.version}"
    assert cfg.python_version == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert subprocess.check_output([cfg.python, "-c", "import sys; print(sys.prefix == sys.base_prefix)"]) == b"True\n"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PROFILE", "medium", "PROFILE=medium is not known; use one of: slim, full"),
        ("OFFLINE", "maybe", "OFFLINE=maybe"),
        ("JOBS", "0", "JOBS=0"),
        ("JOBS", "many", "JOBS=many"),
        ("SOURCE", "/no/such/place", "SOURCE=/no/such/place"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(name: str, value: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        from_environment(ROOT, {name: value})


@pytest.mark.slow
def test_an_unknown_profile_ends_the_command_with_one_sentence() -> None:
    command = [sys.executable, "-m", "scripts", "build"]
    done = subprocess.run(
        command, cwd=ROOT, env={"PROFILE": "medium", "HOME": "/"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == UsageError.exit_code
    assert done.stderr == "error: PROFILE=medium is not known; use one of: slim, full.\n"


def test_other_pythons_and_machines_are_refused() -> None:
    for version in ((3, 10), (3, 13)):
        with pytest.raises(MissingError, match=rf"Python 3\.{version[1]} .* 3\.11 or 3\.12"):
            check_interpreter(version)
    check_interpreter((3, 12))
    with pytest.raises(MissingError, match="aarch64"):
        check_machine("Linux", "aarch64")
    check_machine("Linux", "x86_64")
