"""Checksums and signatures are checked with the tools that everybody has."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.errors import MissingError
from scripts.release import signing
from scripts.run import Runner


@pytest.fixture
def published(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "dist"
    folder.mkdir()
    for name in ("b.json", "a.tar.gz"):
        (folder / name).write_text(name)
    return [folder / "b.json", folder / "a.tar.gz"]


def test_sha256sum_agrees_and_notices_a_change(published: list[Path]) -> None:
    sums = signing.write_sums(published[0].parent, published)
    check = ["sha256sum", "--check", "--strict", "--quiet", sums.name]
    assert subprocess.run(check, cwd=sums.parent).returncode == 0
    published[0].write_text("changed")
    assert subprocess.run(check, cwd=sums.parent, capture_output=True).returncode == 1


def test_ssh_keygen_verifies_the_signature(published: list[Path], tmp_path: Path) -> None:
    assert shutil.which("ssh-keygen"), "OpenSSH is needed to sign"
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    sums = signing.write_sums(published[0].parent, published)
    signature = signing.sign(Runner("test", tmp_path / "log"), sums, key)
    (tmp_path / "signers").write_text(f"release {key.with_suffix('.pub').read_text()}")
    verify = [
        "ssh-keygen",
        "-Y",
        "verify",
        "-f",
        str(tmp_path / "signers"),
        "-I",
        "release",
        "-n",
        signing.NAMESPACE,
        "-s",
        str(signature),
    ]
    assert subprocess.run(verify, input=sums.read_bytes(), capture_output=True).returncode == 0
    assert subprocess.run(verify, input=sums.read_bytes() + b"x", capture_output=True).returncode != 0


def test_a_key_that_is_not_there_is_one_sentence(published: list[Path], tmp_path: Path) -> None:
    sums = signing.write_sums(published[0].parent, published)
    with pytest.raises(MissingError, match="SIGN_KEY=/nonexistent/key is no file"):
        signing.sign(Runner("test", tmp_path / "log"), sums, Path("/nonexistent/key"))
