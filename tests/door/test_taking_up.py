"""The TLS key of earlier boots, which lies in the encrypted data: shown and bound once that is open, never before."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from door import beside, tls
from door.binding import BindError
from door.config import Config, Descriptors
from door.keeping import ACCOUNT, CERTIFICATE, KEY, Keep
from door.taking_up import take_up
from door.tls import Certificates

NAMES = ("chat.example",)


class Attester:
    """What is bound, in order; with `refuse`, nothing."""

    def __init__(self) -> None:
        self.bound: list[Any] = []
        self.refuse = False

    def bind(self, **members: Any) -> None:
        if self.refuse:
            raise BindError("The attester does not bind the door's tls: not today.")
        self.bound.append(members)


@pytest.fixture
def keep() -> Iterator[Keep]:
    handle = os.memfd_create("door")
    yield Keep(handle)
    os.close(handle)


def drawn() -> Certificates:
    made = Certificates(tls.draw(), NAMES, "drawn")
    made.self_sign()
    return made


def taken(kept: dict[str, str], shown: Certificates | None, keep: Keep, attester: Attester) -> str:
    return asyncio.run(take_up(kept, shown, keep, attester))  # type: ignore[arg-type]


def test_the_key_of_earlier_boots_is_bound_and_then_shown(keep: Keep) -> None:
    shown, earlier, attester = drawn(), drawn(), Attester()
    keep.put(CERTIFICATE, "of this boot's key")
    kept = {KEY: earlier.key_pem.decode(), ACCOUNT: "the account", "another": "not the door's"}
    assert taken(kept, shown, keep, attester) == ""
    assert attester.bound == [{"tls": earlier.bound}] and shown.spki_sha256 == earlier.spki_sha256
    assert [keep.get(name) for name in (KEY, ACCOUNT, CERTIFICATE, "another")] == [kept[KEY], "the account", "", ""]


@pytest.mark.parametrize("kept", [{}, {ACCOUNT: "alone"}], ids=["nothing", "no key"])
def test_where_nothing_was_kept_this_boots_key_stays(kept: dict[str, str], keep: Keep) -> None:
    shown, attester = drawn(), Attester()
    before = shown.spki_sha256
    assert taken(kept, shown, keep, attester) == ""
    assert shown.spki_sha256 == before and not attester.bound


def test_without_tls_there_is_no_key(keep: Keep) -> None:
    assert taken({KEY: drawn().key_pem.decode()}, None, keep, Attester()) == "" and not keep.get(KEY)


@pytest.mark.attack
@pytest.mark.parametrize("odd", ["", "refused"], ids=["no key", "not bound"])
def test_what_is_no_key_or_is_not_bound_is_not_shown(odd: str, keep: Keep) -> None:
    shown, attester = drawn(), Attester()
    before = shown.spki_sha256
    attester.refuse = bool(odd)
    kept = {KEY: drawn().key_pem.decode() if odd else "-----BEGIN PRIVATE KEY-----"}
    assert "is not used, and this boot's stays" in taken(kept, shown, keep, attester)
    assert shown.spki_sha256 == before and not keep.get(KEY)


def test_the_same_key_again_is_bound_already(keep: Keep) -> None:
    shown, attester = drawn(), Attester()
    assert taken({KEY: shown.key_pem.decode()}, shown, keep, attester) == "" and not attester.bound


def test_no_certificate_is_ordered_before_the_data_is_open(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Keeper:
        def restore(self) -> None:
            told.append("restored")

        async def run(self) -> None:
            told.append("runs")

    def made(*given: Any) -> Keeper:
        told.append(f"for the key {keep.get(KEY)}")
        return Keeper()

    monkeypatch.setattr(beside, "_keeper", made)
    config = Config(Path("/release"), Path("/web.sock"), "acme", NAMES, acme={"directory": "https://ca", "contact": ""})

    async def run() -> None:
        opened = asyncio.Event()
        (task,) = beside.tasks(config, Descriptors(()), keep, drawn(), None, opened)
        running = asyncio.ensure_future(task())
        await asyncio.sleep(0.05)
        assert not told
        keep.put(KEY, "of earlier boots")
        opened.set()
        await running

    asyncio.run(run())
    assert told == ["for the key of earlier boots", "restored", "runs"]
