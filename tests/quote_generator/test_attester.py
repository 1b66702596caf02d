"""The attester as a process of its own, against the simulated device."""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from quote_verifier.boot_events import read as read_boot_log
from quote_verifier.boot_log import replay as boot_replay

from quote_generator.aael import replay
from quote_generator.bindings import _carry_out
from quote_generator.formats import parse_quote
from quote_generator.nonces import NonceTree, base64url, new_nonce, read_nonce
from quote_generator.runtime_data import RuntimeData

pytestmark = pytest.mark.slow  # starts processes

DIGEST = "5a" * 48
SPKI = "c3" * 32
COMMAND = [sys.executable, "-m", "quote_generator.attester"]


@contextmanager
def attester(
    path: Path, environment: dict[str, str], *options: str, passed: Sequence[int] = ()
) -> Iterator[subprocess.Popen[str]]:
    """Runs it until the block ends; it must stop cleanly at SIGTERM."""
    ready, theirs = os.pipe()
    command = [*COMMAND, "--socket", str(path), "--ready-fd", str(theirs), *options]
    process = subprocess.Popen(command, env=environment, pass_fds=[theirs, *passed], stderr=subprocess.PIPE, text=True)
    os.close(theirs)
    try:
        if not select.select([ready], [], [], 10)[0] or os.read(ready, 100) != b"ready\n":
            process.kill()
            pytest.fail(f"not ready: {process.communicate()[1]}")
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert not path.exists()
    finally:
        os.close(ready)
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


def ask(path: Path, request: dict[str, Any]) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(json.dumps(request).encode() + b"\n")
        with client.makefile("r") as answers:
            answer: dict[str, Any] = json.loads(answers.readline())
            return answer


def tree_of(nonce: str) -> dict[str, Any]:
    """What runtime_data says of the tree of one nonce."""
    return {"root": base64url(NonceTree([read_nonce(nonce)]).root), "size": 1}


def test_evidence_is_bound_to_nonce_release_and_origin(tmp_path: Path, simulator_environment: dict[str, str]) -> None:
    path, nonce = tmp_path / "s", new_nonce()
    options = ("--release-digest", DIGEST, "--origin", "https://chat.example.org")
    with attester(path, simulator_environment, *options):
        evidence = ask(path, {"nonce": nonce})["evidence"]
    expected: Any = {"v": 2, "nonces": tree_of(nonce), "release": DIGEST, "origin": "https://chat.example.org"}
    assert evidence["runtime_data"] == expected
    quote = parse_quote(bytes.fromhex(evidence["quote"]))
    assert quote.body.report_data == hashlib.sha384(rfc8785.dumps(expected)).digest() + bytes(16)
    assert evidence["tee"] == "tdx-simulated"
    assert evidence["event_log"] == ""
    assert evidence["quote_parse"]["mr_td"] == quote.body.mr_td.hex()
    assert evidence["quote"] == evidence["quote"].lower()


def test_the_boot_log_replays_to_the_registers_of_the_quote(
    tmp_path: Path, simulator_environment: dict[str, str]
) -> None:
    with attester(tmp_path / "s", simulator_environment):
        evidence, told = ask(tmp_path / "s", {})["evidence"], ask(tmp_path / "s", {"boot_log": True})
    registers = boot_replay(read_boot_log(told["boot_log"]))
    assert [value.hex() for value in registers[:3]] == [evidence["quote_parse"][f"rtmr_{n}"] for n in range(3)]


def test_evidence_of_version_5(tmp_path: Path, simulator_environment: dict[str, str]) -> None:
    """What a platform with TDX 1.5 sends: the same members, and a parsed quote that says what it is."""
    path, nonce = tmp_path / "s", new_nonce()
    with attester(path, {**simulator_environment, "TDX_SIM_QUOTE_VERSION": "5"}):
        evidence = ask(path, {"nonce": nonce})["evidence"]
    assert set(evidence) == {"quote", "tee", "runtime_data", "event_log", "quote_parse", "proof"}
    quote = parse_quote(bytes.fromhex(evidence["quote"]))
    assert quote.body.report_data == hashlib.sha384(rfc8785.dumps(evidence["runtime_data"])).digest() + bytes(16)
    assert evidence["quote_parse"] == quote.fields()
    assert (evidence["quote_parse"]["version"], evidence["quote_parse"]["body_type"]) == (5, 3)


def test_without_a_nonce_a_fresh_one_is_drawn(tmp_path: Path, simulator_environment: dict[str, str]) -> None:
    path = tmp_path / "s"
    with attester(path, simulator_environment):
        first, second = (ask(path, {})["evidence"] for _ in range(2))
    assert first["runtime_data"] == {"v": 2, "nonces": tree_of(first["nonce"])} and first["nonce"] != second["nonce"]


def bind(channel: socket.socket, members: Any) -> dict[str, Any]:
    channel.sendall(json.dumps({"bind": members}).encode() + b"\n")
    with channel.makefile("r") as answers:
        answer: dict[str, Any] = json.loads(answers.readline())
        return answer


@contextmanager
def binding(path: Path, environment: dict[str, str], *options: str) -> Iterator[socket.socket]:
    """An attester, and the end of its binding channel that door or launcher would have."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    given = (*options, "--bind-fd", str(theirs.fileno()))
    with ours, attester(path, environment, *given, passed=[theirs.fileno()]):
        theirs.close()
        yield ours


def test_what_is_bound_is_in_every_quote_after_it(tmp_path: Path, simulator_environment: dict[str, str]) -> None:
    path, tls = tmp_path / "s", {"spki_sha256": SPKI, "key": "drawn"}
    with binding(path, simulator_environment) as channel:
        assert "tls" not in ask(path, {})["evidence"]["runtime_data"]
        assert bind(channel, {"tls": tls, "data": {"state": "plain"}}) == {"ok": True}
        assert ask(path, {})["evidence"]["runtime_data"]["tls"] == tls
        assert bind(channel, {"tls": tls | {"key": "given"}}) == {"ok": True}
        assert bind(channel, {"data": None}) == {"ok": True}
        channel.close()
        evidence = ask(path, {})["evidence"]  # whoever held the channel may be started anew with the same key
        assert evidence["runtime_data"]["tls"] == tls | {"key": "given"} and "data" not in evidence["runtime_data"]
        quote = parse_quote(bytes.fromhex(evidence["quote"]))
        assert quote.body.report_data == hashlib.sha384(rfc8785.dumps(evidence["runtime_data"])).digest() + bytes(16)


@pytest.mark.parametrize(
    "members",
    [
        {},
        [],
        None,
        {"v": 2},
        {"nonces": {"root": "x", "size": 1}},
        {"release": DIGEST},
        {"origin": "https://elsewhere.example"},
        {"tls_spki_sha256": SPKI},
        {"tls": SPKI},
        {"tls": {"spki_sha256": SPKI}},
        {"tls": {"spki_sha256": SPKI.upper(), "key": "drawn"}},
        {"tls": {"spki_sha256": SPKI, "key": "found"}},
        {"tls": {"spki_sha256": SPKI, "key": "drawn", "more": 1}},
        {"channel": "AA=="},
        {"unlock": "AAAA"},
        {"data": {"state": "plain", "generation": -1}},
        {"data": {"state": "plain", "generation": True}},
        {"gpu_evidence": SPKI},
        {"data": {"state": "plain"}, "unlock": 5},
    ],
)
def test_what_cannot_be_bound_is_refused_and_changes_nothing(members: Any) -> None:
    bound = RuntimeData()
    bound.bind({"tls": {"spki_sha256": SPKI, "key": "drawn"}})
    before = bound.of(bytes(48), 1)
    answer = _carry_out(json.dumps({"bind": members}).encode(), bound)
    assert answer is not None and "\n" not in answer and len(answer) < 500
    assert bound.of(bytes(48), 1) == before


def test_nobody_else_can_have_a_key_bound(tmp_path: Path, simulator_environment: dict[str, str]) -> None:
    """Neither over the public socket, nor over the channel with lines that it does not know, or an endless one."""
    path, tls = tmp_path / "s", {"spki_sha256": SPKI, "key": "drawn"}
    with binding(path, simulator_environment) as channel:
        assert ask(path, {"bind": {"tls": tls}})["error"]["code"] == "bad-request"
        for line in (b"{}", b"[]", b"x", b'{"bind": {"tls": null}, "nonce": null}', b"[" * 9000):
            channel.sendall(line + b"\n")
        answers = channel.makefile("r")
        assert {json.loads(answers.readline())["error"]["code"] for _ in range(5)} == {"bad-request"}
        channel.sendall(b" " * 200_000)
        assert "the connection ends" in answers.readline() and answers.readline() == ""
        assert "tls" not in ask(path, {})["evidence"]["runtime_data"]
        answers.close()


def test_it_listens_only_once_something_is_bound(tmp_path: Path, simulator_environment: dict[str, str]) -> None:
    path, tls = tmp_path / "s", {"spki_sha256": SPKI, "key": "drawn"}
    ours, theirs = socket.socketpair()
    command = [*COMMAND, "--socket", str(path), "--await-binding", "--bind-fd", str(theirs.fileno())]
    process = subprocess.Popen(
        command, env=simulator_environment, pass_fds=[theirs.fileno()], stderr=subprocess.DEVNULL
    )
    theirs.close()
    with ours:
        ours.settimeout(10)
        assert bind(ours, {"tls": {}})["ok"] is False
        assert not path.exists()
        assert bind(ours, {"tls": tls}) == {"ok": True}
        deadline = time.monotonic() + 10
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert ask(path, {})["evidence"]["runtime_data"]["tls"] == tls
    process.terminate()
    assert process.wait(5) == 0


def test_many_askers_share_a_quote(tmp_path: Path, simulator_environment: dict[str, str]) -> None:
    path, nonces = tmp_path / "s", [new_nonce() for _ in range(11)]
    with attester(path, simulator_environment):
        answer = ask(path, {"nonces": nonces})
    tree = NonceTree([read_nonce(nonce) for nonce in nonces])
    assert answer["evidence"]["runtime_data"]["nonces"] == {"root": base64url(tree.root), "size": 11}
    assert answer["proofs"] == [{"index": index, "size": 11, "path": tree.path(index)} for index in range(11)]


def test_log_and_quote_agree_while_a_writer_appends(tmp_path: Path, simulator_environment: dict[str, str]) -> None:
    path, log, enough = tmp_path / "s", tmp_path / "log", tmp_path / "enough"
    code = (
        "import os, sys; from quote_generator.eventlog import EventLog\n"
        "from quote_generator.registers import find_registers\n"
        "log, n = EventLog.open(sys.argv[1], find_registers()), 0\n"
        "while not os.path.exists(sys.argv[2]): log.append('event', {'n': n}); n += 1\n"
        "print(n)"
    )
    slowly = {**simulator_environment, "TDX_SIM_DELAY_MS": "10"}  # so that an append could come between log and quote
    with attester(path, slowly, "--event-log", str(log)):
        assert ask(path, {})["evidence"]["event_log"] == ""
        command = [sys.executable, "-c", code, str(log), str(enough)]
        writer = subprocess.Popen(command, env=simulator_environment, stdout=subprocess.PIPE, text=True)
        lengths: set[int] = set()
        while len(lengths) < 5 and writer.poll() is None:
            evidence = ask(path, {})["evidence"]
            assert replay(evidence["event_log"]).hex() == evidence["quote_parse"]["rtmr_3"]
            lengths.add(len(evidence["event_log"]))
        enough.touch()
        appended = int(writer.communicate(timeout=20)[0])
        assert ask(path, {})["evidence"]["event_log"].count("\n") == 1 + appended


def test_a_log_left_half_way_is_given_as_the_register_says(
    tmp_path: Path, simulator_environment: dict[str, str]
) -> None:
    path, log = tmp_path / "s", tmp_path / "log"
    code = (
        "import os, sys; from quote_generator.eventlog import EventLog\n"
        "from quote_generator.registers import find_registers\n"
        "log = EventLog.open(sys.argv[1], find_registers()); log.append('event', 'one')\n"
        "log._folder.commit = lambda: os._exit(0)\n"
        "log.append('event', 'two')"
    )
    subprocess.run([sys.executable, "-c", code, str(log)], env=simulator_environment, check=True)
    with attester(path, simulator_environment, "--event-log", str(log)):
        evidence = ask(path, {})["evidence"]
    assert evidence["event_log"].endswith("event two\n")
    assert replay(evidence["event_log"]).hex() == evidence["quote_parse"]["rtmr_3"]


def test_the_socket_is_for_its_owner_alone(tmp_path: Path, simulator_environment: dict[str, str]) -> None:
    path = tmp_path / "s"
    with attester(path, simulator_environment):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach; pytest's own are private, and each new run makes them so again."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="changes the user")
def test_other_users_are_let_in_by_name_only(open_folder: Path, simulator_environment: dict[str, str]) -> None:
    path = open_folder / "s"
    client = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(b'{}\\n')\n"
        "print(s.makefile().readline()[:100])"
    )

    python = "/usr/bin/python3"  # the one running these tests may lie where other users cannot run it
    if not Path(python).exists():
        pytest.skip("needs a Python that every user can run")

    def as_user(uid: int, gid: int) -> str:
        command = [python, "-I", "-c", client, str(path)]
        done = subprocess.run(command, user=uid, group=gid, extra_groups=[], capture_output=True, text=True)
        return done.stdout + done.stderr

    with attester(path, simulator_environment, "--allow-uid", "4001"):
        assert path.stat().st_uid == 4001 and stat.S_IMODE(path.stat().st_mode) == 0o600
        assert '"ok":true' in as_user(4001, 4001)
        assert "PermissionError" in as_user(4002, 4001)
    with attester(path, simulator_environment, "--allow-uid", "4001", "--socket-gid", "4000"):
        assert path.stat().st_gid == 4000 and stat.S_IMODE(path.stat().st_mode) == 0o660
        assert '"ok":true' in as_user(4001, 4000)
        assert "user 4002 may not ask this attester" in as_user(4002, 4000)


def test_a_stale_socket_is_replaced_and_a_living_one_is_not(
    tmp_path: Path, simulator_environment: dict[str, str]
) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with attester(path, simulator_environment):
        assert ask(path, {})["ok"] is True
        second = subprocess.run([*COMMAND, "--socket", path], env=simulator_environment, capture_output=True, text=True)
        assert second.returncode == 1 and "another attester is listening" in second.stderr
        assert ask(path, {})["ok"] is True


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        (["--release-digest", "xyz"], 2, "the release digest is 96 lower-case hex digits"),
        (["--origin", "https://a/b"], 2, "the origin is scheme"),
        (["--bind-fd", "99"], 2, "--bind-fd 99 is no connected socket"),
        (["--await-binding"], 2, "--await-binding needs a --bind-fd"),
        (["--await-binding", "--bind-fd", "0"], 1, "ended before anything was bound"),
        (["--allow-uid", "1", "--allow-uid", "2"], 1, "--socket-gid"),
        (["--socket", "/nonexistent/s"], 1, "cannot listen at /nonexistent/s"),
        (["--socket", "/dev/null"], 1, "is no socket"),
        (["--socket", "/tmp/" + "x" * 200], 1, "cannot listen"),
    ],
)
def test_what_prevents_a_start_is_one_sentence(
    tmp_path: Path, simulator_environment: dict[str, str], options: list[str], status: int, sentence: str
) -> None:
    command = [*COMMAND, "--socket", str(tmp_path / "s"), *options]
    ours, theirs = socket.socketpair()  # standard input, for --bind-fd 0
    ours.close()
    done = subprocess.run(
        command, env=simulator_environment, capture_output=True, text=True, timeout=20, stdin=theirs.fileno()
    )
    theirs.close()
    assert done.returncode == status
    assert sentence in done.stderr and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


def test_without_a_device_it_does_not_start(tmp_path: Path, plugin_path: Path) -> None:
    environment = {"PYTHONPATH": str(plugin_path), "PYTHONSAFEPATH": "1", "PATH": os.environ["PATH"]}
    command = [*COMMAND, "--socket", str(tmp_path / "s")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "libtdx_attest.so.1 is not installed" in done.stderr
    assert not (tmp_path / "s").exists()


def test_a_call_that_hangs_in_the_device_does_not_keep_the_process(
    tmp_path: Path, simulator_environment: dict[str, str]
) -> None:
    path = tmp_path / "s"
    with attester(path, {**simulator_environment, "TDX_SIM_DELAY_MS": "60000"}):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(path))
        client.sendall(b"{}\n")
        select.select([client], [], [], 0.3)
    client.close()


def test_a_device_failure_is_reported_and_survived(tmp_path: Path, simulator_environment: dict[str, str]) -> None:
    path = tmp_path / "s"
    with attester(path, {**simulator_environment, "TDX_SIM_STATUS": "0xa"}):
        for _ in range(2):
            assert ask(path, {})["error"]["code"] == "device"
