"""Forms of the disk beside raw, made of it by QEMU's own program: the content, and so what is measured, is the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from scripts.building.files import beside
from scripts.errors import MissingError, UsageError
from scripts.run import Runner

FORMS = ("raw", "qcow2")
PROGRAM = "qemu-img"


def find(form: str) -> Callable[[Runner, Path], Path] | None:
    """What makes this form of a raw disk; None for raw itself. Asked before the image is built.

    Raises UsageError for a form that nobody makes, MissingError where the program is not installed.
    """
    if form not in FORMS:
        raise UsageError(f"FORMAT={form} is no form of the image; {' and '.join(FORMS)} are.")
    if form == "raw":
        return None
    if shutil.which(PROGRAM) is None:
        raise MissingError(
            f"FORMAT={form} needs {PROGRAM}: apt-get install qemu-utils. Without FORMAT it is the raw disk alone."
        )
    return qcow2


def qcow2(run: Runner, disk: Path) -> Path:
    """Write `disk`, compressed, as qcow2 beside it, and return that. CommandError where the two differ.

    Its bytes follow from the version of the program, too; what is pinned is the raw disk.
    """
    out = disk.with_suffix(".qcow2")
    with beside(out) as fresh:
        run([PROGRAM, "convert", "-f", "raw", "-O", "qcow2", "-c", disk, fresh], what="writing the disk as qcow2")
        run([PROGRAM, "compare", "-f", "raw", "-F", "qcow2", disk, fresh], what="comparing it with the raw disk")
    run.say(f"{out}: {out.stat().st_size / 1e6:.0f} MB")
    return out
