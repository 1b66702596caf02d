"""Bytecode of everything that the image's Python imports: compiling it anew is most of a launch.

It lies in the root file system, beside the sources that it is made of, so it is verified as they are. The image's own
Python makes it, with fixed shares: the same bytes on every machine.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.config import Config
from scripts.image.tools import loaded
from scripts.run import Runner
from scripts.tools.reproducible import reproducible

#: In the image; the units name it (`-X pycache_prefix=`).
PLACE = "usr/lib/open-webui-tdx/bytecode"
_PARTS = 4


def make(cfg: Config, run: Runner, tree: Path) -> None:
    """Compile the modules of a whole tree into it."""
    out = tree / PLACE
    environment: dict[str, str | None] = {**reproducible(), "PYTHONHOME": str(tree / "usr"), "LD_LIBRARY_PATH": None}

    def compile_part(part: int) -> None:
        script = [cfg.root / "image/compile_tree.py", tree, out, str(part), str(_PARTS)]
        program = [*loaded(tree, "python3.11"), "-P", "-s", "-S", "-W", "ignore", *script]
        run(program, env=environment, what="compiling the image's Python", quiet=part > 0)

    with ThreadPoolExecutor(_PARTS) as pool:
        list(pool.map(compile_part, range(_PARTS)))
