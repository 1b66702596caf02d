"""Where the key comes from, what outlives the door, and that nobody else gets at it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from door import keys, protecting, tls
from door.binding import Binder, BindError
from door.keeping import CHAIN, KEY, MAX_BYTES, Keep, KeepError
from door.protecting import ExposedError
from door.tls import TlsError

from .conftest import ROOT, World, keep_file

NAMES = ("chat.example",)


def test_a_key_is_drawn_once_a_boot() -> None:
    handle = keep_file()
    first = keys.certificates("self-signed", NAMES, Keep(handle))
    again = keys.certificates("self-signed", NAMES, Keep(handle))
    other = keys.certificates("self-signed", NAMES, Keep(keep_file()))
    assert first and again and other
    assert first.spki_sha256 == again.spki_sha256 != other.spki_sha256
    assert first.kind == "drawn" and keys.certificates("off", NAMES, Keep(keep_file())) is None


def test_a_given_key_is_shown_and_named_as_given() -> None:
    made = tls.Certificates(tls.draw(), NAMES, "given")
    chain = tls._self_signed(made._key, NAMES, datetime.now(UTC))
    handle = keep_file(**{KEY: made.key_pem.decode(), CHAIN: chain.decode()})
    found = keys.certificates("files", NAMES, Keep(handle))
    assert found and found.kind == "given" and found.spki_sha256 == made.spki_sha256 and found.not_after
    with pytest.raises(TlsError):
        keys.certificates("files", NAMES, Keep(keep_file()))


def test_what_a_kill_cut_short_was_not_kept() -> None:
    handle = keep_file(a="1")
    os.write(handle, b'{"name": "tls-key", "value": "-----BEG')
    keep = Keep(handle)
    assert keep.get("a") == "1" and keep.get(KEY) == ""
    keep.put("b", "2")
    assert Keep(handle).get("b") == "2" and Keep(handle).get("a") == "1"
    half = keep_file(**{KEY: tls.draw().decode()[:80]})
    assert keys.certificates("self-signed", NAMES, Keep(half))


def test_the_last_word_counts_and_the_file_stays_small() -> None:
    keep = Keep(keep_file(a="0"))
    for number in range(40):
        keep.put("a", str(number) + "x" * 100_000)
    again = Keep(keep._handle)
    assert again.get("a").startswith("39x") and os.fstat(keep._handle).st_size <= MAX_BYTES
    with pytest.raises(KeepError):
        keep.put("a", "x" * MAX_BYTES)
    assert Keep(keep._handle).get("a").startswith("39x")


def answered(line: bytes) -> tuple[socket.socket, list[bytes]]:
    """One end of a channel whose other end answers `line`; and what was asked there."""
    near, far = socket.socketpair()
    heard: list[bytes] = []

    def serve() -> None:
        with far:
            heard.append(far.recv(65536))
            if line:
                far.sendall(line)

    threading.Thread(target=serve, daemon=True).start()
    return near, heard


def test_the_attester_binds() -> None:
    near, heard = answered(b'{"ok": true}\n')
    tls = {"spki_sha256": "ab" * 32, "key": "drawn"}
    with closing(Binder(near.detach())) as binder:
        binder.bind(tls=tls, channel="AQAg")
    assert json.loads(heard[0]) == {"bind": {"tls": tls, "channel": "AQAg"}}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b'{"ok": false, "error": {"code": "bad-request", "message": "No."}}\n', "does not bind the door's tls: No."),
        (b"", "it has ended"),
        (b"[]\n", "cannot be asked"),
        (b'{"ok": 1}\n', "cannot be asked"),
    ],
)
def test_without_the_attesters_word_the_door_does_not_serve(line: bytes, sentence: str) -> None:
    near, _ = answered(line)
    with closing(Binder(near.detach())) as binder, pytest.raises(BindError, match=sentence):
        binder.bind(tls=None)


def test_the_attester_makes_a_quote_for_a_key_broker() -> None:
    near, heard = answered(b'{"ok": true, "quote": "0a0b"}\n')
    with closing(Binder(near.detach())) as binder:
        assert binder.quote("a nonce", "x", "y") == b"\n\x0b"
    assert json.loads(heard[0]) == {"key_broker": {"nonce": "a nonce", "x": "x", "y": "y"}}


@pytest.mark.attack
def test_an_answer_that_comes_late_is_not_taken_for_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("door.binding.TIMEOUT_S", 0.05)
    near, far = socket.socketpair()
    with far, closing(Binder(near.detach())) as binder:
        with pytest.raises(BindError, match="did not make a quote"):
            binder.quote("a nonce", "x", "y")
        with suppress(OSError):
            far.sendall(b'{"ok": true, "quote": ""}\n')
        with pytest.raises(BindError, match="cannot be asked"):
            binder.bind(tls=None)


@pytest.mark.slow
def test_the_door_binds_its_key_before_it_serves(world: World) -> None:
    near, heard = answered(b'{"ok": true}\n')
    with near:
        running = world.start(tls="self-signed", bind=near.fileno())
    assert running.ask("/")[0].status == 200
    kept = tls.Certificates(Keep(running.keep).get(KEY).encode(), NAMES, "drawn")
    assert json.loads(heard[0])["bind"]["tls"] == {"spki_sha256": kept.spki_sha256, "key": "drawn"}


@pytest.mark.attack
def test_whoever_is_attached_already_is_noticed(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tx\nTracerPid:\t4711\n")
    code = f"from door import protecting; import pathlib; protecting.harden(pathlib.Path({str(status)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ExposedError.__name__ in done.stderr and "Process 4711 is attached" in done.stderr
    assert protecting.PR_SET_DUMPABLE == 4


LOOK = Path(__file__).with_name("looking.py")
AS_SOMEBODY = Path(__file__).with_name("as_somebody.py")


@pytest.fixture
def public() -> Iterator[World]:
    """A folder that every account can reach: pytest makes its own private."""
    with tempfile.TemporaryDirectory(prefix="open-webui-tdx-test-") as name:
        Path(name).chmod(0o755)
        shutil.copy(LOOK, name)
        made = World(Path(name))
        yield made
        made.end()


@pytest.mark.slow
@pytest.mark.attack
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start processes as others")
@pytest.mark.parametrize("shield", ["harden", "nothing"])
def test_a_function_that_reads_every_file_and_memory_finds_no_key(public: World, shield: str) -> None:
    """As the web server's account, and worse, as the door's own; without the shield the latter finds it."""
    keep = keep_file()
    running = public.start(tls="self-signed", keep=keep, entry=(str(AS_SOMEBODY), "60999", shield))
    assert running.ask("/")[0].status == 200
    key = tls.load_key(Keep(keep).get(KEY).encode(), "the key")
    scalar = key.private_numbers().private_value.to_bytes(32, "big")  # type: ignore[union-attr]
    needles = [scalar.hex(), scalar[::-1].hex(), Keep(keep).get(KEY).encode()[40:80].hex()]
    for uid in (60998, 60999):
        command = ["/usr/bin/python3", str(public.folder / LOOK.name), str(public.folder), *needles]
        done = subprocess.run(command, user=uid, group=uid, extra_groups=[], capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        assert found["looked"] > 100
        assert bool(found["places"]) == (shield == "nothing" and uid == 60999), found["places"]
