"""Secrets that systemd hands over as files (`LoadCredential=`): settings that stand in no unit and no environment file.

A file `settings_NAME` in CREDENTIALS_DIRECTORY holds the value of the setting NAME; systemd names them so when
`LoadCredential=settings:FOLDER` is given a folder. Other credentials are somebody else's. A systemd before version 250
hands over none; then files called NAME are read from SECRETS_FOLDER, where root can.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from .errors import SettingError, reason

FOLDER, PREFIX = "CREDENTIALS_DIRECTORY", "settings_"
OLD_FOLDER = "SECRETS_FOLDER"
MAX_BYTES = 64 * 1024
_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def with_credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with the secrets among its settings; one newline at a value's end is the editor's.

    Raises SettingError for a name that is none, a value that is no text, and what the environment says otherwise.
    """
    found = {name: value for name, value in environ.items() if name not in (FOLDER, OLD_FOLDER)}
    folder, prefix = environ.get(FOLDER), PREFIX
    if not folder:
        folder, prefix = environ.get(OLD_FOLDER), ""
    if not folder:
        return found
    for path in sorted(Path(folder).glob(f"{prefix}*")):
        name = path.name.removeprefix(prefix)
        if not _NAME.fullmatch(name):
            raise SettingError(f"The credential {path.name} names no setting: call its file as the setting is called.")
        value = _read(path, name)
        if found.get(name, value) != value:
            raise SettingError(f"{name} is set in the environment and, otherwise, as a credential: remove one of them.")
        found[name] = value
    return found


def _read(path: Path, name: str) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingError(f"The credential of {name} at {path} cannot be read: {reason(error)}.") from error
    if len(data) > MAX_BYTES:
        raise SettingError(f"The credential of {name} is larger than {MAX_BYTES} bytes.")
    try:
        value = data.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise SettingError(f"The credential of {name} is no text in UTF-8.") from None
    if "\0" in value:
        raise SettingError(f"The credential of {name} holds a zero byte.")
    return value
