"""The release as one file: a tar archive whose bytes follow from its content alone, compressed by the pinned Node.js.

gzip's output depends on the version of zlib, which differs from machine to machine; Node.js carries its own.
"""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path
from typing import IO

from scripts.building.files import beside, walk
from scripts.errors import CommandError
from scripts.tools.node import Node
from scripts.tools.reproducible import SOURCE_DATE_EPOCH

_GZIP = (
    "const {createGzip} = require('node:zlib'), {pipeline} = require('node:stream');"
    "pipeline(process.stdin, createGzip({level: 6, chunkSize: 1 << 20}), process.stdout,"
    " e => { if (e) { console.error(e.message); process.exit(1); } });"
)


def write(folder: Path, out: Path, node: Node) -> None:
    """Archive `folder` under its own name into `out` (.tar.gz); whole or not at all."""
    with beside(out) as fresh, fresh.open("wb") as file:
        command = [str(node.folder / "node"), "-e", _GZIP]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=file)
        assert process.stdin is not None
        try:
            write_tar(folder, process.stdin)
            process.stdin.close()
        finally:
            status = process.wait()
        if status:
            raise CommandError(f"Compressing {out.name} failed with exit status {status}.")
        os.fsync(file.fileno())


def write_tar(folder: Path, file: IO[bytes]) -> None:
    """Sorted names, owner 0, one time, modes 0644 and 0755: nothing of the machine that made it."""
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 20) as archive:
        tree = [folder, *(Path(found.path) for found in walk(folder))]
        for path in sorted(tree, key=lambda path: path.relative_to(folder).parts):
            name = Path(folder.name, path.relative_to(folder)).as_posix()
            entry = tarfile.TarInfo(name)
            entry.mtime = int(SOURCE_DATE_EPOCH)
            if path.is_dir():
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
                continue
            state = path.stat()
            entry.size, entry.mode = state.st_size, 0o755 if state.st_mode & 0o100 else 0o644
            with path.open("rb") as content:
                archive.addfile(entry, content)
