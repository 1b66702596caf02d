"""A second build, in another folder, as another user, with another umask, locale, time zone and clock: the same bytes.

Caches of downloads are shared. Where it fails, the differing files and diffoscope's report are kept in
`build/reproducibility/`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.config import Config
from scripts.errors import MismatchError
from scripts.release.compare import compare
from scripts.run import Runner
from scripts.sources.registry import uv_environment
from scripts.stages.outputs import plugin_wheel
from scripts.tools.zig import zig, zig_environment

pytestmark = [pytest.mark.release, pytest.mark.slow, pytest.mark.reproducible]

SHIFT = 400 * 86400  # seconds
USER = ("unshare", "--user", "--map-user=12345", "--map-group=12345", "--")
DIFFOSCOPE = "diffoscope==306"


def copy_sources(root: Path, out: Path) -> None:
    """What git would commit, as it is in the working tree now."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=root, capture_output=True, check=True)
    for name in filter(None, listing.stdout.decode().split("\0")):
        if (root / name).is_symlink() or (root / name).is_file():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, out / name, follow_symlinks=False)


def registry_settings() -> dict[str, str]:
    """The other user reaches the same indexes: caches are filed by index."""
    home = Path.home()
    names = ("PIP_", "UV_", "NPM_CONFIG_", "SSL_", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE")
    return {
        "XDG_CONFIG_HOME": os.environ.get("XDG_CONFIG_HOME") or str(home / ".config"),
        "NPM_CONFIG_USERCONFIG": str(home / ".npmrc"),
        **{name: value for name, value in os.environ.items() if name.upper().startswith(names)},
    }


@pytest.fixture(scope="module")
def rebuilt(cfg: Config, release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """The settings of the second build, finished. Both are built from the sources as they are now."""
    subprocess.run(["make", "build"], cwd=cfg.root, check=True)
    folder = tmp_path_factory.mktemp("another")
    copy_sources(cfg.root, folder / "elsewhere")
    shutil.copy(cfg.release / "release.json", folder / "first.release.json")
    shutil.copy(plugin_wheel(cfg.stage("plugin")), folder / "first.whl")
    other = dataclasses.replace(cfg, root=folder / "elsewhere", build=folder / "b", dist=folder / "d")
    run = Runner("reproducible", cfg.logs / "reproducible.log")
    run.start_log()
    clock = folder / "clock.so"
    compiler = shlex.split(zig(cfg, run))
    source = Path(__file__).with_name("shifted_clock.c")
    run([*compiler, "-shared", "-fPIC", "-o", clock, source, "-ldl"], env=zig_environment(cfg))
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "USER": "somebody", "LOGNAME": "somebody", "OFFLINE": "1",
        "CACHE_DIR": str(cfg.cache), "BUILD_DIR": str(other.build), "DIST_DIR": str(other.dist),
        "PYTHON": str(cfg.python), "PROFILE": cfg.profile, "LC_ALL": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati",
        "LD_PRELOAD": str(clock), "FAKE_SHIFT": str(SHIFT), **registry_settings(),
    }  # fmt: skip
    year = subprocess.run(["date", "+%s"], env=environment, capture_output=True, text=True, check=True).stdout
    assert int(year) - time.time() > SHIFT - 600, "the clock is not shifted"
    user = USER if not subprocess.run([*USER, "true"], capture_output=True).returncode else ()
    if not user:
        warnings.warn("user namespaces are off here: both builds run as the same user", stacklevel=1)
    done = subprocess.run([*user, "make", "build"], cwd=other.root, env=environment, umask=0o077, check=False)
    assert done.returncode == 0
    yield other
    shutil.rmtree(folder, ignore_errors=True)


def test_the_release_is_the_same_byte_for_byte(cfg: Config, rebuilt: Config) -> None:
    try:
        print(compare(rebuilt, rebuilt.build.parent / "first.release.json"))
    except MismatchError as error:
        pytest.fail(f"{error}\n{keep(cfg, rebuilt)}", pytrace=False)


def test_the_manifest_says_what_is_there(rebuilt: Config) -> None:
    """Else two equal manifests would prove nothing."""
    listed = json.loads((rebuilt.release / "release.json").read_bytes())["files"]
    sample = [entry for entry in listed if entry["path"].endswith((".js", ".so", "main.py"))]
    assert len(sample) > 500
    for entry in sample:
        content = (rebuilt.release / entry["path"]).read_bytes()
        assert hashlib.sha384(content).hexdigest() == entry["sha384"], entry["path"]


def test_the_plugin_wheel_is_the_same(rebuilt: Config) -> None:
    first = rebuilt.build.parent / "first.whl"
    assert first.read_bytes() == plugin_wheel(rebuilt.stage("plugin")).read_bytes()


def keep(cfg: Config, rebuilt: Config) -> str:
    """Keep what differs, and diffoscope's report of it, for a person to look at."""
    out = cfg.build / "reproducibility"
    shutil.rmtree(out, ignore_errors=True)
    folders = {"first": cfg.release, "second": rebuilt.release}
    listings = {
        name: {entry["path"]: entry["sha384"] for entry in json.loads((folder / "release.json").read_bytes())["files"]}
        for name, folder in folders.items()
    }
    for path in sorted(listings["first"].keys() | listings["second"].keys()):
        if listings["first"].get(path) != listings["second"].get(path):
            for name, folder in folders.items():
                if (folder / path).is_file():
                    (out / name / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(folder / path, out / name / path)
    tool = [str(cfg.python), str(cfg.root / "scripts" / "bootstrap.py"), "--", "-m", "uv", "tool", "run"]
    report = out / "diffoscope.txt"
    compared = ["--from", DIFFOSCOPE, "diffoscope", "--text", str(report), str(out / "first"), str(out / "second")]
    done = subprocess.run([*tool, *compared], env={**os.environ, **uv_environment(cfg)}, capture_output=True, text=True)
    said = f"its report in {report}" if report.is_file() else f"diffoscope could not be run: {done.stderr[-300:]}"
    return f"The differing files are in {out}; {said}"
