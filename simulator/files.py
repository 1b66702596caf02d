"""Files that appear whole or not at all."""

import os
from pathlib import Path


def replace(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write beside `path`, then rename: whoever reads it finds the old content or, whole, the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.chmod(mode)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
