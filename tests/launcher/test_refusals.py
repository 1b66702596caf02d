"""What the launcher refuses, each in one sentence with an exit code of its own: its command line as a function.

That a process of it ends with that sentence and that code is shown once in test_run.py.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher import cli
from launcher.datadir import DataDir, boot_id
from launcher.plan.processes import Process
from launcher.serve import keeper
from launcher.serve.supervisor import Supervisor
from tests.ports import free_port

from .conftest import environment

Launch = Callable[..., tuple[int, str]]
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Launch]:
    """`launch(release, *arguments, NAME=value)` in this process: the exit code, and what was said.

    Starting anything is a failure: nothing would end a launch that was not refused.
    """

    def start(supervisor: Supervisor, process: Process) -> None:
        raise AssertionError(f"the launch was not refused: it starts the {process.name}")

    monkeypatch.setattr(Supervisor, "start", start)
    monkeypatch.setattr(keeper, "keep", lambda work: work())  # its second process would be a second run of the tests
    handlers, umask = [signal.getsignal(number) for number in NUMBERS], os.umask(0o022)

    def run(release: Path, *arguments: str, **settings: str) -> tuple[int, str]:
        defaults = {"DATA_DIR": str(tmp_path / "data"), "PORT": str(free_port())}
        monkeypatch.setattr(os, "environ", environment(**{**defaults, **settings}))
        code = cli.main([*(arguments or ("run",))], release)
        told = capsys.readouterr()
        return code, told.out + told.err

    yield run
    monkeypatch.undo()
    os.umask(umask)
    for number, handler in zip(NUMBERS, handlers, strict=True):
        signal.signal(number, handler)


CHANGES = {
    "javascript": ("backend/open_webui/frontend/_app/page.js", b"let a = 2\n"),
    "python": ("backend/open_webui/config.py", b"import os\nos.system('x')\n"),
    "weights": ("llm/Tiny-1M.Q4.gguf", b"weightz"),
    "added": ("site-packages/extra.py", b"x"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_release_is_refused_and_named(launch: Launch, release: Path, what: str) -> None:
    path, content = CHANGES[what]
    (release / path).write_bytes(content)
    code, output = launch(release)
    assert code == 6 and path in output
    code, output = launch(release, "check")
    assert code == 6 and path in output


@pytest.mark.slow
def test_events_of_a_changed_release_are_told_only_where_nobody_wants_a_check(launch: Launch, release: Path) -> None:
    (release / "llm/Tiny-1M.Q4.gguf").write_bytes(b"weightz")
    code, output = launch(release, "events")
    assert code == 6 and "Tiny-1M.Q4.gguf" in output
    code, output = launch(release, "events", "--no-check")
    assert code == 0 and '"rtmr_3"' in output.splitlines()[-1]


def test_links_missing_files_and_modes_are_differences(launch: Launch, release: Path) -> None:
    page = release / "backend/open_webui/frontend/_app/page.js"
    page.unlink()
    page.symlink_to("/etc/passwd")
    (release / "llm/Tiny-1M.Q4.gguf").unlink()
    (release / "simulator/__init__.py").chmod(0o755)
    code, output = launch(release)
    assert code == 6
    assert "page.js (a symbolic link)" in output and "gguf (missing)" in output and "has another mode" in output


@pytest.mark.slow
@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"files": []}', '{"files": [{"path": "../x", "sha384": "", "size": 1}]}']
)
def test_a_broken_manifest_is_one_sentence(launch: Launch, release: Path, content: str) -> None:
    (release / "release.json").write_text(content)
    code, output = launch(release)
    assert code == 6 and "manifest" in output and output.count("\n") <= 2


def test_a_folder_that_another_launcher_holds(launch: Launch, release_template: Path, tmp_path: Path) -> None:
    with DataDir(tmp_path / "data", boot_id()).locked():
        code, output = launch(release_template)
    assert code == 4 and f"process {os.getpid()}" in output


def test_a_busy_port(launch: Launch, release_template: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        code, output = launch(release_template, PORT=port)
    assert code == 3 and port in output


@pytest.mark.slow
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
def test_wrong_settings_are_one_sentence(
    launch: Launch, release_template: Path, settings: dict[str, str], code: int, word: str
) -> None:
    if settings.get("TDX") == "real" and Path("/dev/tdx_guest").exists():
        pytest.skip("this machine has real TDX")
    got, output = launch(release_template, **settings)
    assert got == code and word in output
    (told,) = [line for line in output.splitlines() if line.startswith("open-webui-tdx: ")]
    assert word in told


def test_what_was_refused_leaves_nothing_in_the_way(launch: Launch, release: Path, tmp_path: Path) -> None:
    """The folder is free again and nothing says that a service runs."""
    (release / "llm/Tiny-1M.Q4.gguf").unlink()
    assert launch(release)[0] == 6
    data = DataDir(tmp_path / "data", boot_id())
    with data.locked():
        assert not data.measured_models.exists()
