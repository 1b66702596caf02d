"""The browser's verifier for tests, bundled from `web/` with the release's own options and once with the flag that no
release carries (the simulator's root counts as Intel's); and dcap-qvl's sources, unpacked."""

from __future__ import annotations

from pathlib import Path

from tests.compiled import ROOT, built_once, digest_of


def _bundle(out: Path) -> None:
    from scripts.config import from_environment
    from scripts.run import Runner
    from scripts.sources.archives import unpack
    from scripts.sources.downloads import obtain
    from scripts.stages import web
    from scripts.tools.node import node

    cfg = from_environment(ROOT)
    runner = Runner("tests", ROOT / "build" / "logs" / "tests.log")
    tools = node(cfg, runner)
    package = out / "web"
    web.copy_package(ROOT, package)
    dcap = unpack(obtain(cfg, runner, "dcap_qvl"), out / "dcap-qvl")
    npm, environment = [tools.folder / "node", tools.npm], tools.environment(cfg)
    runner([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=package, env=environment, what="npm ci")
    bundle = [tools.folder / "node", "build.mjs", "--dcap-qvl", dcap / "dcap-qvl-js"]
    bundle += ["--simulator-root", ROOT / "simulator" / "pki" / "root.der"]
    for name, flags in (("release", []), ("test-root", ["--test-root-is-genuine"])):
        command = [*bundle, "--out", out / name, *flags]
        runner(command, cwd=package, env=environment, what="bundling the web verifier for tests")


def folder() -> Path:
    """Holds `release/verifier.js`, `test-root/verifier.js` and `dcap-qvl/`; made once for the same sources."""
    from scripts.stages import web

    return built_once("verifier-" + digest_of("web/src/**/*", "web/*.*", f"{web.DATA}/*", "simulator/pki/*"), _bundle)


def node_program() -> Path:
    """The pinned Node.js."""
    from scripts.config import from_environment
    from scripts.run import Runner
    from scripts.tools.node import node

    cfg = from_environment(ROOT)
    return node(cfg, Runner("tests", ROOT / "build" / "logs" / "tests.log")).folder / "node"
