"""What every process of one launch shares: the release, the settings, the folders, the environment of the operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..datadir import DataDir
from . import environment
from .settings import Settings


@dataclass(frozen=True)
class Launch:
    """One launch. `kind` is `tdx` or `tdx-simulated`; `python` runs everything, in processes that end with the
    launcher, process `pid`. `environ` is the operator's environment. `bytecode`: where all of them find what the
    launcher itself was started with, which only root can write; None where each role compiles for itself."""

    release: Path
    settings: Settings
    data: DataDir
    kind: str
    environ: Mapping[str, str] = field(repr=False)
    python: str = ""
    pid: int = 0
    sockets: Path = field(default_factory=Path)
    bytecode: Path | None = None

    @property
    def simulator(self) -> Path:
        """The release's simulator: library, keys, PCCS."""
        return self.release / "simulator"

    @property
    def attester_socket(self) -> Path:
        """Where the attester answers."""
        return self.sockets / "attester.sock"

    @property
    def measurer_socket(self) -> Path:
        """Where the web server asks for a tool or function to be measured."""
        return self.sockets / "measurer.sock"

    @property
    def web_socket(self) -> Path:
        """Where the web server serves: in a folder of its own, which nobody but it and the door may enter."""
        return self.sockets / "web" / "web.sock"

    def module(self, role: str, name: str, *arguments: str) -> tuple[str, ...]:
        """Run a module with the release's packages, isolated from the account's and the machine's own ones."""
        return (
            self.python,
            "-I",
            "-S",
            "-X",
            f"pycache_prefix={self.bytecode or self.data.bytecode(role)}",
            str(self.release / "launcher" / "__main__.py"),
            "_module",
            str(self.pid),
            name,
            *arguments,
        )

    def device_env(self) -> dict[str, str]:
        """The environment of the two processes that may touch the device: the attester and the one that measures."""
        env = environment.base(self.environ)
        if "DCAP_TDX_QUOTE_CONFIGFS_PATH" in self.environ:
            env["DCAP_TDX_QUOTE_CONFIGFS_PATH"] = self.environ["DCAP_TDX_QUOTE_CONFIGFS_PATH"]
        if self.kind == "tdx-simulated":  # nothing is protected, whatever the faults that it is told to show
            faults = {name: value for name, value in self.environ.items() if name.startswith("TDX_SIM_")}
            env |= faults | {"LD_LIBRARY_PATH": str(self.simulator), "TDX_SIM_STATE": str(self.data.simulator_state)}
        return env
