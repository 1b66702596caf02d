"""Starts the build tool in an environment of its own: `bootstrap.py [--tests|--deploy] -- -m scripts status`.

Only the standard library, and only syntax that Python 3.6 understands, so that an old interpreter gets a sentence
instead of a traceback. The environment lies in CACHE_DIR, named after the digest of its lock and the interpreter;
it is used only once a marker, written last, says that it is whole.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from typing import Iterator, List, Optional, Tuple  # noqa: UP035

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KNOWN = ((3, 12), (3, 11))
MISSING, NETWORK, DISK = 3, 4, 9  # exit codes, as in errors.py
USAGE = "usage: bootstrap.py [--any-python] [--tests|--deploy] -- ARGUMENTS OF PYTHON"


class Refusal(Exception):
    """One sentence for the person, and the exit code."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def main(arguments: List[str]) -> None:  # noqa: UP006
    """Become the Python of the environment asked for, with the arguments after `--`."""
    options, separator, rest = _split(arguments)
    if not separator or not set(options) <= {"--any-python", "--tests", "--deploy"}:
        raise Refusal(2, USAGE)
    if sys.version_info[:2] not in KNOWN:
        other = _other_python() if "--any-python" in options else None
        if other is None:
            raise Refusal(
                MISSING,
                "Python {}.{} ({}) cannot build this: Open WebUI 0.5.20 needs 3.11 or 3.12; install one, "
                "and name it if it is not found by itself, e.g. `make build PYTHON=/usr/bin/python3.11`.".format(
                    sys.version_info[0], sys.version_info[1], sys.executable
                ),
            )
        os.execv(other, [other, os.path.abspath(__file__), *arguments])
    python = environment("tests" if "--tests" in options else "deploy" if "--deploy" in options else "scripts")
    os.execv(python, [python, *rest])


def environment(part: str) -> str:
    """The interpreter of the environment locked in `<part>/requirements.lock`, made first if need be."""
    lock = os.path.join(ROOT, part, "requirements.lock")
    with open(lock, "rb") as file:
        locked = file.read()
    base = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
    key = hashlib.sha256(b"\0".join([locked, base.encode(), sys.version.encode()])).hexdigest()[:16]
    place = os.path.join(_cache(), "environments", part + "-" + key)
    python = os.path.join(place, "bin", "python")
    marker = os.path.join(place, "complete")
    if not os.path.exists(marker):
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with _locked(place + ".lock"):
            if not os.path.exists(marker):
                _make(part, lock, base, place, python)
                _write_marker(marker)
    return python


def _make(part: str, lock: str, base: str, place: str, python: str) -> None:
    if os.environ.get("OFFLINE", "").lower() in ("1", "yes", "true"):
        raise Refusal(
            NETWORK,
            f"OFFLINE=1, but the environment of {part}/requirements.lock is not in the cache ({place}); build once "
            "with a network.",
        )
    print(f"Making the environment of {part}/requirements.lock (once) ...", flush=True)
    shutil.rmtree(place, ignore_errors=True)
    log = place + ".log"
    if _logged([base, "-c", "import ensurepip, venv"], log):
        raise Refusal(
            MISSING,
            f"{base} lacks the modules venv and ensurepip; install them (Debian and Ubuntu: python3-venv) or name "
            "another "
            "interpreter with PYTHON=.",
        )
    if _logged([base, "-m", "venv", place], log):
        raise Refusal(MISSING, f"No virtual environment could be made in {place}; {_tail(log)}")
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    if _logged([python, *install, "--require-hashes", "--only-binary", ":all:", "-r", lock], log):
        raise Refusal(
            NETWORK,
            f"The packages of {part}/requirements.lock could not be installed; check the network and pip's index-url. "
            f"{_tail(log)}",
        )


def _logged(command: List[str], log: str) -> int:  # noqa: UP006
    """Run to the end with the output in `log`; the exit status."""
    with open(log, "w", encoding="utf-8") as file:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, check=False
        ).returncode  # noqa: S603


def _tail(log: str) -> str:
    with open(log, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()[-8:]
    return f"the log is {log}, its last lines:" + "".join(f"\n    {line[:300]}" for line in lines)


def _write_marker(marker: str) -> None:
    handle = os.open(marker, os.O_WRONLY | os.O_CREAT, 0o644)
    os.fsync(handle)
    os.close(handle)


def _cache() -> str:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    chosen = os.environ.get("CACHE_DIR")
    return os.path.join(ROOT, os.path.expanduser(chosen)) if chosen else os.path.join(home, "open-webui-tdx")


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """Two makes at once make one environment. The kernel drops the lock with the process."""
    with open(path, "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _other_python() -> Optional[str]:  # noqa: UP007, UP045
    """A Python we can use among the usual names, if this one is not; one that really starts."""
    for major, minor in KNOWN:
        found = shutil.which(f"python{major}.{minor}")
        if found:
            probe = [found, "-c", "import sys; sys.exit(sys.version_info[:2] != (%d, %d))" % (major, minor)]
            if subprocess.run(probe, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0:  # noqa: S603
                return found
    return None


def _split(arguments: List[str]) -> Tuple[List[str], bool, List[str]]:  # noqa: UP006
    if "--" not in arguments:
        return arguments, False, []
    at = arguments.index("--")
    return arguments[:at], True, arguments[at + 1 :]


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Refusal as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        sys.exit(refusal.code)
    except OSError as error:
        print(
            f"error: Cannot use {error.filename}: {error.strerror}; name another folder with CACHE_DIR=.",
            file=sys.stderr,
        )
        sys.exit(DISK)
    except KeyboardInterrupt:
        sys.exit(130)
