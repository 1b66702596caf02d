"""Nothing gets out: what a program inside the fence tries, and what reaches it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.plan.processes import User
from launcher.serve import fence, fence_unit, sockets_allowed
from launcher.serve.fence import Fence

from . import unit_standin
from .getting_out import TRIES, WAYS, machine

ROOT = Path(__file__).resolve().parents[2]
ENTRY = ROOT / "launcher" / "__main__.py"
# The tests' Python may lie where only root gets in. Without capabilities root is nobody special to the kernel.
ROOT_ACCOUNT = User("root", 0, 0)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of its own need root")


@pytest.fixture(scope="module", params=["its own", "the unit's"])
def made(request: pytest.FixtureRequest) -> Iterator[Fence]:
    """The fence that a launcher makes itself, and the one that a unit makes for it."""
    entry = [sys.executable, "-I", "-S", str(ENTRY)]
    if request.param == "its own":
        built = fence.build(entry, [ROOT])
        yield built
        os.close(built.network)
        return
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, unit_standin.listening(Path(folder) / "fence"):
        joined = fence_unit.join(entry, [ROOT], ROOT, Path(folder) / "fence")
        yield joined
        os.close(joined.network)


def start(
    made: Fence, script: str, *arguments: str, keep: list[Path] | None = None, cwd: str = "/"
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "-c", script, *arguments]
    inside = replace(made, keep=(ROOT, *(keep or []))).command(command, ROOT_ACCOUNT)
    return subprocess.run(inside, pass_fds=[made.network], capture_output=True, text=True, timeout=60, cwd=cwd)


#: What does not need a network, so that it gets out where nothing fences it in, and the test would see that.
SEEN = (
    "tcp to the machine", "abstract socket", "socket in /run", "socket in /tmp", "socket in the memory file system",
    "vsock", "io_uring", "the parent's folder", "through another process",
    "a process of the same account", "capabilities", "set-uid",
)  # fmt: skip


TRY = "import sys; host_port, parent, say = int(sys.argv[1]), sys.argv[2], print" + TRIES


@pytest.mark.slow
@pytest.mark.attack
def test_nothing_gets_out(made: Fence) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, machine() as port:
        _try(made, port, folder)


def _try(made: Fence, port: int, folder: str) -> None:
    arguments = str(port), str(os.getpid())
    outside = subprocess.run(
        [sys.executable, "-I", "-S", "-c", TRY, *arguments], capture_output=True, text=True, cwd=folder
    )
    for way in SEEN:
        assert f"{way} WENT OUT" in outside.stdout, f"the test would not see {way}: {outside.stdout}"
    inside = start(made, TRY, *arguments, keep=[Path(folder)], cwd=folder)
    assert inside.returncode == 0, inside.stderr
    assert "WENT OUT" not in inside.stdout, inside.stdout
    assert inside.stdout.count("refused") == WAYS > 20
    assert "uid 0 []" in inside.stdout


def test_a_machine_whose_calls_are_not_known_has_no_fence() -> None:
    with pytest.raises(OSError, match="no list of calls for sparc"):
        sockets_allowed.program("sparc")


@pytest.mark.slow
@pytest.mark.parametrize(("script", "code"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 15)", -15)])
def test_it_ends_as_the_program_does(made: Fence, script: str, code: int) -> None:
    assert start(made, script).returncode == code


@pytest.mark.slow
def test_what_is_inside_ends_with_the_program(made: Fence) -> None:
    leaves = "import os, time; os.fork() or (os.setsid(), time.sleep(600))"
    assert start(made, leaves).returncode == 0
    names = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert leaves not in names


@pytest.mark.slow
def test_a_socket_of_the_launcher_s_is_how_it_is_reached(made: Fence) -> None:
    listener = made.listen("127.0.0.1")
    port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 2)

    def serve() -> None:
        near, _ = listener.accept()
        with near:
            near.sendall(b"words")

    thread = threading.Thread(target=serve)
    thread.start()
    script = "import socket, sys; print(socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5).recv(9))"
    assert start(made, script, str(port)).stdout == "b'words'\n"
    thread.join()


@pytest.mark.slow
def test_what_is_kept_can_be_seen_and_nothing_else_in_those_folders(made: Fence, tmp_path: Path) -> None:
    for name in ("kept", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    tmp_path.chmod(0o755)
    (tmp_path / "kept").chmod(0o755)
    script = "import os, sys; print(open(sys.argv[1] + '/kept/file').read(), os.path.exists(sys.argv[1] + '/other'))"
    assert start(made, script, str(tmp_path), keep=[tmp_path / "kept"]).stdout == "kept False\n"


@pytest.mark.slow
def test_where_it_cannot_be_entered_nothing_starts(made: Fence) -> None:
    command = [sys.executable, "-I", "-S", str(ENTRY), "_fenced", "0", "65534:65534", "", str(os.getpid())]
    command += ["/bin/echo", "outside"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be started inside the fence" in done.stderr
