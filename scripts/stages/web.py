"""The pages' TypeScript, `web/`: the verifier as one file, dcap-qvl's own JavaScript in it; the client as it is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from scripts.building.files import copy_tree
from scripts.building.stage import Input
from scripts.config import Config
from scripts.errors import CommandError
from scripts.release import licences
from scripts.run import Runner
from scripts.sources.archives import unpack
from scripts.sources.downloads import obtain
from scripts.stages import outputs
from scripts.tools.node import node

NAME = "web"
DEPENDS: tuple[str, ...] = ()
NOT_BUNDLED = ("test", "tests", "node_modules", ".ruff_cache")
BUNDLERS = ("esbuild", "rollup", "rollup-plugin-dts", "typescript")  # of package.json's dependencies; part of no page
SOURCES = ("client", "shared", "data")
DATA = "quote_verifier/src/quote_verifier/data"  # what both verifiers know; a link in src/ leads there
SIMULATOR_ROOT = "simulator/pki/root.der"  # the published test root, so that a simulated quote is recognised


def inputs(cfg: Config) -> Iterable[Input]:
    """All that decides the result."""
    for entry in sorted((cfg.root / "web").iterdir()):
        if entry.name not in NOT_BUNDLED:
            yield entry
    yield cfg.root / DATA
    yield cfg.root / SIMULATOR_ROOT
    yield cfg.pins["nodejs"].sha256
    yield cfg.pins["dcap_qvl"].sha256


def copy_package(root: Path, package: Path) -> None:
    """The package of the repository `root` without its tests, and the data that it only links to."""
    copy_tree(root / "web", package, NOT_BUNDLED)
    (package / "src" / "data").unlink()
    copy_tree(root / DATA, package / "src" / "data", ("README.md",))


def build(cfg: Config, run: Runner, out: Path) -> None:
    """Write the result into `out`."""
    tools = node(cfg, run)
    pages = out / outputs.PAGES
    environment = tools.environment(cfg)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".web.work.") as folder:
        package = Path(folder) / "web"
        copy_package(cfg.root, package)
        qvl = unpack(obtain(cfg, run, "dcap_qvl"), Path(folder) / "dcap-qvl")
        npm = [tools.folder / "node", tools.npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
        run(npm, cwd=package, env=environment, what="npm ci")
        bundle = [tools.folder / "node", "build.mjs", "--dcap-qvl", qvl / "dcap-qvl-js", "--out", pages]
        bundle += ["--simulator-root", cfg.root / SIMULATOR_ROOT]
        run(bundle, cwd=package, env=environment, what="bundling the web verifier")
        for name in SOURCES:
            copy_tree(package / "src" / name, pages / name)
        dcap = licences.Component(
            "dcap-qvl", cfg.pins["dcap_qvl"].version, "MIT", ((qvl / "LICENSE").read_text(encoding="utf-8"),)
        )
        licences.write(
            [dcap, *licences.npm(package, BUNDLERS)],
            "JavaScript of the browser's verifier",
            out / outputs.VERIFIER_LICENCES,
        )
    for name in (outputs.VERIFIER, "verifier.d.ts"):
        if not (pages / name).is_file():
            raise CommandError(f"web/build.mjs succeeded but wrote no {name}; see {run.log}.")
