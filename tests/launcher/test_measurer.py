from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import sqlite3
import sys
from pathlib import Path

import pytest

from launcher.datadir import DataDir
from launcher.errors import DataError, TdxError
from launcher.measure import plugins
from launcher.plan import processes, settings
from launcher.plan.events import Event, code_event
from launcher.plan.launch import Launch
from launcher.plan.processes import User
from launcher.serve.accounts import readable
from launcher.serve.measurer import Measurer, parse

NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"
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


@pytest.mark.parametrize(("mode", "beside"), [("delete", "journal"), ("wal", "wal")])
def test_what_a_loss_of_power_left_half_written_is_undone(tmp_path: Path, mode: str, beside: str) -> None:
    """Otherwise the database could not be read at all, at this launch and every later one."""
    writing, database = tmp_path / "writing.db", tmp_path / "webui.db"
    connection = sqlite3.connect(writing, isolation_level=None)
    connection.execute(f"pragma journal_mode = {mode}")
    connection.execute("create table tool (id text, content text)")
    connection.execute("insert into tool values ('t', 'class Tools: pass')")
    connection.execute("pragma cache_size = 1")  # what does not fit into memory is written before the transaction ends
    connection.execute("begin")
    connection.execute("update tool set content = 'half'")
    connection.executemany("insert into tool values ('more', ?)", [("x" * 5000,)] * 50)
    shutil.copy(writing, database)
    shutil.copy(f"{writing}-{beside}", f"{database}-{beside}")
    assert plugins.events(database) == [code_event("tool", "t", "class Tools: pass")]
    connection.close()


def test_a_broken_database(tmp_path: Path) -> None:
    (tmp_path / "webui.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(DataError, match=r"webui.db"):
        plugins.events(tmp_path / "webui.db")


@pytest.mark.slow
@pytest.mark.attack
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_the_database_is_read_as_the_account_that_wrote_it(release_template: Path, public_path: Path) -> None:
    """Root would follow the account's links to what only root may read, and parse whatever that account wrote."""
    user = User("nobody", 65534, 65534)
    python = next((path for path in (sys.executable, f"/usr/bin/{NAME}") if readable(user, Path(path))), None)
    if python is None:
        pytest.skip("the account nobody can reach no Python of this version")
    release = Path(shutil.copytree(release_template, public_path / "release"))
    data = DataDir(public_path, "boot")
    launch = Launch(release, settings.load({}), data, "tdx-simulated", {}, python, os.getpid())
    (public_path / "webui").mkdir()
    os.chown(public_path / "webui", 65534, 65534)
    database = public_path / "webui/webui.db"
    with sqlite3.connect(public_path / "roots.db") as connection:
        connection.execute("create table tool (id text, content text)")
        connection.execute("insert into tool values ('t', 'class Tools: pass')")
    connection.close()
    shutil.copy(public_path / "roots.db", database)
    os.chown(database, 65534, 65534)
    account = processes.code_reader(launch, database, user)
    assert plugins.events_as(account, database) == [code_event("tool", "t", "class Tools: pass")]
    (public_path / "roots.db").chmod(0o600)
    database.unlink()
    database.symlink_to(public_path / "roots.db")
    with pytest.raises(DataError, match="webui.db"):
        plugins.events_as(account, database)
