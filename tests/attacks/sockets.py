"""What a socket tells, and to whom."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp

from tests.attacks.conftest import Person, Site
from tests.attacks.standin import SLOW


class Socket:
    """A socket.io client: what it is told, in order, as (event, data)."""

    def __init__(self, site: Site, token: str | None) -> None:
        self._url = f"{site.url}/ws/socket.io/?EIO=4&transport=websocket"
        self._token = token
        self.told: list[tuple[str, Any]] = []
        self.sid = ""

    async def __aenter__(self) -> Socket:
        self._session = aiohttp.ClientSession()
        self._ws = await self._session.ws_connect(self._url)
        await self._ws.receive_str()
        await self._ws.send_str("40" + (json.dumps({"token": self._token}) if self._token else ""))
        while not self.sid:
            text = await self._ws.receive_str()
            if text.startswith("40"):
                self.sid = json.loads(text[2:])["sid"]
            elif text.startswith("42"):
                self.told.append(tuple(json.loads(text[2:])))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._ws.close()
        await self._session.close()

    async def emit(self, event: str, data: object) -> None:
        await self._ws.send_str("42" + json.dumps([event, data]))

    async def listen(self, seconds: float = 1.0) -> list[tuple[str, Any]]:
        """All that it was told so far, after nothing new came for `seconds`."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                message = await self._ws.receive(timeout=left)
            except TimeoutError:
                break
            if message.type != aiohttp.WSMsgType.TEXT:
                break
            if message.data == "2":
                await self._ws.send_str("3")
            elif message.data.startswith("42"):
                found = message.data[2:]
                self.told.append(tuple(json.loads(found)))
            else:  # a call that wants an answer, "42<id>[...]" among them
                self.told.append(("other", message.data))
        return self.told


def test_ids_told_by_the_socket(site: Site) -> None:
    async def attack() -> tuple[list[Any], list[Any]]:
        async with Socket(site, None) as nobody, Socket(site, site.eve.token) as eve, Socket(site, site.ada.token):
            await nobody.emit("usage", {"model": "made up"})
            await eve.emit("user-list", {})
            return await nobody.listen(), await eve.listen()

    nobody, eve = asyncio.run(attack())
    assert nobody == []
    lists = [data["user_ids"] for event, data in eve if event == "user-list"]
    assert lists and len(lists[-1]) == 2
    assert site.eve.id in lists[-1] and site.ada.id not in lists[-1]
    assert "made up" not in json.dumps(eve)


def test_models_in_use_told_by_the_socket(site: Site) -> None:
    async def attack() -> list[Any]:
        async with Socket(site, site.admin.token) as admin, Socket(site, site.eve.token) as eve:
            await admin.emit("usage", {"model": "closed-model"})
            await eve.emit("usage", {"model": "open-model"})
            return await eve.listen()

    told = json.dumps([data for event, data in asyncio.run(attack()) if event == "usage"])
    assert "open-model" in told and "closed-model" not in told


def _chat(who: Person) -> str:
    chat = {
        "title": "t",
        "history": {
            "currentId": "m",
            "messages": {"m": {"id": "m", "role": "assistant", "content": "", "parentId": None}},
        },
    }
    return str(who.post("/api/v1/chats/new", json={"chat": chat}).json()["id"])


def _ask(site: Site, who: Person, session_id: str | None) -> None:
    answer = who.ask("```print(1)```", chat_id=_chat(who), id="m", session_id=session_id, stream=False)
    assert answer.status_code == 200, answer.text


def test_cve_2026_59216_events_into_anothers_page(site: Site) -> None:
    async def attack() -> set[str]:
        async with Socket(site, site.ada.token) as ada, Socket(site, site.eve.token), Socket(site, None) as nobody:
            for session in (ada.sid, "nobody's"):
                await asyncio.to_thread(_ask, site, site.eve, session)
            return {event for event, _ in await ada.listen() + await nobody.listen()}

    told = asyncio.run(attack())
    assert "chat-events" not in told and "other" not in told


def test_cve_2025_63681_anothers_tasks(site: Site) -> None:
    """An answer that is still being written is a task."""

    async def attack() -> None:
        async with Socket(site, site.ada.token) as ada:
            form = {"chat_id": _chat(site.ada), "id": "m", "session_id": ada.sid, "stream": True, "features": {}}
            task = (await asyncio.to_thread(site.ada.ask, SLOW, **form)).json()["task_id"]
            assert (await asyncio.to_thread(site.eve.get, "/api/tasks")).json() == {"tasks": []}
            assert (await asyncio.to_thread(site.eve.post, f"/api/tasks/stop/{task}")).status_code == 404
            assert (await asyncio.to_thread(site.ada.get, "/api/tasks")).json() == {"tasks": [task]}
            assert (await asyncio.to_thread(site.ada.post, f"/api/tasks/stop/{task}")).status_code == 200

    try:
        asyncio.run(attack())
    finally:
        site.model.go_on.set()


def test_events_reach_the_page_of_whoever_asks(site: Site) -> None:
    async def chat() -> list[Any]:
        async with Socket(site, site.ada.token) as ada:
            await asyncio.to_thread(_ask, site, site.ada, ada.sid)
            return await ada.listen()

    assert "chat-events" in {event for event, _ in asyncio.run(chat())}


def test_events_without_a_session_are_not_for_everybody(site: Site) -> None:
    async def attack() -> list[Any]:
        async with Socket(site, site.eve.token) as eve:
            for session in (None, ""):
                await asyncio.to_thread(_ask, site, site.ada, session)
            form = {"chat_id": "local", "id": "m", "session_id": None}
            item = {"type": "collection", "id": "x", "name": "x"}
            model: dict[str, Any] = {
                "id": "told",
                "name": "t",
                "base_model_id": "open-model",
                "params": {},
                "access_control": None,
            }
            await asyncio.to_thread(
                site.ada.post, "/api/v1/models/create", json={**model, "meta": {"knowledge": [item]}}
            )
            await asyncio.to_thread(site.ada.get, "/api/models")
            await asyncio.to_thread(site.ada.ask, "my secret question", model="told", **form)
            return await eve.listen()

    told = asyncio.run(attack())
    assert "my secret question" not in json.dumps(told) and "chat-events" not in {event for event, _ in told}
