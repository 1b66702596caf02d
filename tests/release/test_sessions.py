"""Sessions of the encrypted channel, and those outside, at a running release: each is refused on the other's side."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.running import Server, serve
from tests.ports import free_port
from tests.release.channel_client import Inside, Outside

pytestmark = [pytest.mark.release, pytest.mark.slow, pytest.mark.attack]
WHO = {"name": "Ada", "email": "ada@example.org", "password": "a long password 1"}
ME, KEY, MODELS = "/api/v1/auths/", "/api/v1/auths/api_key", "/api/models"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sessions")


@pytest.fixture(scope="module")
def made(release: Path, folder: Path) -> dict[str, str]:
    """Tokens and keys that were made while the channel was offered, on either side."""
    with serve(release / "open-webui-tdx", folder / "data", free_port(), TEE_CHANNEL="offer") as server:
        return _used_where_they_were_made(server)


def _used_where_they_were_made(server: Server) -> dict[str, str]:
    inside, outside = Inside(server.url), Outside(server.url)
    found = {"inside": inside.ask("POST", "/api/v1/auths/signup", body=WHO)[1]["token"]}
    found["outside"] = outside.ask("POST", "/api/v1/auths/signin", body=WHO)[1]["token"]
    sides = {"inside": (inside, outside), "outside": (outside, inside)}
    for name, (own, other) in sides.items():
        token = found[name]
        for by in ("header", "cookie"):
            assert own.ask("GET", ME, token, by=by)[0] == 200, f"{name} by {by}"
            assert other.ask("GET", ME, token, by=by)[0] == 401, f"{name} by {by}"
            assert "permissions" in own.ask("GET", "/api/config", token, by=by)[1], f"{name} by {by}"
            assert "permissions" not in other.ask("GET", "/api/config", token, by=by)[1], f"{name} by {by}"
            assert other.ask("GET", "/cache/image/x.png", token, by=by)[0] == 401, f"{name} by {by}"
        assert own.join(token)["name"] == WHO["name"], name
        assert other.join(token) is None, name
        key = found[f"{name} key"] = own.ask("POST", KEY, token)[1]["api_key"]
        assert own.ask("GET", MODELS, key)[0] == 200, name
        status, answer = other.ask("GET", MODELS, key)
        assert status == 401 and "encrypted channel" in answer["detail"], name
    return found


def test_each_is_refused_on_the_others_side(made: dict[str, str]) -> None:
    assert made["inside key"].startswith("sk-inside-") and not made["outside key"].startswith("sk-inside-")


def test_a_launch_that_requires_the_channel_knows_no_session_of_before(
    made: dict[str, str], release: Path, folder: Path
) -> None:
    """The data folder of a service that was reached outside before, with everything that was read there."""
    launcher = release / "open-webui-tdx"
    with serve(launcher, folder / "data", free_port(), TEE_CHANNEL="require") as server:
        inside, outside = Inside(server.url), Outside(server.url)
        for token in made.values():
            assert outside.ask("GET", ME, token)[0] == 403
        for name in ("inside", "outside"):
            assert inside.ask("GET", ME, made[name])[0] == 401
            assert inside.join(made[name]) is None
        assert inside.ask("GET", MODELS, made["outside key"])[0] == 401
        token = inside.ask("POST", "/api/v1/auths/signin", body=WHO)[1]["token"]
        assert inside.ask("GET", ME, token)[0] == 200 and inside.join(token)["name"] == WHO["name"]
