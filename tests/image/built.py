"""The image that the tests boot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.config import Config
from scripts.run import Runner


@dataclass(frozen=True)
class Built:
    """The image as `make image` left it."""

    cfg: Config
    run: Runner
    disk: Path
    kernel: bytes  # the unified kernel image
    predicted: dict[str, Any]

    @property
    def folder(self) -> Path:
        """The parts that it was made of."""
        return self.cfg.stage("image")


def flip(disk: Path, *offsets: int) -> None:
    """Change one bit of each of these bytes."""
    with disk.open("r+b") as file:
        for offset in offsets:
            file.seek(offset)
            (byte,) = file.read(1)
            file.seek(offset)
            file.write(bytes([byte ^ 1]))
