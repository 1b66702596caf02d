"""The attester's socket service: order, limits, and clients that misbehave."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quote_generator.batches import Batches, Make, Refusal
from quote_generator.errors import BusyError, DeviceFailureError
from quote_generator.eventlog import EventLogError
from quote_generator.evidence import Evidence
from quote_generator.formats import FormatError
from quote_generator.nonces import MOST_NONCES, NonceTree, new_nonce, read_nonce
from quote_generator.service import LONG_LIMIT, Limits, Service, parse_request

ME = frozenset({os.geteuid()})


def made(nonces: Sequence[bytes], quote: str = "00") -> Evidence:
    return Evidence(json.dumps({"quote": quote}).encode(), NonceTree(nonces))


class Device:
    """Keeps the nonces that reach it, by the batch; takes `seconds` a call."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.at_once, self.most_at_once = seconds, 0, 0
        self.calls: list[list[bytes]] = []
        self._lock = threading.Lock()

    def __call__(self, nonces: Sequence[bytes]) -> Evidence:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.calls.append(list(nonces))
        time.sleep(self.seconds)
        with self._lock:
            self.at_once -= 1
        return made(nonces)


@asynccontextmanager
async def serving(
    path: Path, make: Make, limits: Limits | None = None, allowed: frozenset[int] = ME, boot_log: str | None = None
) -> AsyncIterator[Path]:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path / "s"))
    listener.listen(128)
    stop = asyncio.Event()
    task = asyncio.create_task(Service(make, allowed, limits or Limits(), boot_log).run(listener, stop))
    try:
        yield path / "s"
    finally:
        stop.set()
        await asyncio.wait_for(task, 5)


async def exchange(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    reader, writer = await asyncio.open_unix_connection(str(path), limit=1 << 28)
    answers = []
    for line in lines:
        writer.write(line + b"\n")
        answers.append(json.loads(await asyncio.wait_for(reader.readline(), 10)))
    writer.close()
    return answers


def ask(nonce: str | None) -> bytes:
    return json.dumps({"nonce": nonce}).encode()


def many(nonces: Sequence[str]) -> bytes:
    return json.dumps({"nonces": nonces}).encode()


def run(scenario: Any) -> None:
    asyncio.run(scenario)


def test_a_nonce_reaches_the_device_and_its_proof_comes_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        nonce, device = new_nonce(), Device()
        async with serving(tmp_path, device) as path:
            asked, drawn, null = await exchange(path, ask(nonce), b"{}", b'{"nonce": null}')
        proof = {"index": 0, "size": 1, "path": []}
        assert asked == {"ok": True, "evidence": {"quote": "00", "proof": proof}}
        assert drawn["evidence"]["proof"] == proof and drawn["evidence"]["nonce"] != null["evidence"]["nonce"]
        told = [nonce, drawn["evidence"]["nonce"], null["evidence"]["nonce"]]
        assert device.calls == [[read_nonce(one)] for one in told]

    run(scenario())


@pytest.mark.parametrize("log", ["AAAA", None])
def test_the_boot_log_is_given_without_the_device(tmp_path: Path, log: str | None) -> None:
    async def scenario() -> None:
        device = Device()
        async with serving(tmp_path, device, boot_log=log) as path:
            whole, odd = await exchange(path, b'{"boot_log": true}', b'{"boot_log": "/etc/shadow"}')
        assert whole == {"ok": True, "boot_log": log}
        assert odd["error"] == {"code": "bad-request", "message": "boot_log is true"}
        assert device.calls == []

    run(scenario())


def test_many_nonces_get_one_quote_and_a_proof_each(tmp_path: Path) -> None:
    async def scenario() -> None:
        nonces, device = [new_nonce() for _ in range(5)], Device()
        async with serving(tmp_path, device) as path:
            (answer,) = await exchange(path, many(nonces))
        tree = NonceTree([read_nonce(nonce) for nonce in nonces])
        proofs = [{"index": index, "size": 5, "path": tree.path(index)} for index in range(5)]
        assert answer == {"ok": True, "evidence": {"quote": "00"}, "proofs": proofs}
        assert len(device.calls) == 1

    run(scenario())


@pytest.mark.slow
def test_who_waits_while_the_device_is_busy_shares_the_next_quote(tmp_path: Path) -> None:
    """An idle device starts at once, and nobody waits for more than the quote under way and the next."""

    async def scenario() -> None:
        device = Device(0.1)
        nonces = [new_nonce() for _ in range(20)]
        async with serving(tmp_path, device) as path:
            asked = []
            for nonce in nonces:
                asked.append(asyncio.create_task(exchange(path, ask(nonce))))
                await asyncio.sleep(0.02 if len(asked) == 1 else 0)
            asked.append(asyncio.create_task(exchange(path, many(nonces))))
            answers = [one for (one,) in await asyncio.gather(*asked)]
        waited = [[read_nonce(nonce) for nonce in some] for some in (nonces[:1], [*nonces[1:], *nonces])]
        assert [sorted(call) for call in device.calls] == [sorted(some) for some in waited]
        assert device.most_at_once == 1
        for nonce, answer in zip(nonces[1:], answers[1:-1], strict=True):
            assert device.calls[1][answer["evidence"]["proof"]["index"]] == read_nonce(nonce)
        places = [device.calls[1][proof["index"]] for proof in answers[-1]["proofs"]]
        assert places == [read_nonce(nonce) for nonce in nonces]

    run(scenario())


def test_a_batch_that_the_device_refuses_costs_nobody_the_next(tmp_path: Path) -> None:
    calls: list[int] = []

    def moody(nonces: Sequence[bytes]) -> Evidence:
        calls.append(len(nonces))
        time.sleep(0.05)
        if len(calls) == 2:
            raise DeviceFailureError
        return made(nonces)

    async def scenario() -> None:
        async with serving(tmp_path, moody) as path:
            first = asyncio.create_task(exchange(path, b"{}"))
            await asyncio.sleep(0.02)
            refused = await asyncio.gather(*(exchange(path, b"{}") for _ in range(4)))
            assert [one["error"]["code"] for (one,) in refused] == ["device"] * 4
            assert (await first)[0]["ok"] is True and (await exchange(path, b"{}"))[0]["ok"] is True
        assert calls == [1, 4, 1]

    run(scenario())


@pytest.mark.slow
def test_a_batch_is_bounded() -> None:
    """65,536 nonces share a quote; whoever would be one more is told to come again."""

    async def scenario() -> None:
        device = Device(0.2)
        batches = Batches(device, answer_s=10)
        nonces = [os.urandom(32)] * MOST_NONCES
        first = asyncio.create_task(batches.share(nonces[:1], lambda: True))
        await asyncio.sleep(0.02)
        full = asyncio.create_task(batches.share(nonces, lambda: True))
        await asyncio.sleep(0)
        with pytest.raises(Refusal, match="65536 nonces wait") as refused:
            await batches.share(nonces[:1], lambda: True)
        assert refused.value.code == "busy"
        assert ((await first).first, (await full).first) == (0, 0)
        assert (await batches.share(nonces[:1], lambda: True)).evidence.tree.size == 1
        assert [len(call) for call in device.calls] == [1, MOST_NONCES, 1]
        batches.close()

    run(scenario())


@pytest.mark.slow
def test_a_whole_batch_may_be_one_request(tmp_path: Path) -> None:
    async def scenario() -> None:
        nonces = [new_nonce() for _ in range(1024)] * 64
        async with serving(tmp_path, Device()) as path:
            answer, other = await exchange(path, many(nonces), many([*nonces, nonces[0]]))
        assert len(answer["proofs"]) == MOST_NONCES and len(answer["proofs"][-1]["path"]) == 16
        assert other["error"]["message"] == "nonces is a list of 1 to 65536 nonces"

    run(scenario())


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b'"nonce"',
        b"[" * 4000,
        b"\xff\xfe",
        b'{"nonce": 5}',
        b'{"nonce": ""}',
        b'{"nonce": "short"}',
        b'{"nonce": "' + b"A" * 44 + b'"}',
        b'{"nonce": "' + b"A" * 42 + b'B"}',  # 43 characters, but not canonical
        b'{"nonce": "' + b"+" * 43 + b'"}',
        b'{"report_data": "00"}',
        b'{"nonce": null, "extend": 3}',
        b'{"Nonce": "' + b"A" * 43 + b'"}',
        b'{"bind": {"tls": null}}',
        b'{"nonces": []}',
        b'{"nonces": null}',
        b'{"nonces": "' + b"A" * 43 + b'"}',
        b'{"nonces": [5]}',
        b'{"nonces": ["' + b"A" * 42 + b'B"]}',
        b'{"nonces": ["' + b"A" * 43 + b'"], "nonce": null}',
    ],
)
def test_malformed_requests_get_one_sentence_and_the_connection_goes_on(tmp_path: Path, line: bytes) -> None:
    async def scenario() -> None:
        device = Device()
        async with serving(tmp_path, device) as path:
            bad, good = await exchange(path, line, b"{}")
        assert bad["ok"] is False and bad["error"]["code"] == "bad-request" and "\n" not in bad["error"]["message"]
        assert good["ok"] is True and len(device.calls) == 1

    run(scenario())


@given(st.binary(max_size=300))
def test_no_request_raises_anything_but_a_refusal(line: bytes) -> None:
    for text in (line, b'{"nonce":' + line + b"}", b'{"nonce":"' + line + b'"}'):
        try:
            assert [len(nonce) for nonce in parse_request(text).nonces] == [32]
        except Refusal as refusal:
            assert refusal.code == "bad-request" and "\n" not in str(refusal)


@pytest.mark.slow
def test_garbage_on_many_connections_is_survived(tmp_path: Path) -> None:
    async def scenario() -> None:
        generator = random.Random(3)
        async with serving(tmp_path, Device()) as path:
            for _ in range(300):
                _, writer = await asyncio.open_unix_connection(str(path))
                writer.write(generator.randbytes(generator.randrange(6000)) + b"\n" * generator.randrange(3))
                if generator.random() < 0.5:
                    writer.transport.abort()
                else:
                    writer.close()
            assert (await exchange(path, b"{}"))[0]["ok"] is True

    run(scenario())


@pytest.mark.parametrize("size", [4096, 4097, LONG_LIMIT, LONG_LIMIT + 1, LONG_LIMIT * 2])
def test_requests_over_the_limit_are_refused(tmp_path: Path, size: int) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, Device()) as path:
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(b" " * (size - 3) + b"{}\n")
            answer = json.loads(await asyncio.wait_for(reader.readline(), 5))
            assert answer["ok"] is (size <= LONG_LIMIT)
            writer.close()
            assert (await exchange(path, b"{}"))[0]["ok"] is True

    run(scenario())


@pytest.mark.slow
def test_long_requests_are_read_a_few_at_a_time_and_soon(tmp_path: Path) -> None:
    """Who begins long requests and does not end them neither fills the memory nor stops the others for long."""

    async def scenario() -> None:
        limits = Limits(long=1, long_s=0.2)
        async with serving(tmp_path, Device(), limits) as path:
            held = [await asyncio.open_unix_connection(str(path)) for _ in range(2)]
            for _, writer in held:
                writer.write(b" " * 10_000)
            await asyncio.sleep(0.05)
            assert (await exchange(path, b"{}"))[0]["ok"] is True
            assert (await exchange(path, many([new_nonce()] * 1000)))[0]["ok"] is True
            for reader, writer in held:
                assert await asyncio.wait_for(reader.read(), 2) == b""
                writer.close()

    run(scenario())


def test_a_client_that_asks_without_pause_does_not_starve_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        device = Device(0.01)
        greedy_nonce = new_nonce()
        async with serving(tmp_path, device) as path:
            _, greedy = await asyncio.open_unix_connection(str(path))
            greedy.write((ask(greedy_nonce) + b"\n") * 200)  # all at once, on one connection
            await asyncio.sleep(0.05)
            started = time.monotonic()
            await exchange(path, *[b"{}"] * 5)
            assert time.monotonic() - started < 1  # 5 of ours, each behind one of theirs
            greedy.close()

    run(scenario())


@pytest.mark.slow
def test_a_full_queue_answers_busy_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, Device(0.3), Limits(waiting=2)) as path:
            first = asyncio.create_task(exchange(path, b"{}"))
            await asyncio.sleep(0.05)
            answers = await asyncio.gather(first, *(exchange(path, b"{}") for _ in range(5)))
        codes = sorted(a[0]["error"]["code"] if not a[0]["ok"] else "ok" for a in answers)
        assert codes == ["busy"] * 3 + ["ok"] * 3

    run(scenario())


def test_too_many_connections_are_told_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, Device(), Limits(connections=2)) as path:
            held = [await asyncio.open_unix_connection(str(path)) for _ in range(2)]
            await asyncio.sleep(0.05)
            assert (await exchange(path, b"{}"))[0]["error"]["code"] == "busy"
            for _, writer in held:
                writer.close()
            await asyncio.sleep(0.05)
            assert (await exchange(path, b"{}"))[0]["ok"] is True

    run(scenario())


def test_a_quote_that_takes_too_long_is_answered_busy(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, Device(0.5), Limits(answer_s=0.1)) as path:
            assert (await exchange(path, b"{}"))[0]["error"]["code"] == "busy"

    run(scenario())


@pytest.mark.slow
def test_no_quote_is_spent_on_a_client_that_vanished(tmp_path: Path) -> None:
    async def scenario() -> None:
        device = Device(0.1)
        async with serving(tmp_path, device) as path:
            first = asyncio.create_task(exchange(path, b"{}"))
            await asyncio.sleep(0.03)
            for _ in range(20):
                _, writer = await asyncio.open_unix_connection(str(path))
                writer.write(ask(new_nonce()) + b"\n")
                await writer.drain()
                writer.close()
            assert (await first)[0]["ok"] is True
            assert (await exchange(path, b"{}"))[0]["ok"] is True
        assert len(device.calls) == 2

    run(scenario())


def test_a_client_that_only_finished_sending_still_gets_its_answer(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, Device(0.05)) as path:
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(b"{}\n")
            writer.write_eof()
            assert json.loads(await asyncio.wait_for(reader.readline(), 5))["ok"] is True
            writer.close()

    run(scenario())


@pytest.mark.slow
def test_slow_and_silent_clients_are_dropped(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, Device(), Limits(idle_s=0.1)) as path:
            for start in (b"", b'{"non'):
                reader, writer = await asyncio.open_unix_connection(str(path))
                writer.write(start)
                assert await asyncio.wait_for(reader.read(), 2) == b""
                writer.close()
            assert (await exchange(path, b"{}"))[0]["ok"] is True

    run(scenario())


@pytest.mark.slow
def test_a_client_that_does_not_read_is_dropped(tmp_path: Path) -> None:
    def big(nonces: Sequence[bytes]) -> Evidence:
        return made(nonces, "0" * 300_000)

    async def scenario() -> None:
        async with serving(tmp_path, big, Limits(send_s=0.2)) as path:
            deaf = socket.socket(socket.AF_UNIX)
            deaf.connect(str(path))
            deaf.sendall(b"{}\n" * 20)
            await asyncio.sleep(0.1)
            assert (await exchange(path, b"{}"))[0]["ok"] is True
            await asyncio.sleep(0.4)
            deaf.settimeout(1)
            received = 0
            while chunk := deaf.recv(1 << 20):
                received += len(chunk)
            assert received < 20 * 300_000  # the connection ended before all answers were sent
            deaf.close()

    run(scenario())


def test_a_user_who_is_not_allowed_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        device = Device()
        async with serving(tmp_path, device, allowed=frozenset({os.geteuid() + 1})) as path:
            answer = (await exchange(path, b"{}"))[0]
        assert answer["error"] == {"code": "bad-request", "message": f"user {os.geteuid()} may not ask this attester"}
        assert device.calls == []

    run(scenario())


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (BusyError(), "busy"),
        (DeviceFailureError(), "device"),
        (FormatError("x"), "device"),
        (EventLogError("x"), "internal"),
        (RuntimeError("secret"), "internal"),
    ],
)
def test_failures_have_a_code_and_one_sentence(tmp_path: Path, failure: Exception, code: str) -> None:
    def failing(_: Sequence[bytes]) -> Evidence:
        raise failure

    async def scenario() -> None:
        async with serving(tmp_path, failing) as path:
            answer = (await exchange(path, b"{}"))[0]
        assert answer["ok"] is False and answer["error"]["code"] == code
        assert answer["error"]["message"] and "secret" not in answer["error"]["message"]

    run(scenario())


@pytest.mark.slow
def test_stopping_drops_waiting_clients(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(tmp_path, Device(0.2)) as path:
            for _ in range(5):
                _, writer = await asyncio.open_unix_connection(str(path))
                writer.write(b"{}\n")
            await asyncio.sleep(0.05)
            started = time.monotonic()
        assert time.monotonic() - started < 3

    run(scenario())
    for thread in threading.enumerate():  # the call that was at the device ends by itself
        if thread.name.startswith("device"):
            thread.join(5)
