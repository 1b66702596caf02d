"""Which TDX this launch uses: the machine's own, or the simulator shipped in the release.

The launcher itself never opens the device: it looks whether it is there, and a child process looks at the library.
"""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import TdxError, UnavailableError
from . import interpreter

DEVICES = ("/dev/tdx_guest", "/dev/tdx-guest", "/dev/tdx-attest")
CONFIGFS = "/sys/kernel/config/tsm/report"
LIBRARY = "libtdx_attest.so.1"
# Exported by the simulator's library and by nothing else; quote_generator.library looks for the same name.
MARKER = "tdx_attest_simulator"

_LOOK = (
    "import ctypes, sys\n"
    "try: library = ctypes.CDLL(sys.argv[1])\n"
    "except OSError: print('missing')\n"
    "else: print('simulated' if hasattr(library, sys.argv[2]) else 'real')\n"
)


@dataclass(frozen=True)
class Machine:
    """What this machine offers. `library` is `real`, `simulated` or `missing`."""

    device: str | None
    configfs: bool
    library: str

    @property
    def real(self) -> bool:
        """A quote from the hardware can be had, through the library or the kernel's own interface.

        That interface alone says nothing: it is there without a provider, or with another technology's.
        """
        return self.device is not None and (self.library == "real" or (self.configfs and self.library != "simulated"))


def look(environ: Mapping[str, str], root: Path = Path("/")) -> Machine:
    """Find the device, the kernel's interface and the system's library. `root` is for tests."""
    device = next((name for name in DEVICES if _is_device(root / name[1:])), None)
    return Machine(device, (root / CONFIGFS[1:]).is_dir(), _library(environ))


def _is_device(path: Path) -> bool:
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except OSError:
        return False


def _library(environ: Mapping[str, str]) -> str:
    """What the system's loader finds under the library's name; in a process of its own, for loading runs its code."""
    env = {name: value for name, value in environ.items() if name in ("PATH", "LD_LIBRARY_PATH")}
    done = subprocess.run(  # noqa: S603 - our own commands
        [interpreter.executable(), "-I", "-S", "-c", _LOOK, LIBRARY, MARKER],
        env=env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    answer = done.stdout.strip()
    return answer if answer in ("real", "simulated") else "missing"


def choose(wanted: str, machine: Machine, simulator: Path) -> str:
    """`tdx` or `tdx-simulated` for the setting TDX. Raises TdxError, UnavailableError."""
    if wanted == "real" and not machine.real:
        raise TdxError(f"TDX=real, but {missing(machine)}. On a machine without TDX, use TDX=simulated to try it out.")
    if wanted != "simulated" and machine.real:
        return "tdx"
    if wanted == "auto" and machine.device is not None and machine.library == "missing":
        # A confidential VM that only lacks the library must not become a simulation in silence.
        raise TdxError(
            f"{machine.device} is there, but {missing(machine)}. To simulate all the same, set TDX=simulated."
        )
    if not (simulator / LIBRARY).is_file():
        raise UnavailableError(f"The simulator is missing in this release: {simulator / LIBRARY} does not exist.")
    return "tdx-simulated"


def missing(machine: Machine) -> str:
    """Why real TDX cannot be used here, as part of a sentence."""
    if machine.device is None:
        return "this machine has no TDX device (/dev/tdx_guest)"
    if machine.library == "simulated":
        return f"the {LIBRARY} that the system finds is the simulator's"
    return (
        f"{LIBRARY} is not installed (Alibaba Cloud Linux 3: yum install libtdx-attest; "
        "Debian and Ubuntu, from Intel's SGX repository: apt install libtdx-attest)"
    )
