"""The endpoints over HTTP, in an app of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from attestation.router import make as make_router
from fastapi import FastAPI
from fastapi.testclient import TestClient

from .conftest import Answer, Attester

NONCE = "A" * 43
Client = Callable[..., TestClient]


@pytest.fixture
def client(attester: Attester) -> Client:
    """Makes a client of a fresh app whose settings are the given environment."""

    def make(answer: Answer | None = None, socket: str | None = None, **environ: str) -> TestClient:
        where = {"TEE_ATTESTER_SOCKET": socket or str(attester(answer).path)}
        app = FastAPI()
        app.include_router(make_router(where | environ), prefix="/api/v1/tee")
        return TestClient(app)

    return make


def test_quote_has_ccz_fields_and_ours(client: Client) -> None:
    answer = client().get("/api/v1/tee/quote", params={"nonce": NONCE})
    assert answer.status_code == 200
    body = answer.json()
    ccz = {"quote", "quote_parse", "timestamp", "id", "status"}
    assert set(body) == ccz | {"tee", "runtime_data", "event_log", "proof"}
    assert body["status"] is True
    assert UUID(body["id"]).version == 4
    assert abs((datetime.now(UTC) - datetime.fromisoformat(body["timestamp"])).total_seconds()) < 60
    assert body["proof"] == {"index": 0, "size": 1, "path": [NONCE]}
    assert answer.headers["content-type"] == "application/json"
    assert "no-store" in answer.headers["cache-control"]


def test_client_without_nonce_is_served(client: Client) -> None:
    body = client().get("/api/v1/tee/quote").json()
    assert body["status"] is True
    assert bytes.fromhex(body["quote"])
    assert body["quote"] == body["quote"].lower()
    assert body["proof"]["path"] == [body["nonce"]] and len(body["nonce"]) == 43


def test_bad_nonce_is_400(client: Client) -> None:
    answer = client().get("/api/v1/tee/quote", params={"nonce": "short"})
    assert answer.status_code == 400
    assert "32 bytes" in answer.json()["detail"]


@pytest.mark.parametrize(("code", "status"), [("busy", 503), ("device", 503), ("internal", 502)])
def test_attester_errors(client: Client, code: str, status: int) -> None:
    line = json.dumps({"ok": False, "error": {"code": code, "message": "The reason."}}).encode() + b"\n"
    answer = client(lambda _: line).get("/api/v1/tee/quote")
    assert (answer.status_code, answer.json()["detail"]) == (status, "The reason.")
    assert ("retry-after" in answer.headers) == (status == 503)


def test_no_attester_is_503(client: Client) -> None:
    assert client(socket="/nonexistent.sock").get("/api/v1/tee/quote").status_code == 503


@pytest.mark.slow
def test_nobody_is_limited(client: Client) -> None:
    """One asker behind a proxy must not be able to deny all others: what is bounded is who waits at once."""
    web = client()
    assert {web.get("/api/v1/tee/quote").status_code for _ in range(200)} == {200}


def test_the_description_says_what_an_answer_holds(client: Client) -> None:
    """Answers are spliced from texts, so nothing but this compares them with what is described."""
    web = client()
    described = web.get("/openapi.json").json()["components"]["schemas"]["Evidence"]
    assert set(web.get("/api/v1/tee/quote").json()) == set(described["properties"])
    assert set(web.get("/api/v1/tee/quote", params={"nonce": NONCE}).json()) == set(described["required"])


def test_config_shows_public_settings(client: Client) -> None:
    body = client(TEE_SERVICE="alibaba", TEE_GATE="block", TEE_KIND="tdx-simulated").get("/api/v1/tee/config").json()
    assert body == {
        "v": 1,
        "service": "alibaba",
        "service_url": "https://attest.cn-beijing.aliyuncs.com",
        "service_key": None,
        "service_origins": ["https://attest.cn-beijing.aliyuncs.com"],
        "gate": "block",
        "max_age_s": 3600,
        "tee": "tdx-simulated",
        "launch": "unmeasured",
        "channel": "off",
    }


@pytest.mark.parametrize("chosen", ["off", "offer", "require"])
def test_config_says_where_requests_are_to_go(client: Client, chosen: str) -> None:
    assert client(TEE_CHANNEL=chosen).get("/api/v1/tee/config").json()["channel"] == chosen


def test_collateral_without_pccs_is_503(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web = client()
    import attestation.collateral as relay

    monkeypatch.setattr(relay.find_pccs, "__defaults__", (tmp_path / "absent.conf",))
    answer = web.get("/api/v1/tee/collateral")
    assert answer.status_code == 503
    assert "TEE_PCCS_URL" in answer.json()["detail"]


@pytest.mark.parametrize(("log", "status"), [("AAAA", 200), (None, 404)])
def test_the_boot_log_is_asked_for_once_whoever_floods(attester: Attester, log: str | None, status: int) -> None:
    fake = attester(lambda _: json.dumps({"ok": True, "boot_log": log}).encode() + b"\n")
    app = FastAPI()
    app.include_router(make_router({"TEE_ATTESTER_SOCKET": str(fake.path)}), prefix="/api/v1/tee")
    web = TestClient(app)
    answers = [web.get("/api/v1/tee/boot-log") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {status}
    assert {answer.json().get("boot_log") for answer in answers} == {log}
    assert fake.requests == [{"boot_log": True}]


@pytest.mark.parametrize(
    ("line", "status", "says"),
    [
        (b'{"ok": true, "boot_log": null}', 404, "This machine has no boot event log to give."),
        (b'{"ok": true, "boot_log": 7}', 502, "could not be read"),
        (b'{"ok": true}', 502, "could not be read"),
        (b"[]", 502, "could not be read"),
        (b"garbage", 502, "could not be read"),
        (b'{"ok": false, "error": {"code": "bad-request", "message": "no"}}', 502, "could not be read"),
    ],
)
def test_a_boot_log_that_is_not_there_is_one_sentence(client: Client, line: bytes, status: int, says: str) -> None:
    answer = client(lambda _: line + b"\n").get("/api/v1/tee/boot-log")
    assert (answer.status_code, says in answer.json()["detail"]) == (status, True)


def test_no_attester_has_no_boot_log(client: Client) -> None:
    assert client(socket="/nonexistent.sock").get("/api/v1/tee/boot-log").status_code == 503
