"""What a launch costs: its time to a healthy server beside the plain backend's, and its hashing beside openssl's.

Needs the release in dist/ (`make bench` builds it). Run: `python bench/launch.py [--release DIR] [--python PYTHON]`.
Targets: healthy at most 2 s after the plain backend, checking of files not counted; hashing at least 0.9 of the rate of
`openssl dgst` run on the same files, one process a core; memory that does not grow with the files.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.ports import free_port  # noqa: E402 - the line above makes it importable

FILES = 4
FILE_MIB = 128
ROUNDS = 2
HASH_ROUNDS = 7
ANYBODY = ssl._create_unverified_context()  # who answers is known: this program started it


@contextmanager
def running(command: list[str], env: dict[str, str], cwd: Path, url: str) -> Iterator[float]:
    """`command`, from its first healthy answer at `url` on, given as seconds from its start; it is stopped again."""
    begun = time.monotonic()
    with (cwd / "output").open("wb") as output:
        process = subprocess.Popen(command, env=env, cwd=cwd, stdout=output, stderr=subprocess.STDOUT)
    try:
        while True:
            if process.poll() is not None:
                raise SystemExit(f"{command[0]} ended:\n{(cwd / 'output').read_text()[-2000:]}")
            try:
                with urllib.request.urlopen(f"{url}/health", timeout=1, context=ANYBODY):
                    break
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        yield time.monotonic() - begun
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def until_healthy(command: list[str], env: dict[str, str], cwd: Path, port: int) -> float:
    """Seconds from starting `command` to its first healthy answer; it is stopped again."""
    with running(command, env, cwd, f"http://127.0.0.1:{port}") as seconds:
        return seconds


def plain(release: Path, python: str, folder: Path, port: int) -> tuple[list[str], dict[str, str], Path]:
    """The backend alone, as upstream starts it, from the same files and with bytecode of its own: command, environment
    and folder."""
    data = folder / "plain"
    data.mkdir(exist_ok=True)
    paths = [str(release / "backend"), str(release / "site-packages")]
    env = {
        "PATH": os.environ["PATH"], "HOME": str(data),
        "DATA_DIR": str(data), "STATIC_DIR": str(data / "static"), "WEBUI_SECRET_KEY": "x" * 40, "OFFLINE_MODE": "true",
        "FRONTEND_BUILD_DIR": str(release / "backend/open_webui/frontend"), "RAG_EMBEDDING_ENGINE": "openai",
    }  # fmt: skip
    (data / "static").mkdir(exist_ok=True)
    # Isolated, and without PYTHONPATH: a machine's start-up hooks could change the files, as some add a certificate to
    # every certifi that they find in the path.
    code = f"import sys, runpy; sys.path += {paths!r}; runpy.run_module('uvicorn', None, '__main__')"
    command = [python, "-I", "-S", "-X", f"pycache_prefix={folder / 'bytecode'}", "-c", code, "open_webui.main:app"]
    return [*command, "--host", "127.0.0.1", "--port", str(port)], env, data


def plain_start(release: Path, python: str, folder: Path) -> float:
    port = free_port()
    return until_healthy(*plain(release, python, folder, port), port)


def launch_start(release: Path, python: str, folder: Path) -> float:
    port = free_port()
    data = folder / "launch"
    data.mkdir(exist_ok=True)
    env = {
        "PATH": os.environ["PATH"], "HOME": str(data), "PYTHON": python, "DATA_DIR": str(data), "PORT": str(port),
        "TDX": "simulated", "LLM": "embedded",
    }  # fmt: skip
    return until_healthy([str(release / "open-webui-tdx")], env, data, port)


def check_files(release: Path, python: str) -> float:
    begun = time.monotonic()
    env = {"PATH": os.environ["PATH"], "PYTHON": python}
    subprocess.run([release / "open-webui-tdx", "check"], env=env, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begun


def starts(release: Path, python: str, folder: Path) -> None:
    plain_start(release, python, folder), launch_start(release, python, folder)  # bytecode, database, page cache
    plain, launch, check = [], [], []
    for _ in range(ROUNDS):
        plain.append(plain_start(release, python, folder))
        check.append(check_files(release, python))
        launch.append(launch_start(release, python, folder))
    medians = [statistics.median(values) for values in (plain, launch, check)]
    extra = medians[1] - medians[2] - medians[0]
    print(f"plain backend healthy after   {medians[0]:7.2f} s")
    print(f"launcher healthy after        {medians[1]:7.2f} s, of which checking files {medians[2]:.2f} s")
    print(f"launcher minus plain, files not counted: {extra:+.2f} s (target: at most +2.00)")


def seconds(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def hashing(folder: Path) -> None:
    sys.path.insert(0, str(ROOT))
    from launcher.measure import hashing as ours

    paths = [folder / f"blob-{number}" for number in range(FILES)]
    block = os.urandom(1 << 20)
    for path in paths:
        with path.open("wb") as file:
            for _ in range(FILE_MIB):
                file.write(block)
    size = FILES * FILE_MIB << 20
    for algorithm in ("sha256", "sha384"):

        def openssl(path: Path, algorithm: str = algorithm) -> None:
            subprocess.run(["openssl", "dgst", f"-{algorithm}", path], check=True, stdout=subprocess.DEVNULL)

        def all_cores() -> None:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(openssl, paths))

        def launcher(algorithm: str = algorithm) -> None:
            ours.digest_files(paths, algorithm)

        all_cores()  # into the page cache
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # Turn by turn, so that other programs disturb both alike; the best of each is what it can do.
        times = [(seconds(launcher), seconds(all_cores)) for _ in range(HASH_ROUNDS)]
        own, peer = (size / min(column) / 1e6 for column in zip(*times, strict=True))
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(
            f"{algorithm}: launcher {own:6.0f} MB/s, openssl dgst {peer:6.0f} MB/s on {os.cpu_count()} cores: "
            f"{own / peer:.2f} (target: at least 0.90); memory grew by {grown:.0f} MiB over {size >> 20} MiB of files"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--only", choices=("start", "hash"))
    options = parser.parse_args()
    built = sorted(Path(os.environ.get("DIST_DIR", ROOT / "dist")).glob("open-webui-tdx-*/release.json"))
    release = options.release or (built[0].parent if built else Path("absent"))
    if options.only != "hash" and not (release / "open-webui-tdx").exists():
        raise SystemExit("There is no release in dist/: run `make build` first.")
    with tempfile.TemporaryDirectory(prefix="bench-launch-") as name:
        if options.only != "start":
            hashing(Path(name))
        if options.only != "hash":
            starts(release.absolute(), options.python, Path(name))


if __name__ == "__main__":
    main()
