#!/usr/bin/env python3
"""Check a release's signature and checksums, and say as JSON which archive it is: `check_release.py FOLDER SIGNERS`."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

NAMESPACE = "open-webui-tdx-release"
ARCHIVE = re.compile(r"(?P<folder>open-webui-tdx-[^/]+?)-(?:slim|full)-py(?P<python>3\.\d+)-x86_64\.tar\.gz")


class Refused(Exception):
    """One sentence for the person."""


def check(folder: Path, signers: Path) -> dict[str, str]:
    """What the set-up needs to know of the one archive in `folder`. Raises Refused."""
    sums, signature = folder / "SHA256SUMS", folder / "SHA256SUMS.sig"
    for path in (sums, signature, signers):
        if not path.is_file():
            raise Refused(f"{path} is not there: `make release SIGN_KEY=...` writes the checksums and their signature.")
    command = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", "release", "-n", NAMESPACE, "-s", str(signature)]
    done = subprocess.run(command, stdin=sums.open("rb"), capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise Refused(
            f"The signature of {sums} is none of {signers}'s ({done.stderr.strip() or done.stdout.strip()}): "
            "take the release's files from where they were signed."
        )
    lines = (line.partition("  ") for line in sums.read_text().splitlines())
    listed = {name: digest for digest, _, name in lines}
    archives = [name for name in listed if ARCHIVE.fullmatch(name)]
    if len(archives) != 1:
        raise Refused(
            f"{sums} lists {len(archives)} archives of a release, and one is deployed: keep one in the folder."
        )
    name = archives[0]
    manifest = name.removesuffix(".tar.gz") + ".release.json"
    digests = {each: _digest(folder / each, listed, each) for each in (name, manifest)}
    found = ARCHIVE.fullmatch(name)
    assert found  # noqa: S101 - it was chosen by it
    with (folder / name).open("rb") as file:
        sha1 = hashlib.file_digest(file, "sha1").hexdigest()
    return {
        "archive": str((folder / name).resolve()),
        "sha256": digests[name],
        "sha1": sha1,
        "manifest_sha256": digests[manifest],
        "folder": found["folder"],
        "python": found["python"],
    }


def _digest(path: Path, listed: dict[str, str], name: str) -> str:
    if name not in listed or not path.is_file():
        raise Refused(f"{name} is not there, or SHA256SUMS does not list it.")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != listed[name]:
        raise Refused(f"{path} is not what SHA256SUMS says (its SHA-256 is {digest}): fetch it again.")
    return digest


if __name__ == "__main__":
    try:
        print(json.dumps(check(Path(sys.argv[1]), Path(sys.argv[2]))))
    except Refused as refusal:
        sys.exit(f"{refusal} Nothing was changed.")
