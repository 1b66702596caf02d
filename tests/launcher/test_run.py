"""The launcher as a process, on a small release: what it starts and measures, and that nothing stays behind.

What it refuses before it starts anything is in test_refusals.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from launcher.datadir import DataDir
from launcher.serve import ways_out
from tests.ports import free_port

from .conftest import FENCE, Running, Start, command, environment, write_manifest

pytestmark = pytest.mark.slow  # each starts real processes

READY = "Ctrl-C stops it"
MOMENTS = 8  # of a launch at which it is killed; every step of an append is in quote_generator/test_eventlog.py


def wait_until(condition: object, timeout: float = 10) -> None:
    deadline = time.monotonic() + timeout
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def refused(running: object) -> tuple[int, str]:
    output, _ = running.process.communicate(timeout=60)  # type: ignore[attr-defined]
    return running.process.returncode, output  # type: ignore[attr-defined]


def kill(running: Running) -> None:
    """Kill what launches, which the other process of the launcher outlives to end the rest."""
    wait_until(running.launches)
    os.kill(running.launches(), signal.SIGKILL)
    running.process.wait(30)


def door_environment(data: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((data / "logs/door.log").read_text().splitlines()[1])
    return found


def web_environment(data: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((data / "webui" / "environment.json").read_text())
    return found


def left_behind(data: Path) -> Path:
    """The folder below /proc of what left for a session of its own; it knows its number inside the fence alone."""
    wait_until((data / "webui/left").exists)
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit() and (folder / "cmdline").read_bytes().startswith(b"harmless\0"):
                found += [folder] if bytes(data) in (folder / "cmdline").read_bytes() else []
    (left,) = found
    return left


def test_starts_says_so_writes_nothing_into_the_release_and_stops_everything(start: Start, release: Path) -> None:
    before = sorted(str(path) for path in release.rglob("*"))
    running = start(LLM="embedded")
    output = running.until(READY)
    assert f"http://127.0.0.1:{running.port}" in output
    assert "TDX is SIMULATED" in output and "nothing is protected" in output
    assert "Tiny-1M" in output and str(running.data) in output
    assert urllib.request.urlopen(f"http://127.0.0.1:{running.port}/health").status == 200
    members = running.members()
    assert len(members) == 5 + 2 * FENCE  # PCCS, attester, door; web server and model server, which are fenced
    assert running.end() == 0
    assert not running.members()
    assert sorted(str(path) for path in release.rglob("*")) == before


def test_the_web_server_gets_what_it_needs_and_no_more(start: Start) -> None:
    running = start(
        LLM="embedded", WEBUI_NAME="Mine", LICENSE_KEY="x", PYTHONPATH="/evil", LD_PRELOAD="", STATIC_DIR="/evil"
    )
    output = running.until(READY)
    env = web_environment(running.data)
    assert env["WEBUI_NAME"] == "Mine"
    assert "LICENSE_KEY has no effect" in output
    assert not {"LICENSE_KEY", "PYTHONPATH", "LD_LIBRARY_PATH", "TDX_SIM_STATE", "LLM_API_KEY"} & env.keys()
    assert env["OFFLINE_MODE"] == "true" and env["ENABLE_OLLAMA_API"] == "false"
    assert env["OPENAI_API_BASE_URLS"] == "http://127.0.0.1:20001/v1"
    assert env["RAG_OPENAI_API_BASE_URL"] == "http://127.0.0.1:20002/v1"
    assert re.fullmatch(r"sk-[\w-]{32}", env["OPENAI_API_KEYS"]) and env["RAG_OPENAI_API_KEY"] == env["OPENAI_API_KEYS"]
    assert env["STATIC_DIR"].startswith(str(running.data)) and (Path(env["STATIC_DIR"]) / "fonts/a.ttf").exists()
    log = (running.data / "logs/web-server.log").read_text()
    assert "'--uds'" in log and "--reload" not in log and "--port" not in log
    assert {"OPENAI_API_BASE_URLS", "WEBUI_NAME"} <= set(env["TEE_LOCKED_SETTINGS"].split(","))


def test_registers_equal_what_events_computes(start: Start, release: Path) -> None:
    running = start(LLM="embedded")
    output = running.until(READY)
    done = subprocess.run(
        command(release, "events"), env=environment(LLM="embedded"), capture_output=True, text=True, check=True
    )
    assert not Path("/nonexistent").exists(), "to say what a launch would measure nothing is written"
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert running.log()[1:-1] == [line["event"] for line in lines[:-1]]
    names = [line.split(" ")[1] for line in running.log()[1:]]
    assert names == ["release", "python", "settings", "site", "llm", "model", "launch"]
    assert f"RTMR 3 is {lines[-1]['rtmr_3'][:16]}" in output


def test_a_restart_elsewhere_keeps_secret_and_log_and_a_change_appends(start: Start, release: Path) -> None:
    first = start()
    first.until(READY)
    before, secret = first.log(), web_environment(first.data)["WEBUI_SECRET_KEY"]
    assert len(secret) >= 43 and stat.S_IMODE((first.data / "secret_key").stat().st_mode) == 0o600
    first.end()
    moved = release.rename(release.with_name("with space"))
    second = start(release=moved)
    assert "nothing new" in second.until(READY)
    assert second.log() == before and web_environment(second.data)["WEBUI_SECRET_KEY"] == secret
    second.end()
    third = start(release=moved, TEE_GATE="block")
    assert "2 new events" in third.until(READY)
    *earlier, changed, launch = third.log()
    assert earlier == before and '"TEE_GATE":"block"' in changed
    assert launch.startswith("open-webui-tdx launch "), "what is in force now, and that the lines before it are not"


def test_what_leaves_the_machine_is_an_event_and_only_named_proxies_are_believed(start: Start) -> None:
    running = start(
        OPENAI_API_BASE_URLS="https://models.example/v1",
        OPENAI_API_KEY="sk-very-secret",
        FORWARDED_ALLOW_IPS="10.0.0.7, 10.1.0.0/16",
    )
    running.until(READY)
    (site,) = (line for line in running.log() if line.startswith("open-webui-tdx site "))
    assert '"endpoints":[{"setting":"OPENAI_API_BASE_URLS","value":"https://models.example/v1"}]' in site
    assert "sk-very-secret" not in "".join(running.log())
    assert '"trusted": ["10.0.0.7", "10.1.0.0/16"]' in (running.data / "logs/door.log").read_text()


def test_a_changed_release_is_served_only_when_that_is_allowed_and_says_so(start: Start, release: Path) -> None:
    changed = "backend/open_webui/frontend/_app/page.js"
    (release / changed).write_text("let a = 2\n")
    code, output = refused(start())
    assert code == 6 and changed in output and "Traceback" not in output
    allowed = start("--allow-modified")
    assert "MODIFIED" in allowed.until(READY)
    assert door_environment(allowed.data)["TEE_LAUNCH"] == "modified"
    assert any(line.startswith("open-webui-tdx modified ") and changed in line for line in allowed.log())


def test_a_second_launcher_gets_neither_the_folder_nor_the_port(start: Start) -> None:
    first = start()
    first.until(READY)
    code, output = refused(start())
    assert code == 4 and f"process {first.launches()}" in output and "Traceback" not in output
    code, output = refused(start(PORT=str(first.port), data=first.data.with_name("other")))
    assert code == 3 and str(first.port) in output and "Traceback" not in output


def test_a_refusal_is_a_sentence_and_an_exit_code_of_the_process(start: Start) -> None:
    code, output = refused(start(LLM="big"))
    assert code == 2 and output.startswith("open-webui-tdx: LLM=big") and output.count("\n") == 1


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
    assert len(running.members()) == 5 + FENCE  # PCCS, attester, door, web server and its child, which ignores SIGTERM
    assert running.end(signal.SIGINT) == 0
    wait_until(lambda: not running.members())


@pytest.mark.attack
def test_what_left_for_a_session_of_its_own_is_stopped(start: Start) -> None:
    """Without parent, session, environment or name it could wait for the next launch, with the account's files."""
    running = start(WEBUI_NAME="leaves-a-session")
    running.until(READY)
    left = left_behind(running.data)
    try:
        assert running.end() == 0
        assert not left.exists()
    finally:
        with suppress(ProcessLookupError):
            os.kill(int(left.name), signal.SIGKILL)


OLLAMA = """
import http.server, json, os
host, port = os.environ["OLLAMA_HOST"].split(":")
json.dump(dict(os.environ), open("environment.json", "w"))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = {"/api/version": {"version": "0.5.7"}, "/api/tags": {"models": []}}[self.path]
        self.send_response(200); self.end_headers(); self.wfile.write(json.dumps(found).encode())
    log_message = lambda *a: None
http.server.HTTPServer((host, int(port)), Handler).serve_forever()
"""


@pytest.mark.attack
def test_where_no_ollama_answers_the_measured_one_is_started(start: Start, tmp_path: Path) -> None:
    """`ollama serve` is here a Python that runs the script `serve` of its home."""
    binary, home = tmp_path / "bin/ollama", tmp_path / "data/ollama"
    binary.parent.mkdir()
    shutil.copy(Path("/proc/self/exe").resolve(), binary)
    home.mkdir(parents=True)
    (home / "serve").write_text(OLLAMA)
    url = f"http://127.0.0.1:{free_port()}"
    hostile = {"OLLAMA_HOST": "0.0.0.0", "LD_PRELOAD": "", "OLLAMA_DEBUG": "1", "http_proxy": "http://evil.example"}
    running = start(LLM="ollama", OLLAMA_BINARY=str(binary), OLLAMA_BASE_URL=url, OLLAMA_MODELS=str(home), **hostile)
    assert f"starting {binary}" in running.until(READY)
    digest = hashlib.sha384(binary.read_bytes()).hexdigest()
    assert any(line.startswith("open-webui-tdx ollama ") and digest in line for line in running.log())
    env = json.loads((home / "environment.json").read_text())
    assert env["OLLAMA_HOST"] == url[7:] and not {"OLLAMA_DEBUG", "http_proxy", "LD_PRELOAD"} & env.keys()
    told = web_environment(running.data)
    assert told["OLLAMA_BASE_URLS"] == told["RAG_OLLAMA_BASE_URL"] != url  # the relay
    assert urllib.request.urlopen(f"{told['OLLAMA_BASE_URLS']}/api/version").read() == b'{"version": "0.5.7"}'
    assert f'"OLLAMA_BASE_URLS":"{url}"' in "".join(running.log())
    assert running.end() == 0
    with pytest.raises(OSError):
        urllib.request.urlopen(f"{url}/api/version")


@pytest.mark.attack
@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of its own need root")
def test_an_ollama_of_the_launchers_runs_inside_the_fence(start: Start, release: Path, tmp_path: Path) -> None:
    binary, home = tmp_path / "bin/ollama", tmp_path / "data/ollama"
    binary.parent.mkdir()
    shutil.copy(Path("/proc/self/exe").resolve(), binary)
    home.mkdir(parents=True)
    (home / "serve").write_text(OLLAMA)
    chosen = {"LLM": "ollama", "OLLAMA_BASE_URL": f"http://127.0.0.1:{free_port()}", "OLLAMA_MODELS": str(home)}
    running = start(OLLAMA_BINARY=str(binary), **chosen)
    running.until(READY)
    relay = web_environment(running.data)["OLLAMA_BASE_URLS"]
    for url in (relay, chosen["OLLAMA_BASE_URL"]):
        with pytest.raises(OSError):
            urllib.request.urlopen(f"{url}/api/version", timeout=5)
    with ways_out.of_running(DataDir(running.data, "")) as inside:
        assert inside is not None
        answer = inside.inside(lambda: urllib.request.urlopen(f"{relay}/api/version", timeout=20).read())
    assert answer == b'{"version": "0.5.7"}'
    env = environment(DATA_DIR=str(running.data), **chosen)
    (running.data / "run/measured-models.json").write_text('{"v": 1, "models": {}}')
    asked = subprocess.run(command(release, "measure-model", "nope"), env=env, capture_output=True, text=True)
    assert "does not offer the model nope:latest" in asked.stderr, "it was asked, and has none"


@pytest.mark.attack
@pytest.mark.parametrize(
    ("channel", "path"), [("offer", "/api/v1/tee/administrator?key="), ("require", "/auth#administrator=")]
)
def test_beyond_loopback_a_link_makes_the_first_administrator(start: Start, channel: str, path: str) -> None:
    running = start(HOST="0.0.0.0", TEE_CHANNEL=channel)
    output = running.until(READY)
    key = web_environment(running.data)["TEE_FIRST_SIGNUP"]
    assert f"http://127.0.0.1:{running.port}{path}{key}" in output and len(key) >= 43
    assert key not in "".join(running.log())


@pytest.mark.attack
@pytest.mark.parametrize("killed", ["first", "second"])
def test_nothing_survives_a_killed_launcher(start: Start, killed: str) -> None:
    """Neither its children nor what one of them put into a session of its own, whichever of its processes is killed."""
    running = start(WEBUI_NAME="leaves-a-session")
    running.until(READY)
    assert running.members()
    left = left_behind(running.data)
    try:
        os.kill({"first": running.process.pid, "second": running.launches()}[killed], signal.SIGKILL)
        wait_until(lambda: not running.members() and not left.exists(), 30)
        if killed == "second":
            code, output = refused(running)
            assert code == 1 and "was killed (SIGKILL)" in output
    finally:
        with suppress(ProcessLookupError):
            os.kill(int(left.name), signal.SIGKILL)


def test_killed_at_any_time_the_log_replays(start: Start, release: Path) -> None:
    """Kill the launcher at moments spread over a launch; each next launch recovers, with one INIT line."""
    from quote_generator import aael

    begun = time.monotonic()
    start(data=None).until(READY)
    length = time.monotonic() - begun
    start_data = None
    for step in range(MOMENTS):
        running = start(data=start_data, TEE_MAX_AGE_S=str(100 + step), TEE_GATE=("warn", "block", "off")[step % 3])
        start_data = running.data.with_name("killed")
        kill(running)
        running = start(data=start_data, TEE_GATE=("off", "warn", "block")[step % 3])
        time.sleep(length * step / MOMENTS)
        kill(running)
    last = start(data=start_data)
    output = last.until(READY)
    lines = last.log()
    assert sum(line.startswith("INIT") for line in lines) == 1
    assert f"RTMR 3 is {aael.replay_lines(lines).hex()[:16]}" in output
    measured = [line for line in lines if not line.startswith("open-webui-tdx launch ")]
    assert len(measured) == len(set(measured))


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


@pytest.mark.attack
def test_another_release_in_the_same_place_runs_its_own_code(start: Start, release: Path) -> None:
    """Archives give every file the same time, so a changed one can be of the size and the time of the one before."""
    first = start()
    first.until(READY)
    first.end()
    changed = release / "site-packages/uvicorn/__main__.py"
    times = changed.stat()
    changed.write_text(changed.read_text().replace("web server", "WEB SERVER"))
    os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))
    write_manifest(release)
    second = start()
    second.until(READY)
    second.end()
    assert (second.data / "logs/web-server.log").read_text().startswith("WEB SERVER")
