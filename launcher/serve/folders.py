"""The folders of one run: made anew, and given to the accounts that use them."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from ..datadir import DataDir
from ..errors import writing
from ..plan.processes import User
from .giving import give

SOCKET_PATH_LIMIT = 100  # the kernel's is 107 bytes


def socket_folder(data: DataDir) -> Path:
    """A private folder for sockets: below the data folder, or elsewhere where that path is too long for one."""
    folder = data.run / "sockets"
    if len(bytes(folder / "attester.sock")) > SOCKET_PATH_LIMIT:
        folder = Path(tempfile.mkdtemp(prefix="open-webui-tdx-"))
        folder.chmod(0o711)  # the web server's account passes through; the socket itself checks who asks
        return folder
    with writing("sockets", folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o755)
    return folder


def give_folders(data: DataDir, user: User | None, door: User | None) -> None:
    """Make the folders of the processes without rights, theirs alone: Open WebUI's data, ready files, bytecode."""
    with writing("the data folder", data.root):
        shutil.rmtree(data.ready, ignore_errors=True)
        kept = [] if data.encrypted else [data.webui]
        theirs = [*kept, data.ready, *(data.bytecode(role) for role in ("web", "llm", "pccs"))]
        for folder in (*theirs, data.bytecode("door")):
            folder.mkdir(parents=True, exist_ok=True)
    for folder in theirs:
        give(user, folder)
    give(door, data.bytecode("door"))


def give_kept(data: DataDir, user: User | None) -> None:
    """Make Open WebUI's folders inside the encrypted one, that account's alone; what an earlier launch left in
    temporary files is gone."""
    with writing("the data folder", data.webui):
        data.kept.chmod(0o711)  # the web server's account passes through
        data.webui.mkdir(mode=0o700, exist_ok=True)
        shutil.rmtree(data.temporary, ignore_errors=True)
        data.temporary.mkdir(mode=0o700)
    for folder in (data.webui, data.temporary):
        give(user, folder)


def give_socket(path: Path, user: User | None, door: User | None) -> None:
    """Make the folder of the web server's socket: the web server's, and only the door's group passes through."""
    with writing("the web server's socket", path):
        path.parent.mkdir(mode=0o700)
        if user or door:
            os.chown(path.parent, user.uid if user else -1, door.gid if door else -1)
            path.parent.chmod(0o710 if door else 0o700)


def write_certificates(data: DataDir, content: bytes) -> None:
    """The measured copy of SSL_CERT_FILE, which only the launcher's account can change."""
    with writing("the copy of SSL_CERT_FILE", data.certificates):
        data.certificates.unlink(missing_ok=True)
        if content:
            data.certificates.write_bytes(content)
            data.certificates.chmod(0o644)


def give_static_files(release: Path, data: DataDir, user: User | None) -> None:
    """What the web server needs on disk before it is told to serve: its own copy of the static files."""
    with writing("the web server's static files", data.static):
        # Upstream copies into this folder at every start and serves what it finds: begin with the release's own files.
        shutil.rmtree(data.static, ignore_errors=True)
        shutil.copytree(release / "backend/open_webui/static", data.static)
    give(user, data.static)
