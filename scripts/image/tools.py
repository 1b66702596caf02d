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


@dataclass(frozen=True)
class Tools:
    """The unpacked packages of the part `tools`."""

    folder: Path
    run: Runner

    def __call__(self, program: str, *arguments: object, what: str, epoch: str | None = SOURCE_DATE_EPOCH) -> str:
        """Run one of the programs; CommandError as `Runner`. The loader is theirs, and so are the libraries.

        `epoch` None: the program is told the time by its options.
        """
        libraries = self.folder / "usr/lib/x86_64-linux-gnu"
        loader = libraries / "ld-linux-x86-64.so.2"
        found = next(self.folder.glob(f"usr/*bin/{program}"))
        command = [loader, "--inhibit-cache", "--library-path", libraries, found, *arguments]
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
