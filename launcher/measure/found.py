"""Look at the machine for a launch: what a plan is made of besides the settings."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..datadir import DataDir
from ..errors import SettingError, reason
from ..plan import environment, processes
from ..plan.events import Event, encryption_event
from ..plan.launch import Launch
from ..plan.model import Prepared
from ..plan.plan import Found
from ..plan.processes import User
from . import encryption, interpreter, plugins
from .manifest import Checked

MAX_CERTIFICATES = 16 << 20
_READS = re.compile(r"""os\.(?:environ\.get|getenv)\(\s*["']([A-Z][A-Z0-9_]*)["']""")


@dataclass(frozen=True)
class Accounts:
    """Who runs what; None keeps the launcher's own account."""

    web: User | None = None
    door: User | None = None
    broker: User | None = None


def find(launch: Launch, checked: Checked, model: Prepared, users: Accounts, key: str, no_fence: str) -> Found:
    """Everything that is measured besides the files of the release and the model. Raises LauncherError.

    `key` signs sessions; `no_fence`: why there is no fence, or "".
    """
    chosen = launch.settings
    program = encryption.measure(bool(chosen.data_volume)) if chosen.data_key != "none" else None
    return Found(
        release_digest=checked.manifest.digest,
        differences=tuple(checked.differences),
        python=interpreter.measure(),
        upstream_names=upstream_names(launch.release),
        model=model,
        code=() if launch.data.encrypted else code(launch, users.web),  # nobody can look yet
        user=users.web,
        door_user=users.door,
        broker_user=users.broker,
        own_uid=os.geteuid(),
        session_key=key,
        administrator_key=secrets.token_urlsafe(32),
        no_fence=no_fence,
        certificates=certificates(launch.environ),
        encryption=encryption_event(program.name, program.version, program.sha384) if program else None,
    )


def code(launch: Launch, user: User | None) -> tuple[Event, ...]:
    """Administrators' Python in the database. Raises LauncherError."""
    path = database(launch.data, launch.environ.get("DATABASE_URL", ""))
    return tuple(plugins.events_as(processes.code_reader(launch, path, user), path))


def certificates(environ: Mapping[str, str]) -> bytes:
    """What SSL_CERT_FILE holds, nothing where it is not set. Raises SettingError where it cannot be read."""
    name = environ.get(environment.CERTIFICATES)
    if not name:
        return b""
    try:
        with open(name, "rb") as file:
            content = file.read(MAX_CERTIFICATES + 1)
    except OSError as error:
        raise SettingError(f"SSL_CERT_FILE={name} cannot be read: {reason(error)}.") from error
    if not content or len(content) > MAX_CERTIFICATES:
        raise SettingError(f"SSL_CERT_FILE={name} is empty or larger than {MAX_CERTIFICATES >> 20} MiB.")
    return content


def upstream_names(release: Path) -> frozenset[str]:
    """Every environment variable that the release's own Open WebUI reads for its settings."""
    package = release / "backend" / "open_webui"
    found: set[str] = set()
    for name in ("env.py", "config.py"):
        found.update(_READS.findall((package / name).read_text(encoding="utf-8")))
    return frozenset(found)


def database(data: DataDir, url: str) -> Path:
    """Open WebUI's SQLite file; one that does not exist where it uses another database."""
    if url.startswith("sqlite:///"):
        return Path(url.removeprefix("sqlite:///"))
    return data.webui / ("webui.db" if not url else ".no-sqlite-database")
