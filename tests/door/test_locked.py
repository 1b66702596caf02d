"""A door before locked data: what it answers, whose message opens it, and when it lets people in."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from data_unlock.answer import Answer
from data_unlock.ends import Asking
from data_unlock.errors import RefusedError
from data_unlock.message import Action
from data_unlock.outside import PATH
from door import locked
from door.locking import Lock
from door.pages import Pages

from .conftest import PAGE, write_release

OWNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = base64.urlsafe_b64encode(OWNER.public_key().public_bytes_raw()).decode().rstrip("=")
DATA = {"state": "encrypted", "owner": PUBLIC}
KEY = bytes(range(7, 39))


class Bound:
    """In the place of the attester's end: what is bound by now."""

    def __init__(self) -> None:
        self.members: dict[str, Any] = {}

    def bind(self, **members: Any) -> None:
        self.members |= members


class Scene:
    """A lock, a client of its door, and the launcher, which answers with `said` and keeps what it was asked."""

    release: ClassVar[Path]

    def __init__(self, lock: Lock, bound: Bound, client: httpx.AsyncClient, launcher: socket.socket) -> None:
        self.lock, self.bound, self.client, self.launcher = lock, bound, client, launcher
        self.asked: list[dict[str, Any]] = []
        self.said: dict[str, Any] = {"ok": True, "generation": 4}
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    def asking(self, owner: Ed25519PrivateKey = OWNER, action: Action = Action.OPEN) -> Asking:
        text = self.lock.bound
        return Asking(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), owner, KEY, action, 3)

    async def post(self, message: bytes) -> httpx.Response:
        return await self.client.post(PATH, content=message)

    async def launch(self) -> None:
        reader, writer = await asyncio.open_connection(sock=self.launcher)
        while line := await reader.readline():
            self.asked.append(json.loads(line))
            await self.may_answer.wait()
            if "trouble" not in self.asked[-1]:
                writer.write(json.dumps(self.said).encode() + b"\n")


@pytest.fixture(autouse=True, scope="module")
def pages_release(tmp_path_factory: pytest.TempPathFactory) -> None:
    Scene.release = write_release(tmp_path_factory.mktemp("release"))


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    ours, theirs = socket.socketpair()
    bound = Bound()
    lock = Lock(DATA, ours, bound)  # type: ignore[arg-type]
    bound.bind(unlock=lock.bound, data=DATA)
    pages = Pages(Scene.release)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await locked.answer(lock, pages, scope, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://door") as client:
        made = Scene(lock, bound, client, theirs)
        tasks = [asyncio.create_task(lock.hear()), asyncio.create_task(made.launch())]
        await asyncio.sleep(0)
        yield made
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for each in (ours, theirs):
        each.close()


def played(test: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        async with scene() as made:
            await test(made)

    asyncio.run(run())


def test_the_owners_message_opens_it_and_the_evidence_says_so() -> None:
    async def test(made: Scene) -> None:
        asking = made.asking()
        answer = await made.post(asking.message)
        assert asking.heard(answer.content) == Answer("opened", 4)
        key = base64.b64encode(KEY).decode()
        assert made.asked == [{"action": "open", "least": 3, "key": key}]
        assert made.bound.members == {"unlock": None, "data": DATA | {"generation": 4}}
        assert not made.lock.open, "people are let in when everything serves"
        assert (await made.post(asking.message)).status_code == 403

    played(test)


def test_a_second_key_is_handed_on() -> None:
    async def test(made: Scene) -> None:
        text = made.lock.bound
        public = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        asking = Asking(public, OWNER, KEY, Action.ROTATE, 3, new_key=bytes(32))
        assert asking.heard((await made.post(asking.message)).content) == Answer("opened", 4)
        key, new = (base64.b64encode(each).decode() for each in (KEY, bytes(32)))
        assert made.asked == [{"action": "rotate", "least": 3, "key": key, "new": new}]

    played(test)


def test_data_that_is_not_opened_leaves_it_locked_with_a_new_key() -> None:
    async def test(made: Scene) -> None:
        made.said = {"ok": False, "generation": 2, "detail": "The data is older than it should be."}
        asking, before = made.asking(action=Action.CREATE), made.bound.members["unlock"]
        answer = await made.post(asking.message)
        assert asking.heard(answer.content) == Answer("refused", 2, "The data is older than it should be.")
        assert made.asked[0]["action"] == "create"
        assert made.bound.members["unlock"] == made.lock.bound != before
        made.said = {"ok": True, "generation": 5}
        again = made.asking()
        assert again.heard((await made.post(again.message)).content).generation == 5

    played(test)


@pytest.mark.attack
def test_whoever_is_not_the_owner_opens_nothing_and_keeps_nobody_out() -> None:
    async def test(made: Scene) -> None:
        good = made.asking()
        before = dict(made.bound.members)
        for message, status in (
            (made.asking(OTHER).message, 403),
            (good.message[:-1], 400),
            (good.message + b"x", 400),
            (b"", 400),
            (bytes(1 << 20), 400),
            (good.message[:-1] + bytes([good.message[-1] ^ 1]), 403),
        ):
            answer = await made.post(message)
            assert answer.status_code == status and answer.json()["detail"].endswith(".")
        assert made.asked == [] and made.bound.members == before
        assert good.heard((await made.post(good.message)).content).state == "opened"

    played(test)


@pytest.mark.attack
def test_forged_messages_wait_for_each_other_and_nobody_else_for_them() -> None:
    async def test(made: Scene) -> None:
        forged = made.asking(OTHER).message

        async def refused() -> None:
            with pytest.raises(RefusedError, match="not signed by the owner"):
                await made.lock.take(forged)

        looked_at = [asyncio.create_task(refused()) for _ in range(40)]
        for around in range(1, 20):
            await asyncio.sleep(0)  # whatever else the door has to do is done here
            assert sum(each.done() for each in looked_at) <= around
        await asyncio.gather(*looked_at)

    played(test)


@pytest.mark.attack
@pytest.mark.parametrize("said", [{"ok": True, "generation": 4}, {"ok": False, "generation": 2, "detail": "No."}])
def test_messages_that_come_while_the_owners_is_carried_out_bind_no_other_key(said: dict[str, Any]) -> None:
    """Its one message used the key, and they did not: whoever sends them has no say in what evidence binds."""

    async def test(made: Scene) -> None:
        made.said = said
        made.may_answer.clear()
        forged, opening, before = (
            made.asking(OTHER).message,
            asyncio.create_task(made.lock.take(made.asking().message)),
            made.lock.bound,
        )
        waiting = [asyncio.create_task(made.lock.take(forged)) for _ in range(20)]
        while not made.asked:
            await asyncio.sleep(0.01)
        assert made.lock.bound == made.bound.members["unlock"] == before
        made.may_answer.set()
        waiting += [asyncio.create_task(made.lock.take(forged)) for _ in range(20)]
        await opening
        assert all(isinstance(each, RefusedError) for each in await asyncio.gather(*waiting, return_exceptions=True))
        assert made.bound.members["unlock"] == (None if said["ok"] else made.lock.bound)

    played(test)


def test_people_are_told_and_programs_too() -> None:
    async def test(made: Scene) -> None:
        for path in ("/", "/c/a-chat"):
            page = await made.client.get(path, headers={"Accept": "text/html,*/*"})
            assert (page.status_code, page.text) == (503, PAGE) and page.headers["retry-after"]
            assert page.headers["cache-control"] == "no-store"
        for path in ("/_app/version.json", "/static/loader.js"):  # the page's own, with its shield
            assert (await made.client.get(path, headers={"Accept-Encoding": "identity"})).status_code == 200
            assert (await made.client.post(path)).status_code == 503
        for path in ("/health", "/api/config", "/api/v1/chats/"):
            answer = await made.client.get(path)
            assert answer.status_code == 503 and "locked" in answer.json()["detail"]
        assert (await made.client.put(PATH)).status_code == 405
        asked = await made.client.get(PATH)
        assert (asked.status_code, asked.json()["trouble"]) == (200, "") and "locked" in asked.json()["detail"]

    played(test)


def test_it_lets_people_in_when_the_launcher_says_so() -> None:
    async def test(made: Scene) -> None:
        made.launcher.sendall(b'{"serve": true}\n')
        for _ in range(100):
            await asyncio.sleep(0.01)
            if made.lock.open:
                return
        pytest.fail("it stayed locked")

    played(test)


def test_what_lies_in_the_data_is_taken_up_before_people_are_let_in() -> None:
    async def test(made: Scene) -> None:
        taken: list[tuple[dict[str, str], bool]] = []

        async def take_up(kept: dict[str, str]) -> None:
            taken.append((kept, made.lock.open))

        made.lock.take_up = take_up
        assert not made.lock.opened.is_set()
        made.launcher.send(json.dumps({"serve": True, "kept": {"tls-key": "a key"}}).encode() + b"\n")
        await asyncio.wait_for(made.lock.opened.wait(), 10)
        assert taken == [({"tls-key": "a key"}, False)] and made.lock.open

    played(test)
