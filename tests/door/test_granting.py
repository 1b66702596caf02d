"""A locked door that asks a Trustee: how often, what it says meanwhile, and that the owner can open it all the same."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from data_unlock.answer import Answer
from data_unlock.grant import Grant
from data_unlock.outside import PATH
from door.binding import BindError
from door.granting import NO_QUOTE, NOT_OPENED, Waits, keep_asking
from door.key_broker import BrokerTrouble
from tests.quote_generator.test_attester import ask, attester
from tests.quote_verifier.world import make_certificate
from tests.standins.key_broker import KeyBroker, ServingBroker

from .conftest import World, keep_file
from .test_locked import DATA, KEY, OWNER, Scene, pages_release, played

__all__ = ["pages_release"]

QUICK = Waits(0.005, 0.02)
GRANT = Grant(KEY, 3)


class Broker:
    """Gives what comes next of `answers`; the last one for ever."""

    def __init__(self, *answers: Grant | Exception) -> None:
        self.answers, self.asked = list(answers), 0

    def ask(self) -> Grant:
        found = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(found, Exception):
            raise found
        return found


DENIED = BrokerTrouble("The Trustee's policy does not release the key to this launch.", "no <b>", "denied")
AWAY = BrokerTrouble("The Trustee cannot be reached.", "Connection refused", "unreachable")


def said(made: Scene) -> list[str]:
    return [each["trouble"] for each in made.asked if "trouble" in each]


def opening(made: Scene) -> list[dict[str, Any]]:
    return [each for each in made.asked if "action" in each]


def test_what_it_releases_opens_the_data_and_the_evidence_says_so() -> None:
    async def test(made: Scene) -> None:
        await asyncio.wait_for(keep_asking(made.lock, Broker(GRANT), QUICK), 10)
        assert made.asked == [{"action": "open", "least": 3, "key": base64.b64encode(KEY).decode()}]
        assert made.bound.members == {"unlock": None, "data": DATA | {"generation": 4}}
        assert not made.lock.open, "people are let in when everything serves"

    played(test)


def test_it_asks_again_and_says_each_reason_once() -> None:
    async def test(made: Scene) -> None:
        broker = Broker(AWAY, AWAY, AWAY, DENIED, DENIED, BindError("The device is busy."), GRANT)
        asked = asyncio.create_task(keep_asking(made.lock, broker, QUICK))
        seen = set()
        while not asked.done():
            page = await made.client.get("/", headers={"Accept": "text/html"})
            health = await made.client.get("/health")
            assert page.status_code == health.status_code == 503 and "<b>" not in page.text
            told = (await made.client.get(PATH)).json()
            seen.add((health.json()["detail"].partition("started. ")[2], told["trouble"]))
            await asyncio.sleep(0.002)
        await asked
        assert broker.asked == 7 and seen >= {(AWAY.why, "unreachable"), (DENIED.why, "denied")}
        assert said(made) == [str(AWAY), str(DENIED), "The device is busy."]

    played(test)


@pytest.mark.attack
def test_an_answer_that_nobody_thought_of_does_not_end_the_door() -> None:
    async def test(made: Scene) -> None:
        await asyncio.wait_for(keep_asking(made.lock, Broker(RuntimeError("<b>\n"), GRANT), QUICK), 10)
        assert said(made) == ["Its Trustee could not be asked (RuntimeError)."] and made.lock.given

    played(test)


def test_no_quote_is_said_without_the_devices_words() -> None:
    async def test(made: Scene) -> None:
        asked = asyncio.create_task(keep_asking(made.lock, Broker(BindError("words of a device")), QUICK))
        while not made.lock.trouble:
            await asyncio.sleep(0.002)
        asked.cancel()
        assert (made.lock.trouble, made.lock.trouble_kind) == (NO_QUOTE, "unasked")

    played(test)


@pytest.mark.attack
def test_data_that_it_does_not_open_stays_locked_and_the_owner_opens_it() -> None:
    async def test(made: Scene) -> None:
        made.said = {"ok": False, "generation": 2, "detail": "The data at /var/lib is older than it should be."}
        asked = asyncio.create_task(keep_asking(made.lock, Broker(GRANT), QUICK))
        while len(opening(made)) < 3:
            await asyncio.sleep(0.002)
        health = (await made.client.get("/health")).json()["detail"]
        assert NOT_OPENED in health and "/var/lib" not in health and made.lock.trouble_kind == "useless"
        assert said(made) == ["The data at /var/lib is older than it should be."]
        made.said = {"ok": True, "generation": 9}
        asking = made.asking()
        answer = asking.heard((await made.post(asking.message)).content)
        await asyncio.wait_for(asked, 10)
        assert made.bound.members["data"]["generation"] == 9
        # whichever was first: the owner hears that it is open, from the TD
        assert answer in (Answer("opened", 9), Answer("refused", 0, "The data is open already."))

    played(test)


def test_a_message_after_it_is_open_opens_nothing_again() -> None:
    async def test(made: Scene) -> None:
        asking = made.asking()
        await asyncio.wait_for(keep_asking(made.lock, Broker(GRANT), QUICK), 10)
        late = await made.post(asking.message)
        assert late.status_code == 403 and "open already" in late.json()["detail"]
        assert len(opening(made)) == 1

    played(test)


@pytest.mark.attack
def test_the_owners_message_and_a_grant_at_once_open_it_once() -> None:
    async def test(made: Scene) -> None:
        made.may_answer.clear()
        asking = made.asking()
        asked = asyncio.create_task(keep_asking(made.lock, Broker(GRANT), QUICK))
        while not opening(made):
            await asyncio.sleep(0.002)
        posted = asyncio.create_task(made.post(asking.message))
        await asyncio.sleep(0.05)
        made.may_answer.set()
        answer = asking.heard((await posted).content)
        await asyncio.wait_for(asked, 10)
        assert answer == Answer("refused", 0, "The data is open already.") and len(opening(made)) == 1

    played(test)


def test_the_waits_double_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 8:
            raise asyncio.CancelledError

    async def test(made: Scene) -> None:
        monkeypatch.setattr("door.granting.asyncio.sleep", sleep)
        with pytest.raises(asyncio.CancelledError):
            await keep_asking(made.lock, Broker(AWAY))
        monkeypatch.undo()
        assert slept == [2, 4, 8, 16, 32, 60, 60, 60]

    played(test)


def test_the_launcher_is_told_in_one_line() -> None:
    async def test(made: Scene) -> None:
        await made.lock.tell("a\nb")
        await asyncio.sleep(0.05)
        assert json.dumps(made.asked[-1]) == json.dumps({"trouble": "a\nb"})

    played(test)


@pytest.mark.slow
def test_a_door_and_an_attester_as_a_launch_has_them(
    world: World, tmp_path: Path, simulator_environment: dict[str, str]
) -> None:
    """Processes: the quote is the attester's, and what the Trustee keeps reaches the launcher's end of the lock."""
    certificate = make_certificate(tmp_path)
    keep = keep_file(trustee_authorities=certificate.path.read_text())
    (door_end, attester_end), (lock, door_lock) = socket.socketpair(), socket.socketpair()
    resource = "default/open-webui/data-key"
    broker = KeyBroker({resource: GRANT.encode(OWNER, resource)})
    lock.settimeout(30)
    bound = ("--key-broker", "--bind-fd", str(attester_end.fileno()))
    with (
        lock,
        ServingBroker(broker, tls=certificate.path) as trustee,
        attester(tmp_path / "s", simulator_environment, *bound, passed=[attester_end.fileno()]),
    ):
        attester_end.close()
        place = {"url": f"https://localhost:{trustee.port}", "resource": resource}
        running = world.start(bind=door_end.fileno(), unlock=door_lock.fileno(), keep=keep, data=DATA, trustee=place)
        door_lock.close()
        assert json.loads(lock.recv(4096)) == {"action": "open", "least": 3, "key": base64.b64encode(KEY).decode()}
        assert running.ask("/health")[0].status == 503
        assert ask(tmp_path / "s", {})["evidence"]["runtime_data"]["unlock"]
        lock.sendall(b'{"ok": true, "generation": 4}\n')
        while "unlock" in (found := ask(tmp_path / "s", {})["evidence"]["runtime_data"]):
            time.sleep(0.05)
        assert found["data"] == DATA | {"generation": 4}
        time.sleep(0.5)  # longer than a door takes to see that something beside it has ended
        assert running.door.poll() is None and running.ask("/health")[0].status == 503
        world.end()
    door_end.close()
