from __future__ import annotations

import hashlib
import json
import os
import socket
import sqlite3
from pathlib import Path

import pytest

from launcher.errors import DataError, TdxError
from launcher.measure import plugins
from launcher.plan.events import Event, code_event
from launcher.serve.measurer import Measurer, parse

GOOD = {"kind": "tool", "id": "weather", "sha384": "ab" * 48}


def ask(path: Path, content: bytes) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        found: dict[str, object] = json.loads(connection.makefile("rb").readline())
        return found


def line(**changes: object) -> bytes:
    return json.dumps({**GOOD, **changes}).encode() + b"\n"


def test_measures_once_and_survives_nonsense(tmp_path: Path) -> None:
    seen: list[Event] = []
    Measurer(tmp_path / "s", os.geteuid(), seen.append, set()).start()
    assert ask(tmp_path / "s", line()) == {"ok": True}
    assert ask(tmp_path / "s", line()) == {"ok": True}
    assert [event.line for event in seen] == ['open-webui-tdx tool {"id":"weather","sha384":"' + "ab" * 48 + '"}']
    for nonsense in (
        b"",
        b"\n",
        b"[]\n",
        b"x" * 10_000,
        b"\xff\n",
        line(kind="release"),
        line(id="a b"),
        line(sha384="x"),
    ):
        assert ask(tmp_path / "s", nonsense)["ok"] is False
    assert len(seen) == 1


def test_a_failing_register_is_no_permission(tmp_path: Path) -> None:
    def fail(event: Event) -> None:
        raise TdxError("the device is gone")

    Measurer(tmp_path / "s", os.geteuid(), fail, set()).start()
    assert ask(tmp_path / "s", line()) == {"ok": False, "message": "the device is gone"}
    assert ask(tmp_path / "s", line())["ok"] is False


def test_other_accounts_may_not_ask(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may always ask")
    Measurer(tmp_path / "s", os.geteuid() + 1, lambda event: None, set()).start()
    assert ask(tmp_path / "s", line())["ok"] is False


@pytest.mark.parametrize("kind", ["release", "settings", "model", "modified", "", None, 1])
def test_only_code_can_be_added(kind: object) -> None:
    with pytest.raises(ValueError, match="kind"):
        parse(line(kind=kind))


def test_enabled_code_is_read_from_the_database(tmp_path: Path) -> None:
    database = tmp_path / "webui.db"
    assert plugins.events(database) == []
    with sqlite3.connect(database) as connection:
        connection.execute("create table function (id text, content text, is_active boolean)")
        connection.execute("create table tool (id text, content text)")
        connection.execute("insert into function values ('on', 'def a(): pass', 1), ('off', 'x', 0)")
        connection.execute("insert into tool values ('t', 'class Tools: pass')")
    connection.close()
    assert plugins.events(database) == [
        code_event("function", "on", "def a(): pass"),
        code_event("tool", "t", "class Tools: pass"),
    ]
    assert plugins.events(database)[0].content["sha384"] == hashlib.sha384(b"def a(): pass").hexdigest()


def test_a_broken_database(tmp_path: Path) -> None:
    (tmp_path / "webui.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(DataError, match=r"webui.db"):
        plugins.events(tmp_path / "webui.db")
