"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def beside(path: Path, fresh: Path | None = None) -> Iterator[Path]:
    """A path to write to; renamed to `path` at the end, deleted if anything goes wrong meanwhile.

    `fresh`: that path, in the same folder, where a lock lets one process in at a time; by default one of this process.
    """
    fresh = fresh or path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield fresh
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
