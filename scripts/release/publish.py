"""`make release`: what is published, each with the same bytes wherever it is made, and how to check it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from scripts.config import Config
from scripts.errors import MissingError
from scripts.release import archive, materials, reference, signing
from scripts.run import Runner
from scripts.stages.outputs import plugin_wheel
from scripts.tools.node import node


def publish(cfg: Config, run: Runner) -> None:
    """Write archive, plugin's wheel, manifest, reference values, bills of materials and checksums into dist/."""
    if not (cfg.release / "release.json").is_file():
        raise MissingError(f"There is no release in {cfg.release}; run `make build` first.")
    tools = node(cfg, run)
    name = f"{cfg.release_name}-{cfg.profile}-py{cfg.python_version}-x86_64"
    out = [cfg.dist / f"{name}.{kind}" for kind in ("release.json", "reference-values.json", "python.cdx.json")]
    shutil.copyfile(cfg.release / "release.json", out[0])
    run.say("computing reference values")
    reference.write_default(cfg, out[1])
    run.say("listing the materials")
    materials.python(cfg, run, out[2])
    for part, sources in (("pages", cfg.stage("patch")), ("web-verifier", cfg.root / "web")):
        out.append(cfg.dist / f"{name}.{part}.cdx.json")
        materials.javascript(cfg, run, tools, sources, out[-1])
    plugin = plugin_wheel(cfg.stage("plugin"))
    out.append(cfg.dist / plugin.name)
    shutil.copyfile(plugin, out[-1])
    out.append(cfg.dist / f"{name}.tar.gz")
    run.say(f"writing {out[-1].name}")
    archive.write(cfg.release, out[-1], tools)
    sums = signing.write_sums(cfg.dist, out)
    key = os.environ.get("SIGN_KEY", "")
    if key:
        signing.sign(run, sums, Path(key).expanduser())
    else:
        sums.with_name(f"{sums.name}.sig").unlink(missing_ok=True)
    run.say(f"{len(out)} files and {sums.name} in {cfg.dist}")
    print(signing.how_to_check(cfg.dist, bool(key)))
