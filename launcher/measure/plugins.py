"""Administrators' Python (Tools and Functions) in Open WebUI's database: read at launch, to be measured.

The database is the web server's account's, so it is read as that account (`_module launcher.measure.plugins FILE`,
which answers with JSON): root would parse what that account wrote, and leave files of its own beside it.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

from ..errors import DataError
from ..plan.events import Event, code_event
from ..plan.processes import Process

# Functions run for chats only while they are active; every tool can be chosen for a chat.
_QUERIES = (
    ("function", "select id, content from function where is_active order by id"),
    ("tool", "select id, content from tool order by id"),
)


def events_as(account: Process, database: Path) -> list[Event]:
    """The same as `events`, read by `account`'s user. Raises DataError."""
    if not database.exists():
        return []
    user = account.user
    done = subprocess.run(  # noqa: S603 - our own command
        account.command,
        env=dict(account.env),
        cwd=account.cwd,
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[] if user else None,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DataError(done.stderr.strip()[-800:] or f"Open WebUI's database {database} could not be read.")
    return [Event(kind, content) for kind, content in json.loads(done.stdout)]


def events(database: Path) -> list[Event]:
    """One event for each active Function and each Tool; none where there is no database yet. Raises DataError."""
    if not database.exists():
        return []
    found = []
    try:
        # A read-only connection could not undo what a loss of power left half written, and would read nothing then.
        connection = sqlite3.connect(f"file:{database}?mode=rw", uri=True)
        try:
            present = {row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")}
            for kind, query in _QUERIES:
                if kind in present:
                    found += [code_event(kind, str(row[0]), str(row[1] or "")) for row in connection.execute(query)]
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise DataError(f"Open WebUI's database {database} cannot be read: {error}.") from error
    return found


if __name__ == "__main__":
    try:
        print(json.dumps([[event.operation, dict(event.content)] for event in events(Path(sys.argv[1]))]))
    except DataError as error:
        sys.exit(str(error))
