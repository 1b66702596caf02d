"""A locked door that is sent forged messages as fast as it takes them: its owner is heard, and others are answered."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
import requests
from quote_verifier.encoding import from_base64url

from data_unlock.answer import Answer
from data_unlock.ends import Asking
from data_unlock.message import Action
from data_unlock.outside import PATH
from tests.flooding import Flood
from tests.quote_generator.test_attester import ask, attester

from .conftest import World
from .test_locked import DATA, KEY, OWNER

pytestmark = pytest.mark.slow
CONNECTIONS = 100


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def opened_when_asked(lock: socket.socket) -> None:
    """In the launcher's place."""
    asked = json.loads(lock.recv(4096))
    assert asked == {"action": "open", "least": 3, "key": base64.b64encode(KEY).decode()}
    lock.sendall(b'{"ok": true, "generation": 4}\n')


@pytest.mark.attack
def test_the_owner_is_heard_through_forged_messages(
    world: World, tmp_path: Path, simulator_environment: dict[str, str]
) -> None:
    (door_end, attester_end), (lock, door_lock) = socket.socketpair(), socket.socketpair()
    bound = ("--bind-fd", str(attester_end.fileno()))
    lock.settimeout(60)
    with lock, attester(tmp_path / "s", simulator_environment, *bound, passed=[attester_end.fileno()]):
        attester_end.close()
        running = world.start(web=False, bind=door_end.fileno(), unlock=door_lock.fileno(), data=DATA)
        door_lock.close()
        key = from_base64url(ask(tmp_path / "s", {})["evidence"]["runtime_data"]["unlock"], "the key")
        url = f"http://127.0.0.1:{running.port}"
        with Flood(running.port, key, processes=1, connections=CONNECTIONS) as flood:
            until(lambda: flood.refused >= 1000)
            before = flood.refused
            for path in ("/health", "/api/v1/tee/config"):
                assert requests.get(f"{url}{path}", timeout=30).status_code == (503 if path == "/health" else 200)
            launcher = Thread(target=opened_when_asked, args=(lock,))
            launcher.start()
            asking = Asking(key, OWNER, KEY, Action.OPEN, 3)
            answer = requests.post(f"{url}{PATH}", data=asking.message, timeout=60)
            launcher.join()
            assert asking.heard(answer.content) == Answer("opened", 4)
            until(lambda: flood.refused > before)  # it went on meanwhile
        world.end()
    door_end.close()
