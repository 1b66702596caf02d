"""Administrators' Python (Tools and Functions) in Open WebUI's database: read at launch, to be measured."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ..errors import DataError
from ..plan.events import Event, code_event

# Functions run for chats only while they are active; every tool can be chosen for a chat.
_QUERIES = (
    ("function", "select id, content from function where is_active order by id"),
    ("tool", "select id, content from tool order by id"),
)


def events(database: Path) -> list[Event]:
    """One event for each active Function and each Tool; none where there is no database yet. Raises DataError."""
    if not database.exists():
        return []
    found = []
    try:
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
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
