"""The machine image's configuration: one JSON document from outside, checked, and put where the service reads it.

It comes from QEMU's fw_cfg (opt/org.open-webui-tdx/config) or from a partition with the label open-webui-tdx-config
whose content is the document, filled up with zero bytes: no file system that a host made is mounted. Shape:

    {"v": 1, "settings": {"ORIGIN": "https://chat.example", ...}, "secrets": {"NAME": "...", ...}, "clock": "host",
     "model": {"name": "mine-7b", "bytes": 4683074240, "sha384": "..."}}

Settings are those of docs/deployment.md and Open WebUI's own; what the image decides itself is refused, and so is a
name that nothing reads. The launcher checks the values, measures them and shows them to verifiers. `clock` may be left
out: then nothing is served before the clock is synchronised (clock.py). `model`: what the models volume holds
(model.py), if there is one.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

RELEASE = Path("/opt/open-webui-tdx")
OUT = Path("/run/open-webui-tdx-config")
FW_CFG = Path("/sys/firmware/qemu_fw_cfg/by_name/opt/org.open-webui-tdx/config/raw")
BLOCKS = Path("/sys/class/block")
LABEL = "open-webui-tdx-config"
MAX_BYTES = 1 << 20
#: Decided by the image: where data lies, which programs run, and that TDX is used wherever there is a TDX device.
FIXED = frozenset(
    {"DATA_DIR", "RUN_AS", "PROFILE", "PYTHON", "OLLAMA_BINARY", "OLLAMA_MODELS", "TDX", "EMBEDDED_MODEL",
     "EMBEDDED_MODEL_SHA384", "DATA_VOLUME"}
)  # fmt: skip
#: Where model.py puts the models volume's content, which is called as people see the model.
MODELS = Path("/var/lib/open-webui-tdx-models")
CLOCKS = ("synchronised", "host")
_LINE = re.compile(r"[^\x00-\x1f\x7f]*")


class Refused(Exception):
    """One sentence: what is wrong, which value, what to do."""


class Configuration(NamedTuple):
    """What a document says; names and values of settings and secrets, and whose clock is trusted."""

    settings: dict[str, str]
    secrets: dict[str, str]
    clock: str
    model_bytes: int = 0  # of the models volume's content; 0: there is none


def sources(fw_cfg: Path = FW_CFG, blocks: Path = BLOCKS, devices: Path = Path("/dev")) -> list[tuple[str, Path]]:
    """Every place that holds a configuration, with its name."""
    found = [("fw_cfg", fw_cfg)] if fw_cfg.exists() else []
    return found + [(f"partition {device.name}", device) for device in labelled(LABEL, blocks, devices)]


def labelled(label: str, blocks: Path = BLOCKS, devices: Path = Path("/dev")) -> list[Path]:
    """Devices of the GPT partitions with this label."""
    return [
        devices / uevent.parent.name
        for uevent in sorted(blocks.glob("*/uevent"))
        if f"PARTNAME={label}" in uevent.read_text().splitlines()
    ]


def read(path: Path) -> bytes:
    """The document at its place, without the zero bytes at its end. Raises Refused."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data.rstrip(b"\0")) > MAX_BYTES:
        raise Refused(f"the configuration is larger than {MAX_BYTES} bytes")
    return data.rstrip(b"\0")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Refused(f"{name} stands in the configuration twice; remove one")
        found[name] = value
    return found


def check(data: bytes, known: frozenset[str]) -> Configuration:
    """What a document says. `known`: the names that something reads. Raises Refused."""
    try:
        document = json.loads(data.decode(), object_pairs_hook=_once)
    except ValueError as error:
        raise Refused(f"the configuration is no JSON in UTF-8: {error}") from None
    if not isinstance(document, dict) or document.get("v") != 1 or isinstance(document.get("v"), bool):
        raise Refused('the configuration is not {"v": 1, "settings": {...}, "secrets": {...}}')
    unknown = sorted(set(document) - {"v", "settings", "secrets", "clock", "model"})
    if unknown:
        raise Refused(
            f"the configuration has an unknown member {unknown[0][:64]!r}; known are v, settings, secrets, clock, model"
        )
    clock = document.get("clock", CLOCKS[0])
    if clock not in CLOCKS:
        raise Refused(f"clock is {str(clock)[:64]!r}, expected {' or '.join(CLOCKS)}")
    settings = _values(document.get("settings", {}), "settings", known)
    secrets = _values(document.get("secrets", {}), "secrets", known)
    twice = sorted(set(settings) & set(secrets))
    if twice:
        raise Refused(f"{twice[0]} stands under settings and under secrets; remove one")
    if "model" not in document:
        return Configuration(settings, secrets, clock)
    name, size, digest = _model(document["model"])
    told = {"EMBEDDED_MODEL": str(MODELS / f"{name}.gguf"), "EMBEDDED_MODEL_SHA384": digest}
    return Configuration({**settings, **told}, secrets, clock, size)


def _model(said: Any) -> tuple[str, int, str]:
    """Name, size and SHA-384 (hex) of the models volume's content. Raises Refused."""
    if not isinstance(said, dict) or set(said) != {"name", "bytes", "sha384"}:
        raise Refused('model is not {"name": "...", "bytes": ..., "sha384": "..."}')
    name, size, digest = said["name"], said["bytes"], said["sha384"]
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        raise Refused(f"model has the name {str(name)[:64]!r}; at most 64 letters, digits, _ and - are one")
    if type(size) is not int or not 0 < size < 1 << 44:
        raise Refused(f"model has {str(size)[:64]!r} bytes, expected the size of its file")
    if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{96}", digest):
        raise Refused(f"model has the sha384 {str(digest)[:100]!r}, expected 96 digits, as sha384sum prints them")
    return name, size, digest


def _values(table: Any, what: str, known: frozenset[str]) -> dict[str, str]:
    if not isinstance(table, dict):
        raise Refused(f"{what} is no object of names and values")
    for name, value in table.items():
        if name in FIXED:
            raise Refused(f"{name} is decided by the image; remove it from {what}")
        if name not in known:
            raise Refused(f"{what} has an unknown name {name[:64]!r}; see docs/deployment.md")
        if not isinstance(value, str) or not _LINE.fullmatch(value):
            raise Refused(f"{name} is not one line of text in quotes")
    return table


def quoted(name: str, value: str) -> str:
    """A line for systemd's EnvironmentFile= whose value is exactly this text, in double quotes (systemd.exec)."""
    escaped = re.sub(r'(["\\$`])', r"\\\1", value)
    return f'{name}="{escaped}"\n'


def write(out: Path, settings: Mapping[str, str], secrets: Mapping[str, str], clock: str, model_bytes: int = 0) -> None:
    """Put everything where the units look: `settings`, a file a secret in `secrets/`, `clock`, and `model_bytes`."""
    folder = out / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, value in secrets.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(value + "\n", encoding="utf-8")
    (out / "clock").write_text(clock, encoding="utf-8")
    (out / "model_bytes").write_text(str(model_bytes), encoding="ascii")
    (out / "settings").write_text("".join(quoted(*item) for item in settings.items()), encoding="utf-8")


def known_names(release: Path = RELEASE) -> frozenset[str]:
    """What the release's launcher and its Open WebUI read."""
    sys.path[:0] = [str(release), str(release / "site-packages")]
    from launcher.measure.found import upstream_names
    from launcher.plan.settings import NAMES

    return frozenset(NAMES) | upstream_names(release)


def main() -> int:
    """Look, check, write; one line on the console says what was found. A configuration that is wrong ends the start."""
    try:
        found = sources()
        if len(found) > 1:
            raise Refused(f"there is more than one configuration ({', '.join(name for name, _ in found)}); remove one")
        configuration = check(read(found[0][1]), known_names()) if found else Configuration({}, {}, CLOCKS[0])
        write(OUT, *configuration)
    except (Refused, OSError) as error:
        print(
            f"open-webui-tdx image: {error}. Nothing is served; mend the configuration and start again.",
            file=sys.stderr,
        )
        return 2
    where = found[0][0] if found else "nowhere: defaults"
    names = ", ".join(sorted(configuration.settings)) or "no settings"
    print(f"open-webui-tdx image: configuration from {where}: {names}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
