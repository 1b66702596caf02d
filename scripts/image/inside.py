"""Reference values of a launch inside the image: its own Python and launcher say what they will measure.

They run in the image's tree as their root folder, in namespaces of their own, so that paths and libraries are those of
the image, which need not have booted.
"""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from scripts.config import Config
from scripts.errors import MissingError, UsageError
from scripts.run import Runner

#: What the unit of the service sets, beside the configuration.
UNIT = {"DATA_DIR": "/var/lib/open-webui-tdx", "PATH": "/usr/bin"}


def events(run: Runner, tree: Path, settings: dict[str, str]) -> list[dict[str, str]]:
    """What the launcher answers: objects with `event` (an exact AAEL line), the last one with `rtmr_3`."""
    if not (tree / "opt/open-webui-tdx").exists():
        raise MissingError(f"The image's tree {tree} is not there; run `make image` first.")
    alone = ["unshare", "--map-root-user", "--mount", "--pid", "--fork", f"--root={tree}", "--mount-proc=/proc"]
    program = ["/usr/bin/python3.11", "-I", "-S", "-B", "/opt/open-webui-tdx/launcher", "events", "--no-check"]
    environment: dict[str, str | None] = {**dict.fromkeys(os.environ), "PATH": os.environ["PATH"]}
    output = run([*alone, "/usr/bin/python3.11", "-I", "-S", "-c", _AS, json.dumps({**UNIT, **settings}), *program],
                 env=environment, quiet=True, what="asking the image's launcher what it will measure")  # fmt: skip
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


# The tree has no devices: the first says that there can be an encrypted volume.
_AS = """
import ctypes, json, os, sys
if ctypes.CDLL(None).mount(b"tmpfs", b"/dev", b"tmpfs", 0, None):
    sys.exit("no memory can be mounted on /dev of the image's tree")
os.mkdir("/dev/mapper")
for name in ("mapper/control", "null"):
    open(f"/dev/{name}", "x").close()
os.execve(sys.argv[2], sys.argv[2:], json.loads(sys.argv[1]))
"""


def settings(cfg: Config, config: Path | None) -> dict[str, str]:
    """The settings of a configuration for the image, checked as the image does. Raises UsageError."""
    if config is None:
        return {}
    configure = _configure(cfg)
    try:
        plain, secret, *_ = configure.check(config.read_bytes(), configure.known_names(cfg.release))
    except (OSError, configure.Refused) as error:
        raise UsageError(f"{config}: {error}.") from None
    kept = {"DATA_VOLUME": "/dev/any"} if plain.get("DATA_KEY", "none") != "none" else {}  # which one is in no event
    return {**plain, **secret, **kept}


def _configure(cfg: Config) -> ModuleType:
    place = cfg.root / "image/root/usr/lib/open-webui-tdx/configure.py"
    spec = importlib.util.spec_from_file_location("open_webui_tdx_configure", place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def references(cfg: Config, run: Runner, config: Path | None) -> dict[str, Any]:
    """Reference values, version 2, of a launch in the image with this configuration; no platform yet."""
    answers = events(run, cfg.stage("image") / "root", settings(cfg, config))
    return {
        "v": 2,
        "name": f"{cfg.release_name}, machine image",
        "events": [answer["event"] for answer in answers if "event" in answer],
        "rtmr_3": answers[-1]["rtmr_3"],
        "platforms": [],
    }
