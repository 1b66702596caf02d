"""What a launch by root needs so that its processes run as accounts of their own, and what one of those can do."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from launcher.serve import accounts

# Run as another account: tries each way into each process and path that it was given, and prints those that it got.
TRY = """
import ctypes, os, socket, sys
def way(name, act):
    try:
        act()
    except OSError:
        return
    print(name)
def traced(pid):
    if ctypes.CDLL(None, use_errno=True).ptrace(16, pid, 0, 0) != 0:  # PTRACE_ATTACH
        raise OSError
def connected(path):
    socket.socket(socket.AF_UNIX).connect(path)
for word in sys.argv[1:]:
    if word.isdigit():
        way(word + " fd", lambda: os.listdir(f"/proc/{word}/fd"))
        for name in ("mem", "environ", "maps", "auxv"):
            way(f"{word} {name}", lambda: open(f"/proc/{word}/{name}", "rb").close())
        way(word + " signal", lambda: os.kill(int(word), 0))
        way(word + " ptrace", lambda: traced(int(word)))
    elif word.endswith(".sock"):
        way(word, lambda: connected(word))
    else:
        way(word, lambda: os.listdir(word) if os.path.isdir(word) else open(word, "rb").close())
"""


@contextmanager
def public_folder() -> Iterator[Path]:
    """A folder that every account can reach: pytest makes its own private again whenever another session starts."""
    with tempfile.TemporaryDirectory(prefix="open-webui-tdx-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def readable(path: Path) -> bool:
    """Whether the account without rights can read it."""
    user = accounts._lookup(accounts.FALLBACK)
    return user is not None and accounts.readable(user, path)


def python() -> str | None:
    """A Python of the release's version that every account can run, or None: the tests' may lie in somebody's home."""
    own = Path(os.path.realpath(sys.executable))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return next(
        (str(path) for path in (own, Path("/usr/bin", version), Path("/usr/local/bin", version)) if runs(path)), None
    )


def runs(program: Path) -> bool:
    """Whether the account without rights can run it."""
    user = accounts._lookup(accounts.FALLBACK)
    if user is None or not program.exists():
        return False
    command = [str(program), "-I", "-S", "-c", "import ssl, sqlite3"]
    try:
        done = subprocess.run(command, env={}, cwd="/", user=user.uid, group=user.gid, extra_groups=[], check=False)
    except OSError:
        return False
    return done.returncode == 0


def release(built: Path, folder: Path) -> Path:
    """The release where every account can read it: in its place, or else copied into `folder`."""
    if readable(built):
        return built
    subprocess.run(["cp", "-a", "--reflink=auto", built, folder / "release"], check=True)
    return folder / "release"


def gets(python: str, uid: int, *tried: object) -> set[str]:
    """Which of these processes (numbers), sockets and paths the account `uid` gets at, and how."""
    done = subprocess.run(
        [python, "-I", "-S", "-c", TRY, *map(str, tried)],
        env={}, cwd="/", user=uid, group=uid, extra_groups=[], capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.splitlines())


def processes(pids: Iterable[int]) -> dict[str, tuple[int, int]]:
    """The module that each of these processes of a launch runs, to its number and its account's."""
    found = {}
    for pid in pids:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        if "_fenced" in words:  # what waits for the one inside
            continue
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        ids = {*status["Uid"].split(), *status["Gid"].split()}
        assert len(ids) == 1 and not set(status["Groups"].split()) - ids, (words, status)
        found[words[words.index("_module") + 2]] = pid, int(ids.pop())
    return found
