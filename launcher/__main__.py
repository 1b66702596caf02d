"""Entry of the launcher: `python3 -I -S <release>/launcher COMMAND` (or `python -m launcher COMMAND`).

This file runs before `sys.path` is right, so it imports nothing of ours at the top.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and not sys.pycache_prefix:
    # Bytecode that lies about on the machine is not measured: without it, code is what its measured source says.
    sys.pycache_prefix = "/proc/self/no-bytecode"

from pathlib import Path

RELEASE = Path(__file__).absolute().parent.parent


# Packages of the standard library that no launch measures (launcher/measure/interpreter.py): big, and of no use here.
UNMEASURED = frozenset({"test", "idlelib", "turtledemo"})


class _Refusing:
    """A finder before all others that lets nobody import what was not measured."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name in UNMEASURED:
            raise ModuleNotFoundError(f"No module named {name!r}: it is not measured", name=name)


def find_packages(release: Path) -> None:
    """Make `sys.path` the standard library and the release, in this order, so that no package can shadow it.

    Python itself also puts the folder of this file and a zip there, which need not exist and are not measured.
    """
    if __package__ in (None, ""):
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        library = [f"{prefix}/{sys.platlibdir}/{version}" for prefix in (sys.base_prefix, sys.base_exec_prefix)]
        measured = {*library, *(f"{folder}/lib-dynload" for folder in library)}
        sys.path[:] = [folder for folder in sys.path if folder in measured]
        sys.meta_path.insert(0, _Refusing)
    for folder in (release, release / "backend", release / "site-packages"):
        if str(folder) not in sys.path:
            sys.path.append(str(folder))


# Modules that begin with CAP_SYS_ADMIN: gocryptfs's, which mounts, and the relay's, which steps into the fence first.
KEEPING = frozenset({"launcher.serve.program", "launcher.serve.relay"})


def run_module(parent: int, module: str, arguments: list[str]) -> None:
    """Become `python -m MODULE`, in a process that does not outlive the launcher `parent`."""
    import ctypes
    import os
    import runpy
    import signal

    pr_set_pdeathsig = 1
    if ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit("the kernel refused PR_SET_PDEATHSIG")
    if os.getppid() != parent:  # it died before we asked
        sys.exit("the launcher is gone")
    if module not in KEEPING:
        from launcher.serve.rights import give_up_mounting

        give_up_mounting()
    del ctypes, signal
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def main() -> int:
    """Run one command of the launcher and leave with its exit code."""
    find_packages(RELEASE)
    if len(sys.argv) > 3 and sys.argv[1] == "_module":
        run_module(int(sys.argv[2]), sys.argv[3], sys.argv[4:])
        return 0
    if len(sys.argv) > 5 and sys.argv[1] == "_fenced":
        from launcher.serve import fenced

        return fenced.main(sys.argv[2:])
    if len(sys.argv) > 5 and sys.argv[1] == "_fenced_by_unit":
        from launcher.serve import fence_unit

        return fence_unit.main(sys.argv[2:])
    if sys.argv[1:] == ["_fence"]:
        from launcher.serve import fence_service

        return fence_service.main(RELEASE)
    from launcher.cli import main as command_line

    return command_line(sys.argv[1:], RELEASE)


if __name__ == "__main__":
    sys.exit(main())
