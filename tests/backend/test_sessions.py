"""Tokens and API keys of the encrypted channel, and those outside, each refused on the other's side."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.testclient import TestClient
from open_webui.tee import sessions

pytestmark = pytest.mark.attack

INSIDE = {"X-Tee-Channel": "inside"}


class Server:
    """A stand-in for upstream: tokens are dictionaries that it believes, as it believes what it signed itself."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, channel: str = "offer") -> None:
        app = FastAPI()
        app.get("/token")(self.token)
        app.get("/key")(self.key)
        app.get("/whose")(self.whose)
        app.websocket("/socket")(self.socket)
        monkeypatch.setenv("TEE_CHANNEL", channel)
        sessions.install(app)
        self.client = TestClient(app)

    @staticmethod
    def token() -> dict[str, Any]:  # in a thread, as upstream's are
        return {"id": "1", **sessions.claims()}

    @staticmethod
    async def key() -> str:
        return sessions.api_key("sk-123")

    @staticmethod
    def _fits(claim: str = "") -> bool:
        return sessions.fits({"id": "1"} | ({sessions.CLAIM: claim} if claim else {}))

    @staticmethod
    async def whose(request: Request, fits: bool = Depends(_fits)) -> dict[str, Any]:
        if key := request.query_params.get("key"):
            sessions.require_key(key)
        return {"fits": fits, "token": sessions.token_of(request)}

    @staticmethod
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()

        async def handler() -> None:  # socket.io handles each message in a task of its own
            await websocket.send_json(sessions.fits({sessions.CLAIM: await websocket.receive_text()}))

        await asyncio.create_task(handler())
        await websocket.close()


def test_what_is_made_inside_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Server(monkeypatch).client
    assert client.get("/token").json() == {"id": "1"}
    assert client.get("/token", headers=INSIDE).json() == {"id": "1", "channel": "inside"}
    assert client.get("/key").json() == "sk-123" and client.get("/key", headers=INSIDE).json() == "sk-inside-123"


@pytest.mark.parametrize(
    "headers", [{}, {"X-Tee-Channel": ""}, {"X-Tee-Channel": "Inside"}, {"X-Tee-Channel": "outside"}]
)
def test_a_token_of_inside_is_nobodys_outside(monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]) -> None:
    client = Server(monkeypatch).client
    assert client.get("/whose?claim=inside", headers=headers).json()["fits"] is False
    assert client.get("/whose?claim=inside", headers=INSIDE).json()["fits"] is True


@pytest.mark.parametrize("claim", ["", "outside", "Inside"])
def test_a_token_of_outside_is_nobodys_inside(monkeypatch: pytest.MonkeyPatch, claim: str) -> None:
    client = Server(monkeypatch).client
    assert client.get(f"/whose?claim={claim}", headers=INSIDE).json()["fits"] is False
    assert client.get(f"/whose?claim={claim}").json()["fits"] is True


def test_a_socket_takes_tokens_of_its_own_side(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Server(monkeypatch).client
    for headers, claim, good in (({}, "inside", False), (INSIDE, "inside", True), ({}, "", True), (INSIDE, "", False)):
        with client.websocket_connect("/socket", headers=headers) as socket:
            socket.send_text(claim)
            assert socket.receive_json() is good


def test_api_keys_are_taken_where_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Server(monkeypatch).client
    outside = client.get("/whose?key=sk-inside-123")
    assert outside.status_code == 401 and outside.json() == {"detail": sessions.MADE_INSIDE}
    inside = client.get("/whose?key=sk-123", headers=INSIDE)
    assert inside.status_code == 401 and inside.json() == {"detail": sessions.MADE_OUTSIDE}
    assert client.get("/whose?key=sk-123").status_code == 200
    assert client.get("/whose?key=sk-inside-123", headers=INSIDE).status_code == 200


def test_where_no_door_says_it_nobody_is_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Server(monkeypatch, "off").client
    assert client.get("/token", headers=INSIDE).json() == {"id": "1"}
    assert client.get("/whose?claim=inside", headers=INSIDE).json()["fits"] is False


def test_two_answers_to_the_question_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Server(monkeypatch).client
    twice = [("X-Tee-Channel", "inside"), ("X-Tee-Channel", "inside")]
    assert client.get("/token", headers=twice).json() == {"id": "1"}


def test_what_runs_for_no_request_is_outside() -> None:
    assert sessions.claims() == {} and not sessions.fits({"channel": "inside"})
    with pytest.raises(HTTPException):
        sessions.require_key("sk-inside-123")


def test_who_asks_is_told_by_cookie_or_by_header(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Server(monkeypatch).client
    assert client.get("/whose", headers={"Authorization": "Bearer abc"}).json()["token"] == "abc"
    assert client.get("/whose", headers={"Cookie": "token=xyz", "Authorization": "Bearer abc"}).json()["token"] == "xyz"
    assert client.get("/whose", headers={"Authorization": "Basic abc"}).json()["token"] is None
