"""The settings of one run of the build tool, read once from the environment (make passes its variables there)."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.errors import MissingError, UsageError
from scripts.sources.pins import Pins, load

PROFILES = ("slim", "full")
PYTHONS = ((3, 11), (3, 12))
MACHINES = ("x86_64",)


@dataclass(frozen=True)
class Config:
    """Everything a stage may know about this run. Paths are absolute."""

    root: Path  # the repository
    build: Path  # may be deleted at any time
    dist: Path  # the release
    cache: Path  # downloads, tool environments, uv's and npm's caches; outlives `make clean`
    var: Path  # user data: nothing here writes to it
    profile: str  # "slim" or "full"
    source: str  # "index", "git", or the path of a checkout or archive
    git_url: str
    offline: bool
    python: Path  # the interpreter the release is built with and for (no virtual environment)
    python_version: str  # "3.11" or "3.12"
    jobs: int
    pins: Pins

    @property
    def release_name(self) -> str:
        """The release folder's name."""
        return f"open-webui-tdx-{self.pins.release.version}"

    @property
    def release(self) -> Path:
        """The assembled release: `dist/open-webui-tdx-<version>`."""
        return self.dist / self.release_name

    @property
    def logs(self) -> Path:
        """Where commands under way write: a file for each stage."""
        return self.build / "logs"

    def stage(self, name: str) -> Path:
        """The finished output of a stage that writes to `build/`."""
        return self.build / name


def root() -> Path:
    """The repository this build tool lies in."""
    return Path(__file__).resolve().parent.parent


def from_environment(root: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Read the settings; UsageError or MissingError for a value that cannot work."""

    def folder(name: str, default: Path) -> Path:
        value = environment.get(name, "")
        return (root / Path(value).expanduser()).resolve() if value else default

    pins = load(root / "upstream.toml")
    home_cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    check_interpreter(sys.version_info[:2])
    check_machine()
    return Config(
        root=root,
        build=folder("BUILD_DIR", root / "build"),
        dist=folder("DIST_DIR", root / "dist"),
        cache=folder("CACHE_DIR", home_cache / "open-webui-tdx"),
        var=folder("DATA_DIR", root / "var"),
        profile=_choice(environment, "PROFILE", PROFILES),
        source=_source(environment.get("SOURCE") or "index"),
        git_url=environment.get("GIT_URL") or pins.release.upstream_git,
        offline=_flag(environment, "OFFLINE"),
        python=Path(getattr(sys, "_base_executable", sys.executable)).resolve(),
        python_version=f"{sys.version_info[0]}.{sys.version_info[1]}",
        jobs=_jobs(environment.get("JOBS") or ""),
        pins=pins,
    )


def check_interpreter(version: tuple[int, ...]) -> None:
    """Upstream's requirement list holds for these minor versions only."""
    if tuple(version) not in PYTHONS:
        raise MissingError(
            f"Python {version[0]}.{version[1]} cannot build this: Open WebUI 0.5.20 needs 3.11 or 3.12; "
            "install one and name it, e.g. `make build PYTHON=python3.11`."
        )


def check_machine(system: str | None = None, machine: str | None = None) -> None:
    """Intel TDX is x86-64, and so are the pinned binaries."""
    system, machine = system or platform.system(), machine or platform.machine()
    if system != "Linux" or machine not in MACHINES:
        raise MissingError(f"This builds on Linux on x86_64 (where Intel TDX is), not on {system} on {machine}.")


def _choice(environment: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    value = environment.get(name) or known[0]
    if value not in known:
        raise UsageError(f"{name}={value} is not known; use one of: {', '.join(known)}.")
    return value


def _flag(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name, "").lower()
    if value not in ("", "0", "1", "no", "yes", "false", "true"):
        raise UsageError(f"{name}={value} is not known; use 1 or 0.")
    return value in ("1", "yes", "true")


def _jobs(value: str) -> int:
    if not value:
        return os.cpu_count() or 1
    if not value.isdecimal() or int(value) < 1:
        raise UsageError(f"JOBS={value} is not a whole number above 0.")
    return int(value)


def _source(value: str) -> str:
    if value in ("index", "git"):
        return value
    path = Path(value).expanduser()
    if not path.exists():
        raise UsageError(f"SOURCE={value} is neither 'index' nor 'git' nor a checkout or archive that exists.")
    return str(path.resolve())
