"""The pinned C compiler, zig's."""

from __future__ import annotations

from scripts.config import Config
from scripts.run import Runner
from scripts.tools.pinned import unpacked


def zig(cfg: Config, run: Runner) -> str:
    """A C compiler command that gives the same bytes on every machine: zig's, for glibc 2.28 and any x86-64."""
    program = unpacked(cfg, run, "zig") / "ziglang" / "zig"
    return f"{program} cc -target x86_64-linux-gnu.2.28 -mcpu=x86_64"


def zig_environment(cfg: Config) -> dict[str, str]:
    """zig's own cache beside the others."""
    folder = str(cfg.cache / "zig")
    return {"ZIG_GLOBAL_CACHE_DIR": folder, "ZIG_LOCAL_CACHE_DIR": folder}
