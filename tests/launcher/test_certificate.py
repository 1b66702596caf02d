"""The certificate while the service runs: files read anew after SIGHUP, and what the door says about it."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher import doctor
from launcher.datadir import DataDir
from launcher.errors import Stopped
from launcher.plan import settings
from launcher.serve import tls_keys
from launcher.serve.certificate import Certificate
from launcher.serve.notify import Notifier
from launcher.serve.supervisor import Supervisor

from .test_door import ORIGIN, pair, spoil

__all__ = ["pair"]  # a fixture


class Told(Notifier):
    """A service manager's status line."""

    last = ""

    def say(self, message: str) -> None:
        self.last = message


class Case:
    """A launcher's certificate with these settings, and the door's end of what they talk on."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        near, self.door = socket.socketpair()
        self.told = Told()
        self.told.ready("Serving")
        self.state = folder / "certificate.json"
        self.certificate = Certificate(settings.load(environ), near, self.state, self.told)

    def says(self, line: bytes) -> None:
        self.door.sendall(line)
        self.certificate.tend(False)


@pytest.fixture
def case(pair: dict[str, str], tmp_path: Path) -> Iterator[Case]:
    made = Case(pair, tmp_path)
    yield made
    made.door.close()
    made.certificate.channel.close()


def line(wrong: bool, text: str) -> bytes:
    return json.dumps({"wrong": wrong, "text": text}).encode() + b"\n"


def test_files_are_read_anew_when_asked_and_only_then(case: Case, tmp_path: Path) -> None:
    case.certificate.tend(False)
    case.door.setblocking(False)
    with pytest.raises(BlockingIOError):
        case.door.recv(1)
    case.certificate.tend(True)
    given = json.loads(case.door.recv(100_000))
    assert given == {"key": (tmp_path / "key.pem").read_text(), "chain": (tmp_path / "cert.pem").read_text()}


@pytest.mark.parametrize("fault", ["absent", "open", "other key", "expired", "other name", "text"])
def test_files_that_cannot_be_used_are_not_handed_over(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    spoil(tmp_path, fault)
    case.certificate.tend(True)
    case.door.setblocking(False)
    with pytest.raises(BlockingIOError):
        case.door.recv(1)
    said = capsys.readouterr().out
    assert said.startswith("NOTICE: TLS: The certificate was not read anew, and the old one stays. TLS_")
    assert case.told.last.startswith("STATUS=TLS: The certificate was not read anew")


def test_with_another_kind_of_tls_there_is_nothing_to_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Case({"TLS": "self-signed"}, tmp_path).certificate.tend(True)
    assert "TLS=self-signed, and there is nothing to read." in capsys.readouterr().out


def test_what_hinders_the_door_is_said_where_people_look(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    case.says(line(True, "No new certificate for chat.example: the CA refused (dns): \x1b[2Jno\nsuch name."))
    said = capsys.readouterr().out
    assert said == "NOTICE: TLS: No new certificate for chat.example: the CA refused (dns):  [2Jno such name.\n"
    assert case.told.last.startswith("STATUS=TLS: No new certificate for chat.example")
    assert json.loads(case.state.read_text())["wrong"] is True
    case.says(line(False, "A certificate is in use.")[:9])
    case.says(line(False, "A certificate is in use.")[9:])
    assert capsys.readouterr().out == "TLS: A certificate is in use.\n" and case.told.last == "STATUS=Serving"


@pytest.mark.attack
@pytest.mark.parametrize("said", [b"\n", b"[]\n", b'{"wrong": 1}\n', b"\xff\n", b"x" * 200_000], ids=str)
def test_a_door_that_says_nonsense_ends_nothing(case: Case, capsys: pytest.CaptureFixture[str], said: bytes) -> None:
    case.door.setblocking(False)
    case.says(said[:100_000])
    case.says(said[100_000:])
    for _ in range(5):
        case.certificate.tend(False)
    assert not capsys.readouterr().out and len(case.certificate._heard) <= 64 * 1024
    case.door.close()
    case.certificate.tend(False)


def test_the_doctor_finds_what_was_said(case: Case, tmp_path: Path) -> None:
    environ = {"TLS": "acme", "ORIGIN": ORIGIN, "LLM": "none", "TDX": "simulated", "DATA_DIR": "/srv/chat"}
    state = tmp_path / DataDir(Path("srv/chat"), "").certificate_state
    state.parent.mkdir(parents=True)

    def found() -> list[doctor.Finding]:
        return [each for each in doctor.examine(tmp_path, environ, tmp_path) if each.step == "certificate"]

    assert found() == []
    case.says(line(True, "No new certificate."))
    case.state.replace(state)
    assert found()[0].state == "wrong" and found()[0].detail.endswith("UTC: No new certificate.") and found()[0].mend
    case.says(line(False, "It is in use."))
    case.state.replace(state)
    assert found()[0].state == "done" and not found()[0].mend
    state.write_text("[]")
    assert found() == []


@pytest.mark.slow
@pytest.mark.parametrize("terminal", [False, True])
def test_sighup_ends_a_launch_only_where_it_means_that_the_terminal_is_gone(tmp_path: Path, terminal: bool) -> None:
    near, far = pty.openpty() if terminal else os.pipe()
    kept = os.dup(0)
    supervisor, heard = Supervisor(tmp_path), []
    try:
        os.dup2(far if terminal else near, 0)
        supervisor._on_signal(signal.SIGHUP, None)

        def tend(asked: bool) -> None:
            heard.append(asked)
            if len(heard) == 2:
                raise Stopped

        with pytest.raises(Stopped):
            supervisor.watch(tend)
    finally:
        os.dup2(kept, 0)
        for number in (near, far, kept):
            os.close(number)
    assert heard == ([] if terminal else [True, False])


@pytest.mark.parametrize(
    ("environ", "root", "said"),
    [
        ({"TLS": "acme", "ORIGIN": ORIGIN}, True, "/run is not in memory"),
        ({"TLS": "acme", "ORIGIN": ORIGIN}, False, "only root can keep one"),
        ({"TLS": "self-signed", "HOST": "0.0.0.0"}, True, "/run is not in memory"),
        ({"TLS": "self-signed"}, True, ""),
        ({"TLS": "off"}, True, ""),
    ],
)
def test_a_key_that_the_next_launch_will_not_have_is_said(
    environ: dict[str, str], root: bool, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(tls_keys, "_root_keeps", lambda: False)
    tls_keys.say_what_is_forgotten(settings.load(environ))
    output = capsys.readouterr().out
    assert said in output and bool(output) == bool(said)
    assert ("orders a certificate" in output) == (environ["TLS"] == "acme")
    monkeypatch.setattr(tls_keys, "_root_keeps", lambda: True)
    tls_keys.say_what_is_forgotten(settings.load(environ))
    assert not capsys.readouterr().out
