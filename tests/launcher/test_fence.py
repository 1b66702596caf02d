"""Nothing gets out: what a program inside the fence tries, and what reaches it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.plan.processes import User
from launcher.serve import fence
from launcher.serve.fence import Fence

ROOT = Path(__file__).resolve().parents[2]
ENTRY = ROOT / "launcher" / "__main__.py"
# The tests' Python may lie where only root gets in. Without capabilities root is nobody special to the kernel.
ROOT_ACCOUNT = User("root", 0, 0)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of its own need root")

TRIES = """
import socket, sys, os, subprocess
def attempt(name, work):
    try:
        work()
    except Exception as error:
        print(name, "refused", type(error).__name__)
    else:
        print(name, "WENT OUT")
def tcp(address, family=socket.AF_INET):
    with socket.socket(family) as it:
        it.settimeout(3)
        it.connect(address)
def udp(address, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_DGRAM) as it:
        it.sendto(b"words", address)
def icmp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as it:
        it.sendto(b"\\x08\\0\\xf7\\xff\\0\\0\\0\\0", ("192.0.2.1", 0))
def raw():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
def packet():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
def unix(path):
    with socket.socket(socket.AF_UNIX) as it:
        it.connect(path)
def back(number):
    with open(f"/proc/{number}/ns/net") as it:
        import ctypes
        if ctypes.CDLL(None, use_errno=True).setns(it.fileno(), 0) != 0:
            raise PermissionError
host_port, parent = int(sys.argv[1]), sys.argv[2]
attempt("tcp to the machine", lambda: tcp(("127.0.0.1", host_port)))
attempt("tcp elsewhere", lambda: tcp(("192.0.2.1", 443)))
attempt("ipv6", lambda: tcp(("2001:db8::1", 443), socket.AF_INET6))
attempt("ipv6 link-local multicast", lambda: udp(("ff02::1", 9), socket.AF_INET6))
attempt("udp", lambda: udp(("192.0.2.1", 53)))
attempt("udp broadcast", lambda: udp(("255.255.255.255", 9)))
attempt("dns", lambda: socket.getaddrinfo("words.example", 443))
attempt("icmp", icmp)
attempt("raw", raw)
attempt("packet", packet)
attempt("abstract socket", lambda: unix("\\0fence-test-" + parent))
attempt("socket in /run", lambda: unix("/run/fence-test-" + parent))
attempt("socket in /tmp", lambda: unix("/tmp/fence-test-" + parent))
attempt("back to the machine's network", lambda: back(parent))
attempt("set-uid", lambda: open("/proc/self/status").read().index("NoNewPrivs:\\t0"))
print("uid", os.getuid(), os.getgroups())
"""


@pytest.fixture(scope="module")
def made() -> Iterator[Fence]:
    built = fence.build()
    yield built
    os.close(built.network)


def start(
    made: Fence, script: str, *arguments: str, keep: list[Path] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", str(ENTRY), "_module", str(os.getpid()), "x"]
    command = made.command(command, ENTRY, ROOT_ACCOUNT, [ROOT, *(keep or [])])
    at = command.index("_module") - len([sys.executable, "-I", "-S", str(ENTRY)])
    inner = [sys.executable, "-I", "-S", "-c", script, *arguments]
    return subprocess.run([*command[:at], *inner], pass_fds=[made.network], capture_output=True, text=True, timeout=60)


@pytest.fixture
def machine() -> Iterator[int]:
    """Listeners of the machine's own, by TCP and by every kind of Unix socket."""
    tcp = socket.create_server(("127.0.0.1", 0))
    names = [f"/{folder}/fence-test-{os.getpid()}" for folder in ("run", "tmp")]
    opened = [tcp]
    for name in [f"\0fence-test-{os.getpid()}", *names]:
        each = socket.socket(socket.AF_UNIX)
        each.bind(name)
        each.listen()
        opened.append(each)
    for name in names:
        Path(name).chmod(0o777)
    yield tcp.getsockname()[1]
    for each in opened:
        each.close()
    for name in names:
        Path(name).unlink()


@pytest.mark.attack
def test_nothing_gets_out(made: Fence, machine: int) -> None:
    outside = subprocess.run(
        [sys.executable, "-I", "-S", "-c", TRIES, str(machine), str(os.getpid())], capture_output=True, text=True
    )
    for way in ("tcp to the machine", "abstract socket", "socket in /run", "socket in /tmp", "set-uid"):
        assert f"{way} WENT OUT" in outside.stdout, "the test would not see it"
    inside = start(made, TRIES, str(machine), str(os.getpid()))
    assert inside.returncode == 0, inside.stderr
    assert "WENT OUT" not in inside.stdout, inside.stdout
    assert inside.stdout.count("refused") == 15
    assert "uid 0 []" in inside.stdout


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


def test_what_is_kept_can_be_seen_and_nothing_else_in_those_folders(made: Fence, tmp_path: Path) -> None:
    for name in ("kept", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    tmp_path.chmod(0o755)
    (tmp_path / "kept").chmod(0o755)
    script = "import os, sys; print(open(sys.argv[1] + '/kept/file').read(), os.path.exists(sys.argv[1] + '/other'))"
    assert start(made, script, str(tmp_path), keep=[tmp_path / "kept"]).stdout == "kept False\n"


def test_where_it_cannot_be_entered_nothing_starts(made: Fence) -> None:
    command = [sys.executable, "-I", "-S", str(ENTRY), "_fenced", "0", "65534:65534", "", "/bin/echo", "outside"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be started inside the fence" in done.stderr
