"""Files written whole or not at all."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_json(path: Path, document: dict[str, Any], indent: int | None = None) -> None:
    """Write the document beside `path`, then rename it. Raises `OSError`, and leaves nothing behind then."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(document, file, indent=indent)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
