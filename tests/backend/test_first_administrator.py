"""Beyond loopback only the launcher's link makes the first administrator."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from open_webui.tee import first

pytestmark = pytest.mark.attack

KEY = "k" * 43
LINK = f"{first.LINK}?key={KEY}"
WAYS = ("/api/v1/auths/signup", "/api/v1/auths/signin", "/api/v1/auths/ldap", "/oauth/google/callback")


class Server:
    """A stand-in for upstream's sign-up, which makes users out of anybody."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, key: str = KEY) -> None:
        self.users = 0
        app = FastAPI()
        for way in WAYS:
            app.add_api_route(way, self.sign_up, methods=["GET", "POST"])
        app.add_api_route("/health", lambda: {})
        monkeypatch.setenv("TEE_FIRST_SIGNUP", key)
        monkeypatch.setattr(first, "_users", lambda: self.users)
        first.install(app)
        self.client = TestClient(app, follow_redirects=False)

    def sign_up(self) -> dict[str, Any]:
        self.users += 1
        return {"role": "admin" if self.users == 1 else "user"}


@pytest.mark.parametrize("way", WAYS)
def test_nobody_becomes_administrator_without_the_link(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    server = Server(monkeypatch)
    for method in ("GET", "POST"):
        answer = server.client.request(method, way)
        assert answer.status_code == 403 and answer.json() == {"detail": first.REFUSED}
    assert server.users == 0


@pytest.mark.parametrize("way", WAYS)
def test_whoever_has_the_link_does(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    server = Server(monkeypatch)
    answer = server.client.get(LINK)
    assert answer.status_code == 303 and answer.headers["location"] == f"/auth#administrator={KEY}"
    assert "HttpOnly" in answer.headers["set-cookie"] and answer.headers["cache-control"] == "no-store"
    assert server.client.post(way).json() == {"role": "admin"}


@pytest.mark.parametrize(
    "wrong", ["", "?key=", "?key=x", f"?key={KEY}x", f"?key={KEY[:-1]}", "?key=%ff%00", f"?k={KEY}"]
)
def test_another_link_does_nothing(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    server = Server(monkeypatch)
    answer = server.client.get(first.LINK + wrong)
    assert answer.status_code == 403 and "set-cookie" not in answer.headers
    assert server.client.post(WAYS[0]).status_code == 403


def test_it_works_once(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch)
    server.client.get(LINK)
    server.client.post(WAYS[0])
    server.client.cookies.clear()
    assert server.client.get(LINK).status_code == 410
    assert server.client.post(WAYS[0]).json() == {"role": "user"}  # upstream decides about the others


@pytest.mark.parametrize("way", WAYS)
def test_a_page_says_the_key_itself_where_there_are_no_cookies(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    server = Server(monkeypatch)
    assert server.client.post(way, headers={"X-First-Administrator": KEY[:-1]}).status_code == 403
    assert server.client.post(way, headers={"X-First-Administrator": KEY}).json() == {"role": "admin"}


@pytest.mark.parametrize("cookie", ["", "x", f"{first.COOKIE}=", f"{first.COOKIE}=x", f"x={KEY}", "\xff=;;"])
def test_another_cookie_does_nothing(monkeypatch: pytest.MonkeyPatch, cookie: str) -> None:
    server = Server(monkeypatch)
    answer = server.client.post(WAYS[0], headers={"cookie": cookie.encode("latin-1")})
    assert answer.status_code == 403


def test_everything_else_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Server(monkeypatch).client.get("/health").json() == {}


def test_on_loopback_the_first_to_sign_up_is_administrator(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Server(monkeypatch, key="").client.post(WAYS[0]).json() == {"role": "admin"}
