"""Checksums of what is published, and their signature in OpenSSH's format (`ssh-keygen -Y sign`)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from scripts.building.files import write_durably
from scripts.building.fingerprint import file_sha256
from scripts.errors import MissingError
from scripts.run import Runner

SUMS = "SHA256SUMS"
NAMESPACE = "open-webui-tdx-release"


def write_sums(folder: Path, published: Iterable[Path]) -> Path:
    """`SHA256SUMS` as `sha256sum --check` reads it."""
    lines = [f"{file_sha256(path)}  {path.name}\n" for path in sorted(published)]
    write_durably(folder / SUMS, "".join(lines).encode())
    return folder / SUMS


def sign(run: Runner, sums: Path, key: Path) -> Path:
    """`SHA256SUMS.sig`, by the OpenSSH private key `key` (or a public one whose private half an agent holds)."""
    if not key.is_file():
        raise MissingError(f"SIGN_KEY={key} is no file; make one with `ssh-keygen -t ed25519 -f FILE`.")
    signature = sums.with_name(f"{SUMS}.sig")
    signature.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", key, sums], what="signing")
    return signature


def how_to_check(folder: Path, signed: bool) -> str:
    """What somebody who downloads the release does."""
    text = f"To check a download: cd {folder} && sha256sum --check {SUMS}"
    if signed:
        text += (
            "\nTo check the signature, with the signer's public key in a file `signers` (a line `release ssh-ed25519 "
            "AAAA...`):\n"
            f"  ssh-keygen -Y verify -f signers -I release -n {NAMESPACE} -s {SUMS}.sig < {SUMS}"
        )
    return text
