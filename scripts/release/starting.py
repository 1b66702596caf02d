"""Starts the built release in the place of this process."""

from __future__ import annotations

import os

from scripts import children
from scripts.config import Config
from scripts.errors import MissingError


def start(cfg: Config) -> None:
    """Become the release's launcher. Its settings are this process's environment; DATA_DIR defaults to var/."""
    launcher = cfg.release / "open-webui-tdx"
    if not launcher.is_file():
        raise MissingError(f"{launcher} is not there; run `make build` first.")
    children.adopt(False)  # the launcher ends what it starts itself
    settings = {**os.environ, "DATA_DIR": str(cfg.var)}
    os.execve(launcher, [str(launcher)], settings)
