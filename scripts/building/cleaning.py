"""Deletes what a build can make again. User data and the cache are never inside what is deleted."""

from __future__ import annotations

from scripts.building.files import remove
from scripts.config import Config
from scripts.errors import UsageError


def clean(cfg: Config) -> None:
    """Delete the build and release folders; UsageError if something precious lies in one of them."""
    for folder in (cfg.build, cfg.dist):
        for name, precious in (("DATA_DIR", cfg.var), ("CACHE_DIR", cfg.cache), ("the repository", cfg.root)):
            if precious.is_relative_to(folder):
                raise UsageError(
                    f"{name} ({precious}) lies in {folder}, which clean would delete; nothing was deleted."
                )
    for folder in (cfg.build, cfg.dist):
        if folder.exists():
            remove(folder)
            print(f"deleted {folder}")
    print(f"kept {cfg.cache} (downloads) and {cfg.var} (user data)")
