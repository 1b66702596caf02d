"""Every way out of a process that the tests try, and what waits for it outside."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: To be run with `host_port` (a listener of the machine), `parent` (the tests' process, as text) and `say`.
TRIES = """
import socket, os
def attempt(name, work):
    try:
        work()
    except Exception as error:
        say(name, "refused", type(error).__name__)
    else:
        say(name, "WENT OUT")
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
def system_call(*words):
    import ctypes
    if ctypes.CDLL(None, use_errno=True).syscall(*words) == -1 and ctypes.get_errno() in (1, 38, 97):
        raise PermissionError
def of_any_process():
    for number in filter(str.isdigit, os.listdir("/proc")):
        if os.path.exists(f"/proc/{number}/root/run/fence-test-{parent}"):
            return
    raise FileNotFoundError
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
attempt("socket in the memory file system", lambda: unix("/dev/shm/fence-test-" + parent))
attempt("vsock", lambda: socket.socket(socket.AF_VSOCK))
attempt("io_uring", lambda: system_call(425, 1, None))
attempt("the numbers of another architecture", lambda: system_call(0x40000000 + 39))
attempt("the parent's folder", lambda: os.stat("../fence-test-" + parent))
attempt("through another process", of_any_process)
attempt("a process of the same account", lambda: os.kill(int(parent), 0))
attempt("set-uid", lambda: open("/proc/self/status").read().index("NoNewPrivs:\\t0"))
capabilities = [line for line in open("/proc/self/status") if line[:6] in ("CapEff", "CapPrm", "CapInh")]
attempt("capabilities", lambda: [line for line in capabilities if int(line.split()[1], 16)][0])
say("uid", os.getuid(), os.getgroups())
"""


#: How many ways that are.
WAYS = TRIES.count("\nattempt(")


@contextmanager
def machine() -> Iterator[int]:
    """Listeners of the machine's own, by TCP and by every kind of Unix socket."""
    tcp = socket.create_server(("127.0.0.1", 0))
    names = [f"/{folder}/fence-test-{os.getpid()}" for folder in ("run", "tmp", "dev/shm")]
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
