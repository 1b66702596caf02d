"""The initrd: the program that opens the root file system, the command line it expects, the kernel modules it loads."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

from scripts.config import Config
from scripts.image.cpio import Entry, archive, file, folder
from scripts.run import Runner
from scripts.tools.pinned import unpacked
from scripts.tools.reproducible import reproducible
from scripts.tools.zig import zig_environment

_CONSOLE = (5, 1)  # the kernel opens /dev/console of the initrd for its first process
_FLAGS = ("-target", "x86_64-linux-musl", "-mcpu=x86_64", "-static", "-Os", "-Wall", "-Wextra", "-Werror", "-s")


def compile_init(cfg: Config, run: Runner, out: Path) -> Path:
    """image/init, compiled by the pinned compiler for no library but its own: the same bytes on every machine."""
    sources = sorted((cfg.root / "image/init").glob("*.c"))
    program = unpacked(cfg, run, "zig") / "ziglang" / "zig"
    environment = {**reproducible(), **zig_environment(cfg)}
    relative = [path.name for path in sources]
    run(
        [program, "cc", *_FLAGS, "-o", out, *relative],
        cwd=sources[0].parent,
        env=environment,
        what="compiling the initrd's init",
    )
    return out


def make(init: bytes, command_line: str, modules: Sequence[Path]) -> bytes:
    """The archive. `modules` in the order to load them."""
    names = [f"{number:02}-{path.name}" for number, path in enumerate(modules)]
    return archive(
        [
            *map(folder, ("dev", "modules", "proc", "root", "sys")),
            Entry("dev/console", stat.S_IFCHR | 0o600, device=_CONSOLE),
            file("init", init, 0o555),
            file("cmdline", command_line.encode()),
            file("modules/list", "\n".join(names).encode()),
            *(file(f"modules/{name}", path.read_bytes()) for name, path in zip(names, modules, strict=True)),
        ]
    )
