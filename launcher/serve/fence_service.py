"""What the unit open-webui-tdx-fence@ runs: `_fence`, with a launcher's connection as file 3 (`fence_unit`).

It holds the rights that a fence takes, and nothing else: its network is one that systemd made for it alone, which it
checks, for systemd goes on without one where it cannot make it. What it starts sees the folders that the launcher sees,
less what a fence empties, and runs as the account that the launcher names, with no rights.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .fence import family
from .fence_unit import MESSAGE
from .fenced import end_with, first_inside
from .namespaces import CLONE_NEWNS, CLONE_NEWPID, checked, libc

CONNECTION = 3  # the first that systemd hands over (sd_listen_fds(3))
FILES = 5


def problem(connection: socket.socket, network: int) -> str:
    """Why nobody is served: who asks is not root, or this network, unlike the asker's open one, is not of its own."""
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if uid != 0:
        return f"Only root is served, and number {uid} asks"
    mine, theirs = Path("/proc/self/ns/net").stat(), os.fstat(network)
    if (mine.st_dev, mine.st_ino) == (theirs.st_dev, theirs.st_ino):
        return "The fence's unit has no network of its own (PrivateNetwork=): systemd could not make one here"
    if interfaces(Path("/proc/self/net/dev").read_text(encoding="ascii")) != ["lo"]:
        return "The network of the fence's unit leads further than to itself (PrivateNetwork=)"
    return ""


def interfaces(table: str) -> list[str]:
    """The names in the kernel's table of network interfaces (proc(5), net/dev), of which two lines are the head."""
    return [line.partition(":")[0].strip() for line in table.splitlines()[2:]]


def serve(connection: socket.socket) -> None:
    """Answer until the launch is over."""
    while True:
        data, files, _, _ = socket.recv_fds(connection, MESSAGE, FILES, socket.MSG_CMSG_CLOEXEC)
        if not data:
            return
        try:
            request = json.loads(data)
            if request["do"] == "listen":
                _listen(request, files[0])
            else:
                _start(request, files, connection)
        finally:
            for number in files:
                os.close(number)


def _listen(request: dict[str, Any], answer: int) -> None:
    host, port = request["host"], request["port"]
    with socket.socket(fileno=os.dup(answer)) as asker:
        try:
            with socket.create_server((host, port), family=family(host), backlog=128) as made:
                socket.send_fds(asker, [b"{}"], [made.fileno()])
        except OSError as error:
            asker.send(json.dumps({"error": error.errno}).encode())


def _start(request: dict[str, Any], files: Sequence[int], connection: socket.socket) -> None:
    """Start a process that stays with one program, and go on."""
    service = os.getpid()
    if os.fork():
        return
    try:
        connection.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        end_with(os.getppid() == service)
        os.setsid()
        _stay(request, files)
    except OSError as error:
        sys.stderr.write(f"This program cannot be started inside the fence: {error.strerror}.\n")
        sys.stderr.flush()
    finally:
        os._exit(1)


def _stay(request: dict[str, Any], files: Sequence[int]) -> None:
    """Start the program, pass signals on to it, and tell how it ended. Does not return. Raises OSError."""
    asker = socket.socket(fileno=files[0])
    for number in range(3):
        os.dup2(files[1 + number], number)
    checked(libc.setns(files[4], CLONE_NEWNS))
    for number in files[1:]:
        os.close(number)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    checked(libc.unshare(CLONE_NEWPID))
    near, far = socket.socketpair()
    inside = os.fork()
    if inside == 0:
        near.close()
        asker.close()
        uid, gid = request["user"]
        first_inside((uid, gid), [Path(path) for path in request["keep"]], request["command"], far)
    far.close()
    for sent in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sent, signal.SIG_IGN)  # they go to the whole group: the program decides
    while near not in select.select([near, asker], [], [])[0]:
        said = asker.recv(1)
        if not said:
            os._exit(1)  # nobody stands for the program any more: the kernel ends what is inside
        os.killpg(0, said[0])
    status = near.recv(4)
    _, ended = os.waitpid(inside, 0)
    asker.send(status or ended.to_bytes(4, "little"))
    os._exit(0)


def main(release: Path) -> int:
    """Serve one launch; the exit code."""
    connection = socket.socket(fileno=CONNECTION)
    data, files, _, _ = socket.recv_fds(connection, MESSAGE, 1, socket.MSG_CMSG_CLOEXEC)
    if not data or not files:
        return 0  # it is gone already
    refused = problem(connection, files[0])
    os.close(files[0])
    connection.send(json.dumps({"release": str(release), "problem": refused}).encode())
    if refused:
        sys.stderr.write(f"{refused}.\n")
        return 1
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the processes that stay with programs
    serve(connection)
    return 0
