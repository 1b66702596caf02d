"""A cold build against upstream's own steps by hand, downloads cached for both: wall time, peak memory, installed size.

    python bench/build.py [--ours | --theirs]

By hand: npm install, npm run build, pip install -r requirements.txt, in a fresh copy of upstream's source. So that it
can be compared at all, it is given what it needs to get through without a CDN (the two postinstall downloads off, of
`npm run build` only vite and not the download of Pyodide before it, a larger heap) and the versions of the date of the
release; all of that favours it. Targets: at most half the time, 0.85 of the memory, a quarter of the size. Takes half
an hour on two cores and needs 20 GB of disk. BENCH_CACHE=FOLDER keeps the downloads by hand for another run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts import locks  # noqa: E402 - the line above makes it importable
from scripts.config import Config, from_environment  # noqa: E402
from scripts.run import Runner  # noqa: E402
from scripts.sources.archives import unpack  # noqa: E402
from scripts.sources.downloads import obtain  # noqa: E402
from scripts.tools.node import node as pinned_node  # noqa: E402

TARGETS = {"wall_s": 0.5, "peak_mb": 0.85, "size_mb": 0.25}


@dataclass
class Cost:
    """Seconds, and megabytes (10^6 bytes): the largest sum of proportional set sizes, and what lies on disk after."""

    wall_s: float
    peak_mb: float
    size_mb: float


def measured(command: list[str], cwd: Path, env: dict[str, str]) -> tuple[float, float]:
    """Run to the end: seconds, and the peak memory of the whole process tree in MB."""
    began, peak = time.monotonic(), 0
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while process.poll() is None:
        peak = max(peak, sum(pss(pid) for pid in tree(process.pid)))
        time.sleep(0.5)
    if process.returncode:
        assert process.stderr is not None
        raise SystemExit(f"{' '.join(command[:4])} failed:\n{process.stderr.read().decode(errors='replace')[-3000:]}")
    return time.monotonic() - began, peak / 1e6


def tree(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    except OSError:
        pass
    return found


def pss(pid: int) -> int:
    """Bytes of memory, what is shared counted in shares."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def size_mb(*folders: Path) -> float:
    return sum(path.lstat().st_size for folder in folders for path in folder.rglob("*") if not path.is_dir()) / 1e6


def ours(cfg: Config, work: Path) -> Cost:
    env = {**os.environ, "BUILD_DIR": str(work / "build"), "DIST_DIR": str(work / "dist"), "CACHE_DIR": str(cfg.cache)}
    env |= {"OFFLINE": "1", "PROFILE": "slim"}
    wall, peak = measured(["make", "-j2", "build"], cfg.root, env)
    return Cost(wall, peak, size_mb(work / "dist" / cfg.release_name))


def theirs(cfg: Config, work: Path) -> Cost:
    run = Runner("bench", work / "log")
    node = pinned_node(cfg, run)
    source = unpack(obtain(cfg, run, "source"), work)
    constraints = work / "constraints.txt"
    locked = locks.read(locks.FOLDER / "full.txt").values()
    constraints.write_text("".join(f"{entry.name}=={entry.version}\n" for entry in locked))
    (work / "env").mkdir()
    subprocess.run([cfg.python, "-m", "venv", work / "env"], check=True)
    npm = [str(node.folder / "node"), str(node.npm)]
    pip = [str(work / "env" / "bin" / "pip"), "--quiet", "--disable-pip-version-check"]
    requirements = ["-r", str(source / "backend" / "requirements.txt"), "-c", str(constraints)]
    env = {**os.environ, **node.environment(cfg), "NODE_OPTIONS": "--max-old-space-size=6144"}
    cache = Path(os.environ.get("BENCH_CACHE", work))
    env |= {"npm_config_cache": str(cache / "npm"), "PIP_CACHE_DIR": str(cache / "pip"), "npm_config_offline": "false"}
    # The downloads, not measured.
    subprocess.run([*npm, "install"], cwd=source, env=env, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(source / "node_modules")
    subprocess.run([*pip, "download", "--dest", str(work / "downloads"), *requirements], env=env, check=True)
    shutil.rmtree(work / "downloads")
    # The steps.
    steps = [measured([*npm, "install"], source, env)]
    steps.append(measured([npm[0], "node_modules/vite/bin/vite.js", "build"], source, env))
    steps.append(measured([*pip, "install", *requirements], source, env))
    for name, (wall, peak) in zip(("npm install", "vite build", "pip install"), steps, strict=True):
        print(f"  by hand, {name}: {wall:.0f} s, {peak:.0f} MB", flush=True)
    size = size_mb(source, work / "env")
    return Cost(sum(wall for wall, _ in steps), max(peak for _, peak in steps), size)


def main() -> None:
    cfg = from_environment(ROOT)
    chosen = [function for function in (ours, theirs) if len(sys.argv) < 2 or sys.argv[1] == f"--{function.__name__}"]
    costs: dict[str, Cost] = {}
    for function in chosen:
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/tmp"), prefix="bench-") as folder:
            costs[function.__name__] = function(cfg, Path(folder))
        rounded = {name: round(value) for name, value in asdict(costs[function.__name__]).items()}
        print(f"{function.__name__}: {json.dumps(rounded)}", flush=True)
    if len(costs) == 2:
        for name, target in TARGETS.items():
            ratio = getattr(costs["ours"], name) / getattr(costs["theirs"], name)
            print(f"{name}: ratio {ratio:.2f}, target {target} {'met' if ratio <= target else 'MISSED'}")


if __name__ == "__main__":
    main()
