"""What the door says to the launcher while the data is locked."""

from __future__ import annotations

import json
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from launcher.errors import ChildError
from launcher.serve import rotating
from launcher.serve.unlocking import Waiting
from launcher.serve.vault import VaultError


class Opened:
    """In a vault's place: what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.launch = SimpleNamespace(data=None)

    def create(self, key: bytes) -> None:
        self.asked.append(("create", key))

    def open(self, key: bytes, least: int) -> int:
        self.asked.append(("open", key, least))
        return 4


def line(**content: Any) -> bytes:
    return json.dumps(content).encode() + b"\n"


ASKED = line(action="open", least=3, key="AAAA")


def waiting(monkeypatch: pytest.MonkeyPatch, *outcomes: int | VaultError) -> tuple[Waiting, socket.socket, list[Any]]:
    """The launcher's end, the door's, and what was asked and shown; opening goes as `outcomes` say."""
    ours, theirs = socket.socketpair()
    seen: list[Any] = []
    supervisor = SimpleNamespace(check=lambda: None, notifier=SimpleNamespace(status=seen.append))
    left = list(outcomes)

    def opened(vault: Any, asked: dict[str, Any]) -> int:
        seen.append(asked)
        found = left.pop(0)
        if isinstance(found, VaultError):
            raise found
        return found

    monkeypatch.setattr(Waiting, "_open", staticmethod(opened))
    monkeypatch.setattr("launcher.serve.unlocking.notice", lambda text: seen.append(f"said: {text}"))
    return Waiting(ours, supervisor), theirs, seen  # type: ignore[arg-type]


@pytest.mark.attack
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_lines_that_come_together_or_in_pieces(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    ours, door, seen = waiting(monkeypatch, VaultError("It is older."), 4)
    sent = line(trouble="Away.") + ASKED + line(trouble="Denied.") + ASKED
    for place in range(0, len(sent), size):
        door.sendall(sent[place : place + size])
    assert ours.for_owner(None) == 4  # type: ignore[arg-type]
    asked = json.loads(ASKED)
    told = ["said: Away.", "Away.", asked, "said: The data was not opened: It is older."]
    assert seen == [*told, "said: Denied.", "Denied.", asked]
    answers = door.recv(4096).split(b"\n")[:-1]
    assert [json.loads(each)["ok"] for each in answers] == [False, True]
    ours.channel.close()
    door.close()


def test_a_door_that_has_gone_or_says_too_much_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for said in (b"", b"x" * 9000):
        ours, door, _ = waiting(monkeypatch)
        door.sendall(said)
        if not said:
            door.close()
        with pytest.raises(ChildError, match="closed the way"):
            ours.for_owner(None)  # type: ignore[arg-type]
        ours.channel.close()
        door.close()


@pytest.mark.parametrize(
    "action, done",
    [
        ("open", [("open", b"old", 3)]),
        ("create", [("create", b"old"), ("open", b"old", 3)]),
        ("rotate", [("rotate", b"old", b"new", 3, False), ("open", b"new", 3)]),
        ("copy", [("rotate", b"old", b"new", 3, True), ("open", b"new", 3)]),
    ],
)
def test_what_the_owner_asks_is_what_is_done(
    monkeypatch: pytest.MonkeyPatch, action: str, done: list[tuple[Any, ...]]
) -> None:
    vault = Opened()
    monkeypatch.setattr(rotating, "settle", lambda data: None)
    monkeypatch.setattr(rotating, "rotate", lambda vault, *given: vault.asked.append(("rotate", *given)))
    asked = {"action": action, "least": 3, "key": "b2xk", "new": "bmV3"}
    assert Waiting._open(vault, asked) == 4  # type: ignore[arg-type]
    assert vault.asked == done
