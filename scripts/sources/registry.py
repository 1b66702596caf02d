"""The Python package index this machine is configured for: pip's settings, read by pip itself, passed on to uv."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from scripts.config import Config
from scripts.errors import MissingError


@dataclass(frozen=True)
class Registry:
    """pip's `index-url` and its companions. Empty where pip would use its own default."""

    index: str
    extra: tuple[str, ...]
    find_links: tuple[str, ...]
    cert: str  # a CA bundle, or empty


def registry() -> Registry:
    """Ask pip, so that its environment variables, files and their order count exactly as they do for pip."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if listing.returncode:
        raise MissingError(f"`pip config list` fails, so pip's index is unknown: {listing.stderr.strip()[-300:]}")
    return parse(listing.stdout)


def parse(listing: str) -> Registry:
    """Read the lines `section.key='value'` of `pip config list`; a later section wins, as in pip."""
    found: dict[str, dict[str, str]] = {}
    for line in listing.splitlines():
        name, separator, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if separator and section in ("global", "install", "download", ":env:"):
            found.setdefault(section, {})[key] = value.strip().strip("'\"")
    merged: dict[str, str] = {}
    for section in ("global", "install", "download", ":env:"):
        merged.update(found.get(section, {}))

    def words(key: str) -> tuple[str, ...]:
        return tuple(merged.get(key, "").replace("\\n", " ").split())

    return Registry(merged.get("index-url", ""), words("extra-index-url"), words("find-links"), merged.get("cert", ""))


def uv_environment(cfg: Config, locking: bool = False) -> dict[str, str]:
    """What makes uv, which ignores pip's settings, use the same index, certificates and our cache.

    Hashes in the lock decide what is accepted, so the best match over all indexes is safe, and is what pip does.
    `locking`: only the main index, since a mirror of some files would give a lock with some hashes.
    """
    known = registry()
    if locking:
        known = Registry(known.index, (), (), known.cert)
    settings = {
        "UV_CACHE_DIR": str(cfg.cache / "uv"),
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_NO_PROGRESS": "1",
        "UV_OFFLINE": "1" if cfg.offline else "",
        "UV_DEFAULT_INDEX": known.index,
        "UV_INDEX": " ".join(known.extra),
        "UV_FIND_LINKS": ",".join(known.find_links),
        "SSL_CERT_FILE": known.cert,
        "UV_CONCURRENT_BUILDS": str(cfg.jobs),
    }
    return {name: value for name, value in settings.items() if value and name not in os.environ}


def npm_environment(cfg: Config) -> dict[str, str]:
    """npm reads its own settings; these add our cache and keep it from asking or downloading anything else."""
    settings = {
        "npm_config_cache": str(cfg.cache / "npm"),
        "npm_config_audit": "false",
        "npm_config_fund": "false",
        "npm_config_update_notifier": "false",
        "npm_config_offline": "true" if cfg.offline else "false",
        "npm_config_prefer_offline": "true",
        "CYPRESS_INSTALL_BINARY": "0",
        "ONNXRUNTIME_NODE_INSTALL_CUDA": "skip",
        "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1",
    }
    cert = os.environ.get("NODE_EXTRA_CA_CERTS") or registry().cert
    if cert and Path(cert).is_file():
        settings["NODE_EXTRA_CA_CERTS"] = cert
    return settings
