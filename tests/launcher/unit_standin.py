"""What systemd does for the fence's unit: a socket, and behind it a process for each connection, as the unit says.

It gets the unit's rights and no others, and a network of its own unless a test takes that away.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from launcher.serve import fence
from launcher.serve.namespaces import CLONE_NEWNET, apart, checked, libc

ROOT = Path(__file__).resolve().parents[2]
ENTRY = ROOT / "launcher" / "__main__.py"
UNIT = ROOT / "deploy/systemd/open-webui-tdx-fence@.service"
#: Makes an open file the third, as systemd does, and starts a program.
THIRD = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.execv(sys.argv[2], sys.argv[2:])"


def rights(text: str) -> list[str]:
    """The capabilities that a unit keeps, as setpriv(1) spells them."""
    lines = re.findall(r"^CapabilityBoundingSet=(.*)$", text, re.M)
    return [name.removeprefix("CAP_").lower() for line in lines for name in line.split()]


def bounded(text: str) -> list[str]:
    """What begins a command so that it has a unit's rights."""
    tool = shutil.which("setpriv")
    assert tool, "setpriv is not installed (Debian and Ubuntu: util-linux)"
    bounds = "-all" + "".join(f",+{name}" for name in rights(text))
    return [tool, "--bounding-set", bounds, "--no-new-privs"]


def _start(connection: socket.socket, alone: bool) -> subprocess.Popen[bytes]:
    service = [sys.executable, "-I", "-S", "-B", str(ENTRY), "_fence"]
    third = [sys.executable, "-I", "-S", "-c", THIRD, str(connection.fileno()), *service]

    def start() -> subprocess.Popen[bytes]:
        if alone:
            network = fence.new_network()
            checked(libc.setns(network, CLONE_NEWNET))
            os.close(network)
        return subprocess.Popen(
            [*bounded(UNIT.read_text()), *third], pass_fds=[connection.fileno()], stdin=subprocess.DEVNULL
        )

    return apart(start)


@contextmanager
def listening(path: Path, alone: bool = True, mode: int = 0o600) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The socket at `path`; the processes that were started so far. `alone`: in a network of its own."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(path))
    path.chmod(mode)
    listener.listen()
    started: list[subprocess.Popen[bytes]] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    started.append(_start(connection, alone))

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield started
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()
        for each in started:
            each.kill()
            each.wait()
