"""The built release as somebody who publishes it leaves it: archive, manifest, checksums and their signature."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
from pathlib import Path

from scripts.config import Config
from scripts.release import archive, signing
from scripts.run import Runner


def pack(cfg: Config) -> Path:
    """A folder with the release's archive, packed once for each build: fast, and larger than what is published."""
    digest = hashlib.sha256((cfg.release / "release.json").read_bytes()).hexdigest()
    folder = cfg.build / "deploy-test" / digest[:16]
    if not folder.is_dir():
        shutil.rmtree(folder.parent, ignore_errors=True)
        fresh = folder.with_name("new")
        fresh.mkdir(parents=True)
        name = f"{cfg.release_name}-{cfg.profile}-py{cfg.python_version}-x86_64"
        with gzip.open(fresh / f"{name}.tar.gz", "wb", compresslevel=1) as file:
            archive.write_tar(cfg.release, file)  # type: ignore[arg-type]
        shutil.copy(cfg.release / "release.json", fresh / f"{name}.release.json")
        fresh.rename(folder)
    return folder


def publish(packed: Path, folder: Path, key: Path, **renamed: str) -> Path:
    """`folder` as what an operator has fetched: signed by `key`; `renamed`: what is another in the files' names."""
    folder.mkdir()
    files = []
    for path in packed.iterdir():
        name = path.name
        for old, new in renamed.items():
            name = name.replace(old, new)
        (folder / name).symlink_to(path)
        files.append(folder / name)
    sign(folder, files, key)
    return folder


def sign(folder: Path, files: list[Path], key: Path) -> None:
    """Checksums of `files`, their signature, and a file of signers that names `key`."""
    if not key.is_file():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    signing.sign(Runner("test-deploy", folder / "log"), signing.write_sums(folder, files), key)
    (folder / "signers").write_text(f"release {key.with_suffix('.pub').read_text()}")
