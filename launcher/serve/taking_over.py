"""Take data in plain text over into the encrypted folder, which is open, and remove it there.

First everything is copied, and is on the disk; then each file in plain text goes, once its copy is read back and is the
same. A kill at any point leaves each file in at least one of the two places, and the next attempt goes on: what is
copied is not copied again, and what is gone already is in the copy. Until the last file is gone, `begun` stands in the
encrypted folder, and no service starts on either.
"""

from __future__ import annotations

from collections.abc import Callable

from ..datadir import DataDir
from ..errors import writing
from ..files import sync_folder
from .copying import Copying

DONE = (
    "Everything is in the encrypted folder now, and removed in plain text: start the service. Whoever copied the disk "
    "before, or looks for what was deleted on it, may still find the old text there."
)


def take_over(data: DataDir, check: Callable[[], None]) -> None:
    """`check` is called now and then, and may raise what is to end this. Raises DataError."""
    copying, (webui, keys) = Copying(check), data.plain
    with writing("the encrypted folder", data.webui):
        data.webui.mkdir(mode=0o700, exist_ok=True)
    if webui.is_dir():
        copying.copy(webui, data.webui)
    for key in keys:
        if key.exists():
            copying.copy_file(key, data.kept / key.name)
    with writing("the encrypted folder", data.kept):
        sync_folder(data.kept)
    if webui.is_dir():
        copying.take(webui, data.webui)
    for key in keys:
        if key.exists():
            copying.take_file(key, data.kept / key.name)
    with writing("the data folder", data.root):
        sync_folder(data.root)
        data.begun.unlink(missing_ok=True)
