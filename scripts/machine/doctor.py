"""What this machine has and lacks for each step, as a table. Looks, and changes nothing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.config import Config
from scripts.machine import chromium, tdxguest
from scripts.machine.capacity import available_memory_mb
from scripts.stages.frontend import NEEDED as FRONTEND

GB = 1_000_000_000
DISK = {"slim": 6 * GB, "full": 20 * GB}  # of build/ and dist/ together
CACHE = 2 * GB
TIMEOUT = 10  # seconds for each question to a server


@dataclass(frozen=True)
class Finding:
    """One line of the table."""

    step: str  # what needs it
    what: str
    state: str  # "ok", "note" (something works less well, or not yet) or "lacks" (the step cannot work)
    detail: str


def examine(cfg: Config) -> list[Finding]:
    """Every finding, in the order of the steps."""
    groups: tuple[Callable[[Config], Iterator[Finding]], ...] = (_tools, _space, _sources, _attestation, _model, _tests)
    return [finding for group in groups for finding in group(cfg)]


def show(findings: list[Finding]) -> bool:
    """Print the table; True if nothing is lacking."""
    from rich.console import Console
    from rich.table import Table

    table = Table("step", "what", "state", "detail", title="This machine")
    colours = {"ok": "green", "note": "yellow", "lacks": "bold red"}
    for finding in findings:
        table.add_row(finding.step, finding.what, f"[{colours[finding.state]}]{finding.state}[/]", finding.detail)
    Console().print(table)
    lacking = [finding.what for finding in findings if finding.state == "lacks"]
    print(f"Lacking: {', '.join(lacking)}." if lacking else "Nothing that the build and the run need is lacking.")
    return not lacking


def _tools(cfg: Config) -> Iterator[Finding]:
    yield Finding("build", "Python", "ok", f"{platform.python_version()}, {cfg.python}")
    git = shutil.which("git")
    yield Finding("patch", "git", "ok" if git else "lacks", git or "install git; it applies the patches")
    compiler = shutil.which(os.environ.get("CC", "cc"))
    remedy = "none; the release does not need it (zig is pinned), `pip install .` of the plugin does"
    yield Finding("plugin", "C compiler", "ok" if compiler else "note", compiler or remedy)


def _space(cfg: Config) -> Iterator[Finding]:
    memory, needed = available_memory_mb() * 1_000_000, FRONTEND.memory_mb * 1_000_000
    yield _enough("frontend", "memory", memory, needed, "end other programs, or add swap")
    needs = (
        (cfg.build, DISK[cfg.profile], "BUILD_DIR"),
        (cfg.cache, CACHE, "CACHE_DIR"),
        (cfg.var, GB // 2, "DATA_DIR"),
    )
    for folder, wanted, name in needs:
        there = next(place for place in (folder, *folder.parents) if place.exists())
        if not os.access(there, os.W_OK):
            yield Finding("build", f"disk of {name}", "lacks", f"{folder} cannot be written; name another with {name}=")
        else:
            yield _enough(
                "build", f"disk of {name}", shutil.disk_usage(there).free, wanted, f"free some, or set {name}="
            )


def _enough(step: str, what: str, has: int, needed: int, remedy: str) -> Finding:
    numbers = f"{has / GB:.1f} GB free, {needed / GB:.1f} GB needed"
    return Finding(step, what, "ok" if has >= needed else "lacks", numbers if has >= needed else f"{numbers}; {remedy}")


def _sources(cfg: Config) -> Iterator[Finding]:
    folder = cfg.cache / "files"
    absent = [pin.filename for pin in cfg.pins.files.values() if not (folder / pin.filename).is_file()]
    total = len(cfg.pins.files)
    yield Finding("fetch", "pinned files", "note" if absent else "ok", f"{total - len(absent)} of {total} in the cache")
    if cfg.offline:
        detail = f"OFFLINE=1, and {absent[0]} is not in the cache" if absent else "not asked, OFFLINE=1"
        yield Finding("fetch", "Python index", "lacks" if absent else "ok", detail)
        return
    trouble = _index_trouble()
    yield Finding(
        "fetch", "Python index", "lacks" if trouble and absent else "note" if trouble else "ok", trouble or "answers"
    )
    yield _npm(cfg)


def _index_trouble() -> str:
    """Why the configured index cannot be asked, or nothing."""
    import pypi_simple
    import requests

    from scripts.sources.downloads import session
    from scripts.sources.registry import registry

    endpoint = registry().index or pypi_simple.PYPI_SIMPLE_ENDPOINT
    if endpoint.startswith("file://"):
        return ""
    try:
        with session() as client:
            client.get(f"{endpoint.rstrip('/')}/open-webui/", timeout=TIMEOUT, stream=True).raise_for_status()
    except requests.RequestException as error:
        return f"cannot be asked ({type(error).__name__}); check the network and pip's index-url"
    return ""


def _npm(cfg: Config) -> Finding:
    from scripts.run import Runner
    from scripts.tools.node import node

    if not (cfg.cache / "files" / cfg.pins["nodejs"].filename).is_file():
        return Finding("frontend", "npm registry", "note", "not asked: the pinned Node.js is not fetched yet")
    tool = node(cfg, Runner("doctor", cfg.logs / "doctor.log"))
    command: list[str | Path] = [tool.folder / "node", tool.npm, "ping"]
    try:
        environment = {**os.environ, **tool.environment(cfg)}
        subprocess.run(command, env=environment, capture_output=True, timeout=3 * TIMEOUT, check=True)
    except (subprocess.SubprocessError, OSError):
        return Finding("frontend", "npm registry", "note", "does not answer `npm ping`; check npm's registry setting")
    return Finding("frontend", "npm registry", "ok", f"answers Node.js {cfg.pins['nodejs'].version}")


def _attestation(cfg: Config) -> Iterator[Finding]:
    del cfg
    device, library = tdxguest.device(), tdxguest.library()
    simulated = "; `make run` simulates TDX and says so"
    yield Finding(
        "run", "TDX device", "ok" if device else "note", device or f"none: this is not a TDX guest{simulated}"
    )
    state = "ok" if library else "lacks" if device else "note"
    remedy = "not installed; install Intel's package libtdx-attest" if device else f"not installed{simulated}"
    yield Finding("run", tdxguest.LIBRARY, state, "loads" if library else remedy)
    measurable = Path(tdxguest.RTMR3).exists()
    if device:
        detail = tdxguest.RTMR3 if measurable else "not in sysfs; vendor kernels extend through the library"
        yield Finding("run", "RTMR 3 can be extended", "ok" if measurable else "note", detail)


def _model(cfg: Config) -> Iterator[Finding]:
    import requests

    del cfg
    url = os.environ.get("OLLAMA_BASE_URL") or "http://127.0.0.1:11434"
    try:
        version = requests.get(f"{url.rstrip('/')}/api/version", timeout=3).json().get("version", "?")
        yield Finding("run", "Ollama", "ok", f"{version} at {url}")
    except (requests.RequestException, ValueError, AttributeError):
        yield Finding("run", "Ollama", "note", f"does not answer at {url}; the embedded model serves instead")


def _tests(cfg: Config) -> Iterator[Finding]:
    del cfg
    browser = chromium.find()
    remedy = "none; `make test` tries to install one"
    yield Finding("test", "Chromium", "ok" if browser else "note", str(browser or remedy))
