"""The frontend: vite's build of the patched source, with Pyodide from the pinned wheel."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.building.files import copy_tree
from scripts.building.stage import Input, Output, output_digest
from scripts.config import Config
from scripts.machine import capacity
from scripts.run import Runner
from scripts.sources.downloads import obtain
from scripts.stages import outputs
from scripts.tools.node import node

NAME = "frontend"
DEPENDS = ("patch", "nodemodules", "web")
SOURCES = (
    "src", "static", "package.json", "package-lock.json", ".npmrc", ".gitignore", "svelte.config.js", "vite.config.ts",
    "tailwind.config.js", "postcss.config.js", "tsconfig.json",
)  # fmt: skip
PAGES = Output("web", only=(outputs.PAGES,))
PYODIDE = "open_webui/frontend/pyodide/"
HEAP_MB = 3072  # Node's own default is too small; measured: enough, with room to spare
NEEDED = capacity.Needed("the frontend build", memory_mb=4200, disk_mb=1500)
KEPT = ("PATH", "TMPDIR")  # of the person's environment: vite bakes some variables into the pages


def inputs(cfg: Config) -> Iterable[Input]:
    """All that decides the result."""
    yield Output("patch", only=SOURCES)
    yield Output("nodemodules")
    yield PAGES
    yield cfg.pins["nodejs"].sha256
    yield cfg.pins["wheel"].sha256


def build(cfg: Config, run: Runner, out: Path) -> None:
    """Write the result into `out`."""
    capacity.check(cfg, NEEDED)
    pyodide = obtain(cfg, run, "wheel")
    tools = node(cfg, run)
    with _work(cfg) as work:
        environment: dict[str, str | None] = {name: None for name in os.environ if name not in KEPT}
        environment |= tools.environment(cfg)
        environment |= {
            "HOME": str(work),
            "NODE_ENV": "production",
            "NODE_OPTIONS": f"--max-old-space-size={HEAP_MB}",
            "FRONTEND_VERSION": version(cfg),
            "npm_package_version": cfg.pins.release.upstream_version,
            "APP_BUILD_HASH": cfg.pins.release.version,
        }
        vite = [tools.folder / "node", "node_modules/vite/bin/vite.js", "build", "--sourcemap", "false"]
        run(vite, cwd=work, env=environment, what="vite build")
        for entry in sorted((work / "build").iterdir()):
            entry.rename(out / entry.name)
    unpack_pyodide(pyodide, out / "pyodide")


def version(cfg: Config) -> str:
    """The name by which a browser notices an update: of the inputs, where upstream takes the time of the build."""
    parts = [output_digest(cfg, Output("patch", only=SOURCES)), output_digest(cfg, PAGES)]
    parts += [cfg.pins["nodejs"].sha256, cfg.pins["wheel"].sha256]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


@contextmanager
def _work(cfg: Config) -> Iterator[Path]:
    """A folder to build in, deleted afterwards: the sources, and the dependencies as hard links."""
    with tempfile.TemporaryDirectory(dir=cfg.build, prefix=".frontend.work.") as folder:
        work = Path(folder)
        for name in SOURCES:
            copy_tree(cfg.stage("patch") / name, work / name)
        # Tailwind looks for class names in whatever git does not ignore. A folder that looks like a repository makes
        # that
        # upstream's own rules, instead of those of a repository around it or of the person.
        (work / ".git").mkdir()
        copy_tree(cfg.stage("web") / outputs.PAGES, work / outputs.PAGES_PLACE)
        modules = cfg.stage("nodemodules") / "node_modules"
        shutil.copytree(modules, work / "node_modules", symlinks=True, copy_function=os.link)
        yield work


def unpack_pyodide(wheel: Path, out: Path) -> None:
    """Upstream's own Pyodide bundle, which its build would download, out of upstream's own wheel, instead of `out`."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if name.startswith(PYODIDE) and not name.endswith("/"):
                with archive.open(name) as content, (out / Path(name).name).open("wb") as file:
                    shutil.copyfileobj(content, file)
