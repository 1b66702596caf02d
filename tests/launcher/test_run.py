"""The launcher as a process, on a small release: what it starts, measures, refuses, and that nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from .conftest import Start, command, environment, free_port, write_manifest

pytestmark = pytest.mark.slow  # each starts real processes

READY = "Ctrl-C stops it"


def wait_until(condition: object, timeout: float = 10) -> None:
    deadline = time.monotonic() + timeout
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def refused(running: object) -> tuple[int, str]:
    output, _ = running.process.communicate(timeout=60)  # type: ignore[attr-defined]
    return running.process.returncode, output  # type: ignore[attr-defined]


def web_environment(data: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((data / "webui" / "environment.json").read_text())
    return found


def test_starts_says_so_and_stops_everything(start: Start) -> None:
    running = start(LLM="embedded")
    output = running.until(READY)
    assert f"http://127.0.0.1:{running.port}" in output
    assert "SIMULATED" in output and "Tiny-1M" in output and str(running.data) in output
    assert urllib.request.urlopen(f"http://127.0.0.1:{running.port}/health").status == 200
    members = running.members()
    assert len(members) == 4  # model server, PCCS, attester, web server
    assert running.end() == 0
    assert not running.members()


def test_the_web_server_gets_what_it_needs_and_no_more(start: Start) -> None:
    running = start(
        LLM="embedded", WEBUI_NAME="Mine", LICENSE_KEY="x", PYTHONPATH="/evil", LD_PRELOAD="", STATIC_DIR="/evil"
    )
    output = running.until(READY)
    env = web_environment(running.data)
    assert env["WEBUI_NAME"] == "Mine"
    assert "LICENSE_KEY has no effect" in output
    assert not {"LICENSE_KEY", "PYTHONPATH", "LD_LIBRARY_PATH", "TDX_SIM_STATE", "LLM_API_KEY"} & env.keys()
    assert env["OFFLINE_MODE"] == "true" and env["ENABLE_OLLAMA_API"] == "false" and env["TEE_LAUNCH"] == "measured"
    assert env["OPENAI_API_BASE_URLS"] == "http://127.0.0.1:20001/v1"
    assert env["RAG_OPENAI_API_BASE_URL"] == "http://127.0.0.1:20002/v1"
    assert env["STATIC_DIR"].startswith(str(running.data)) and (Path(env["STATIC_DIR"]) / "fonts/a.ttf").exists()
    log = (running.data / "logs/web-server.log").read_text()
    assert "--no-proxy-headers" in log and "--reload" not in log
    assert {"OPENAI_API_BASE_URLS", "WEBUI_NAME"} <= set(env["TEE_LOCKED_SETTINGS"].split(","))


def test_forwarded_headers_only_from_named_addresses(start: Start) -> None:
    running = start(FORWARDED_ALLOW_IPS="10.0.0.7, 10.1.0.0/16")
    running.until(READY)
    log = (running.data / "logs/web-server.log").read_text()
    assert "'--forwarded-allow-ips', '10.0.0.7,10.1.0.0/16'" in log


def test_the_secret_is_made_once_and_kept(start: Start) -> None:
    secrets = []
    for _ in range(2):
        running = start()
        running.until(READY)
        path = running.data / "secret_key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        secrets.append(web_environment(running.data)["WEBUI_SECRET_KEY"])
        running.end()
    assert secrets[0] == secrets[1] and len(secrets[0]) >= 43


def test_registers_equal_what_events_computes(start: Start, release: Path) -> None:
    running = start(LLM="embedded")
    output = running.until(READY)
    done = subprocess.run(
        command(release, "events"), env=environment(LLM="embedded"), capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert running.log()[1:] == [line["event"] for line in lines[:-1]]
    assert [line.split(" ")[1] for line in running.log()[1:]] == ["release", "python", "settings", "llm", "model"]
    assert f"RTMR 3 is {lines[-1]['rtmr_3'][:16]}" in output


def test_a_restart_extends_nothing_and_a_change_appends(start: Start) -> None:
    first = start()
    first.until(READY)
    before = first.log()
    first.end()
    second = start()
    assert "nothing new" in second.until(READY)
    assert second.log() == before
    second.end()
    third = start(TEE_GATE="block")
    assert "1 new events" in third.until(READY)
    assert third.log()[:-1] == before and '"TEE_GATE":"block"' in third.log()[-1]


def test_something_that_leaves_the_machine_is_an_event(start: Start) -> None:
    running = start(OPENAI_API_BASE_URLS="https://models.example/v1", OPENAI_API_KEY="sk-very-secret")
    running.until(READY)
    assert 'endpoint {"setting":"OPENAI_API_BASE_URLS","value":"https://models.example/v1"}' in running.log()[-1]
    assert "sk-very-secret" not in "".join(running.log())


CHANGES = {
    "javascript": ("backend/open_webui/frontend/_app/page.js", b"let a = 2\n"),
    "python": ("backend/open_webui/config.py", b"import os\nos.system('x')\n"),
    "weights": ("llm/Tiny-1M.Q4.gguf", b"weightz"),
    "added": ("site-packages/extra.py", b"x"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_release_is_refused_and_named(start: Start, release: Path, what: str) -> None:
    path, content = CHANGES[what]
    (release / path).write_bytes(content)
    code, output = refused(start())
    assert code == 6 and path in output and "Traceback" not in output
    allowed = start("--allow-modified")
    assert "MODIFIED" in allowed.until(READY)
    assert web_environment(allowed.data)["TEE_LAUNCH"] == "modified"
    assert any(line.startswith("open-webui-tdx modified ") and path in line for line in allowed.log())


def test_links_missing_files_and_modes_are_differences(start: Start, release: Path) -> None:
    page = release / "backend/open_webui/frontend/_app/page.js"
    page.unlink()
    page.symlink_to("/etc/passwd")
    (release / "llm/Tiny-1M.Q4.gguf").unlink()
    (release / "simulator/__init__.py").chmod(0o755)
    code, output = refused(start())
    assert code == 6
    assert "page.js (a symbolic link)" in output and "gguf (missing)" in output and "has another mode" in output


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"files": []}', '{"files": [{"path": "../x", "sha384": "", "size": 1}]}']
)
def test_a_broken_manifest_is_one_sentence(start: Start, release: Path, content: str) -> None:
    (release / "release.json").write_text(content)
    code, output = refused(start())
    assert code == 6 and "manifest" in output and "Traceback" not in output and output.count("\n") <= 2


def test_two_launchers_on_one_folder(start: Start) -> None:
    first = start()
    first.until(READY)
    code, output = refused(start())
    assert code == 4 and f"process {first.process.pid}" in output


def test_a_busy_port(start: Start) -> None:
    first = start()
    first.until(READY)
    code, output = refused(start(PORT=str(first.port), data=first.data.with_name("other")))
    assert code == 3 and str(first.port) in output and "Traceback" not in output


@pytest.mark.parametrize(
    ("settings", "code", "word"),
    [
        ({"LLM": "big"}, 2, "LLM=big"),
        ({"TDX": "fake"}, 2, "TDX=fake"),
        ({"PROFILE": "huge"}, 2, "PROFILE=huge"),
        ({"PORT": "99999"}, 2, "PORT=99999"),
        ({"TEE_GAET": "block"}, 2, "TEE_GAET"),
        ({"ORIGIN": "chat.example"}, 2, "ORIGIN"),
        ({"LLM": "ollama", "OLLAMA_BASE_URL": "http://127.0.0.1:1"}, 3, "No Ollama answers"),
        ({"HOST": "203.0.113.1"}, 3, "HOST=203.0.113.1"),
        ({"TDX": "real"}, 5, "TDX=real"),
    ],
)
def test_wrong_settings_are_one_sentence(start: Start, settings: dict[str, str], code: int, word: str) -> None:
    if settings.get("TDX") == "real" and Path("/dev/tdx_guest").exists():
        pytest.skip("this machine has real TDX")
    settings.setdefault("PORT", str(free_port()))
    got, output = refused(start(**settings))
    assert got == code and word in output and "Traceback" not in output


def test_a_child_that_dies_stops_the_others_and_shows_why(start: Start) -> None:
    running = start(WEBUI_NAME="dies")
    code, output = refused(running)
    assert code == 1 and "the web server cannot start" in output and "web-server.log" in output
    assert not running.members()


def test_a_child_that_dies_later_stops_everything(start: Start) -> None:
    running = start()
    running.until(READY)
    os.kill(running.members()[0], signal.SIGKILL)
    code, output = refused(running)
    assert code == 1 and "ended by itself (signal SIGKILL)" in output
    assert not running.members()


def test_grandchildren_are_stopped(start: Start) -> None:
    running = start(WEBUI_NAME="leaves-a-child")
    running.until(READY)
    assert len(running.members()) == 4  # PCCS, attester, web server and its child, which ignores SIGTERM
    assert running.end(signal.SIGINT) == 0
    wait_until(lambda: not running.members())


def test_nothing_survives_a_killed_launcher(start: Start) -> None:
    running = start()
    running.until(READY)
    assert running.members()
    running.process.kill()
    wait_until(lambda: not running.members())


def test_nothing_is_written_into_the_release(start: Start, release: Path) -> None:
    before = sorted(str(path) for path in release.rglob("*"))
    running = start(LLM="embedded")
    running.until(READY)
    running.end()
    assert sorted(str(path) for path in release.rglob("*")) == before


def test_a_moved_release_runs(start: Start, release: Path) -> None:
    first = start()
    first.until(READY)
    log = first.log()
    first.end()
    release.rename(release.with_name("with space"))
    (release.with_name("with space")).rename(release)
    second = start()
    second.until(READY)
    assert second.log() == log


def test_killed_at_any_time_the_log_replays(start: Start, release: Path) -> None:
    """Kill the launcher at moments spread over a launch; each next launch recovers, with one INIT line."""
    from quote_generator import aael

    begun = time.monotonic()
    start(data=None).until(READY)
    length = time.monotonic() - begun
    start_data = None
    for step in range(16):
        running = start(data=start_data, TEE_MAX_AGE_S=str(100 + step), TEE_GATE=("warn", "block", "off")[step % 3])
        start_data = running.data.with_name("killed")
        running.process.kill()
        running.process.wait()
        running = start(data=start_data, TEE_GATE=("off", "warn", "block")[step % 3])
        time.sleep(length * step / 16)
        running.process.kill()
        wait_until(lambda running=running: not running.members())
    last = start(data=start_data)
    output = last.until(READY)
    lines = last.log()
    assert sum(line.startswith("INIT") for line in lines) == 1
    assert f"RTMR 3 is {aael.replay_lines(lines).hex()[:16]}" in output
    assert len(lines) == len(set(lines))


def test_a_full_disk_is_one_sentence_and_leaves_the_log_whole(start: Start, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a small file system")
    try:
        first = start(data=disk / "data")
        first.until(READY)
        first.end()
        log = first.log()
        (disk / "filler").write_bytes(b"x" * (disk_free(disk) - 4096))
        code, output = refused(start(data=disk / "data", TEE_GATE="block"))
        assert code == 4 and "Traceback" not in output and ("MiB are free" in output or "disk is full" in output)
        (disk / "filler").unlink()
        assert first.log() == log
        start(data=disk / "data").until(READY)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def disk_free(folder: Path) -> int:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


def test_check_and_help(release: Path) -> None:
    digest = write_manifest(release)
    done = subprocess.run(command(release, "check"), capture_output=True, text=True, check=True)
    assert digest in done.stdout
    shown = subprocess.run(command(release, "--help"), capture_output=True, text=True, check=True).stdout
    for name in ("run", "check", "events", "measure-model", "exit codes"):
        assert name in shown
    assert sys.executable not in shown


def test_rebooting_the_simulated_td_empties_log_and_register(start: Start, release: Path) -> None:
    first = start()
    first.until(READY)
    env = environment(DATA_DIR=str(first.data))
    busy = subprocess.run(command(release, "reboot-simulator"), env=env, capture_output=True, text=True)
    assert busy.returncode == 4 and "in use" in busy.stderr
    first.end()
    before = first.log()
    subprocess.run(command(release, "reboot-simulator"), env=env, check=True, capture_output=True)
    second = start(TEE_GATE="off")
    second.until(READY)
    assert len(second.log()) == len(before) and second.log() != before
