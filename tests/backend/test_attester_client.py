import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from attestation import attester as module
from attestation.attester import AttesterClient, AttesterError, check_nonce

from .conftest import Attester

NONCE = "A" * 43


def ask(client: AttesterClient, nonce: str | None = NONCE) -> dict[str, Any]:
    return asyncio.run(client.evidence(nonce))


def test_nonce_is_passed_on(attester: Attester) -> None:
    server = attester()
    assert ask(AttesterClient(server.path))["runtime_data"]["nonce"] == NONCE
    assert server.requests == [{"nonce": NONCE}]


def test_without_nonce_the_attester_draws(attester: Attester) -> None:
    server = attester()
    assert ask(AttesterClient(server.path), None)["runtime_data"]["nonce"] == "drawn"
    assert server.requests == [{}]


@pytest.mark.parametrize(
    "nonce",
    [
        "",
        "A" * 42,
        "A" * 44,
        "A" * 43 + "=",
        "A" * 42 + "B",
        "A" * 42 + "+",
        "A" * 42 + "/",
        "A" * 42 + "\n",
        "é" * 43,
        "A" * 10_000,
    ],
)
def test_only_one_spelling_of_32_bytes(nonce: str) -> None:
    with pytest.raises(AttesterError) as error:
        check_nonce(nonce)
    assert error.value.code == "bad-request"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", "internal"),
        (b"not json\n", "internal"),
        (b"[]\n", "internal"),
        (b'{"ok": true}\n', "internal"),
        (b'{"ok": true, "evidence": {"quote": "xyz"}}\n', "internal"),
        (b'{"ok": "yes", "evidence": {"quote": "00"}}\n', "internal"),
        (b'{"ok": false, "error": {"code": "busy", "message": "m"}}\n', "busy"),
        (b'{"ok": false, "error": {"code": "device", "message": "m"}}\n', "device"),
    ],
)
def test_bad_answers(attester: Attester, answer: bytes, code: str) -> None:
    with pytest.raises(AttesterError) as error:
        ask(AttesterClient(attester(lambda _: answer).path))
    assert error.value.code == code


def test_no_attester(tmp_path: Path) -> None:
    for client in (AttesterClient(None), AttesterClient(tmp_path / "absent.sock")):
        with pytest.raises(AttesterError) as error:
            ask(client)
        assert error.value.code == "unreachable"


def test_endless_answer_is_cut(attester: Attester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWER_BYTES", 1000)
    with pytest.raises(AttesterError) as error:
        ask(AttesterClient(attester(lambda _: b"x" * 100_000).path))
    assert error.value.code == "unreachable"


def test_silent_attester_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.1)

    async def scenario() -> str:
        hold = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await hold.wait()
            writer.close()

        server = await asyncio.start_unix_server(silent, str(tmp_path / "silent.sock"))
        client = AttesterClient(tmp_path / "silent.sock")
        try:
            await client.evidence(NONCE)
        except AttesterError as error:
            return error.code
        finally:
            hold.set()
            server.close()
        return "answered"

    assert asyncio.run(scenario()) == "busy"


def test_too_many_waiting_are_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)

    async def scenario() -> list[str]:
        release = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            await release.wait()
            writer.write(json.dumps({"ok": True, "evidence": {"quote": "00"}}).encode() + b"\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(slow, str(tmp_path / "slow.sock"))
        client = AttesterClient(tmp_path / "slow.sock")

        async def one() -> str:
            try:
                await client.evidence(NONCE)
            except AttesterError as error:
                return error.code
            return "ok"

        asked = [asyncio.create_task(one()) for _ in range(5)]
        await asyncio.sleep(0.05)
        release.set()
        outcomes = list(await asyncio.gather(*asked))
        outcomes.append(await one())  # places are given back
        server.close()
        return outcomes

    assert asyncio.run(scenario()) == ["ok", "ok", "ok", "busy", "busy", "ok"]
