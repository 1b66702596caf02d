"""The pinned programs that make the image, run from where their packages are unpacked, with their own libraries."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.image.debs import unpack
from scripts.run import Runner
from scripts.tools.reproducible import SOURCE_DATE_EPOCH, reproducible

_ALONE = {"LD_LIBRARY_PATH": None, "PATH": "/nonexistent"}


def loaded(folder: Path, program: str) -> list[str | Path]:
    """The words that start a program of an unpacked tree by the tree's own loader, with the tree's own libraries."""
    libraries = folder / "usr/lib/x86_64-linux-gnu"
    found = next(folder.glob(f"usr/*bin/{program}"))
    return [libraries / "ld-linux-x86-64.so.2", "--inhibit-cache", "--library-path", libraries, found]


@dataclass(frozen=True)
class Tools:
    """The unpacked packages of the part `tools`."""

    folder: Path
    run: Runner

    def __call__(self, program: str, *arguments: object, what: str, epoch: str | None = SOURCE_DATE_EPOCH) -> str:
        """Run one of the programs; CommandError as `Runner`.

        `epoch` None: the program is told the time by its options.
        """
        command = [*loaded(self.folder, program), *arguments]
        environment = {**reproducible(), **_ALONE, "SOURCE_DATE_EPOCH": epoch}
        return self.run(command, env=environment, what=what)

    def ukify(self, *arguments: object) -> str:
        """systemd's maker of unified kernel images, a Python program."""
        environment = {
            **reproducible(),
            "PYTHONPATH": str(self.folder / "usr/lib/python3/dist-packages"),
            "PATH": "/nonexistent",
        }
        command = [sys.executable, "-s", self.folder / "usr/bin/ukify", *arguments]
        return self.run(command, env=environment, what="making the unified kernel image")


def prepare(run: Runner, files: Mapping[str, Path], folder: Path) -> Tools:
    """Unpack the part's packages into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in sorted(files):
        if name.startswith("tools/"):
            unpack(files[name], folder)
    return Tools(folder, run)
