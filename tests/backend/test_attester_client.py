import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from attestation import attester as module
from attestation.attester import AttesterClient, AttesterError, check_nonce

from .conftest import Attester, answer_to

NONCE = "A" * 43


def ask(client: AttesterClient, nonce: str | None = NONCE) -> dict[str, Any]:
    async def asked() -> dict[str, Any]:
        answer = await client.evidence(nonce)
        body: dict[str, Any] = json.loads(answer.body())
        return body

    return asyncio.run(asked())


def test_nonce_is_passed_on(attester: Attester) -> None:
    server = attester()
    body = ask(AttesterClient(server.path))
    assert (body["proof"]["path"], "nonce" in body) == ([NONCE], False)
    assert server.requests == [{"nonces": [NONCE]}]


def test_without_nonce_one_is_drawn_and_told(attester: Attester) -> None:
    server = attester()
    client = AttesterClient(server.path)
    first, second = (ask(client, None) for _ in range(2))
    assert [one["proof"]["path"] for one in (first, second)] == [[first["nonce"]], [second["nonce"]]]
    assert check_nonce(first["nonce"]) != second["nonce"]


def test_who_asks_meanwhile_shares_the_next_request(tmp_path: Path) -> None:
    """Each gets the proof of its own nonce, and who went away is not asked for."""
    asked: list[list[str]] = []
    nonces = [chr(ord("A") + place) + "A" * 42 for place in range(8)]

    async def scenario() -> list[list[str]]:
        release = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            request = json.loads(await reader.readline())
            asked.append(request["nonces"])
            await release.wait()
            writer.write(answer_to(request))
            await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(slow, str(tmp_path / "slow.sock"))
        client = AttesterClient(tmp_path / "slow.sock")
        tasks = []
        for nonce in nonces:
            tasks.append(asyncio.create_task(client.evidence(nonce)))
            await asyncio.sleep(0.02 if len(tasks) == 1 else 0)
        tasks.pop(3).cancel()
        await asyncio.sleep(0)
        release.set()
        answers = await asyncio.gather(*tasks)
        server.close()
        return [json.loads(answer.body())["proof"]["path"] for answer in answers]

    remaining = nonces[:3] + nonces[4:]
    assert asyncio.run(scenario()) == [[nonce] for nonce in remaining]
    assert asked == [nonces[:1], remaining[1:]]


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
        (b'{"ok": true, "evidence": {"quote": "xyz"}, "proofs": [{}]}\n', "internal"),
        (b'{"ok": true, "evidence": {"quote": "00"}}\n', "internal"),
        (b'{"ok": true, "evidence": {"quote": "00"}, "proofs": []}\n', "internal"),
        (b'{"ok": true, "evidence": {"quote": "00"}, "proofs": [{}, {}]}\n', "internal"),
        (b'{"ok": true, "evidence": {"quote": "00"}, "proofs": {"0": {}}}\n', "internal"),
        (b'{"ok": "yes", "evidence": {"quote": "00"}, "proofs": [{}]}\n', "internal"),
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
            request = json.loads(await reader.readline())
            await release.wait()
            writer.write(answer_to(request))
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
