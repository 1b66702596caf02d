"""Where the door's key is kept between two launches of a boot, and what it is given instead with TLS=files.

Root keeps it in a file below /run that only root may open, in memory and gone with the boot: the door's own account has
no way to it but the open descriptor. Another account has no place that its other processes cannot read, so there it
lives in a file without a name, held by the launcher and the door, and each launch draws a key of its own.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from door.authority import AUTHORITIES
from door.keeping import BROKER_AUTHORITIES, CHAIN, KEY, Keep

from ..datadir import DataDir
from ..errors import SettingError, UnavailableError, reason
from ..plan.settings import Settings
from ..summary import notice

RUN = Path("/run")
MOUNTS = Path("/proc/self/mountinfo")
IN_MEMORY = ("tmpfs", "ramfs")
MAX_FILE = 256 * 1024


FORGOTTEN = (
    "Each launch draws a TLS key of its own here, since {why}: people who accepted the certificate are asked again, "
    "and programs that know the key must be told the new one.{acme}"
)
COUNTED = " With TLS=acme each launch also orders a certificate, and CAs give only a few a week for one name."


def say_what_is_forgotten(settings: Settings) -> None:
    """Where the drawn key does not outlive the launch, and somebody has to know."""
    if settings.tls not in ("self-signed", "acme") or _root_keeps() or not (settings.public or settings.tls == "acme"):
        return
    if settings.data_key != "none":  # it lies in the data (kept_keys)
        return
    why = "/run is not in memory, and no key is written to a disk" if os.geteuid() == 0 else "only root can keep one"
    notice(FORGOTTEN.format(why=why, acme=COUNTED if settings.tls == "acme" else ""))


@contextmanager
def opened(settings: Settings, data: DataDir) -> Iterator[int]:
    """An open file for `door.keeping.Keep`. Raises LauncherError."""
    handle = _file(data) if settings.tls in ("self-signed", "acme") and _root_keeps() else os.memfd_create("door")
    try:
        if settings.tls == "files":
            keep = Keep(handle)
            for name, text in zip((KEY, CHAIN), given(settings), strict=True):
                keep.put(name, text)
        if settings.tls == "acme":
            Keep(handle).put(AUTHORITIES, _authorities("ACME_CA_FILE", settings.acme_ca_file))
        if settings.data_key == "trustee":
            Keep(handle).put(BROKER_AUTHORITIES, _authorities("DATA_TRUSTEE_CA_FILE", settings.trustee_ca_file))
        yield handle
    finally:
        os.close(handle)


def _authorities(name: str, value: str) -> str:
    """The text of a file of CAs, or "" without one. Raises SettingError for one that holds no certificate."""
    if not value:
        return ""
    text = _read(name, value).decode("ascii", "replace")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        raise SettingError(f"{name}={value} holds no certificate in PEM form.") from None
    return text


def _root_keeps() -> bool:
    """Whether this is root, and /run is in memory."""
    if os.geteuid() != 0:
        return False
    kinds = {}
    for line in MOUNTS.read_text().splitlines():
        before, _, after = line.partition(" - ")
        kinds[before.split()[4]] = after.split()[0]
    return kinds.get(str(RUN), kinds.get("/", "")) in IN_MEMORY


def _file(data: DataDir) -> int:
    """The file of this boot and data folder, made if need be. Raises UnavailableError."""
    folder = RUN / "open-webui-tdx" / data.boot
    path = folder / hashlib.sha256(bytes(data.root.resolve())).hexdigest()[:32]
    try:
        for each in (folder.parent, folder):
            each.mkdir(mode=0o700, exist_ok=True)
            found = each.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
                raise UnavailableError(f"{each} is not root's alone, so the TLS key is not kept there: take it away.")
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        found = os.fstat(handle)
    except OSError as error:
        raise UnavailableError(f"The TLS key cannot be kept at {path}: {reason(error)}.") from error
    if found.st_uid != 0 or found.st_mode & 0o077 or found.st_nlink != 1:
        os.close(handle)
        raise UnavailableError(f"{path} is not root's alone, so no TLS key is taken from it: take it away.")
    return handle


def given(settings: Settings) -> tuple[str, str]:
    """Key and certificate of TLS=files (PEM), checked as the door will. Raises SettingError."""
    from door import tls  # it loads cryptography, which no other launch waits for

    key = _read("TLS_KEY_FILE", settings.tls_key_file, secret=True)
    chain = _read("TLS_CERT_FILE", settings.tls_cert_file)
    try:
        made = tls.Certificates(key, settings.names, "given")
        made.install(chain)
        tls.check_names(made, settings.names if settings.origin else ())
    except tls.TlsError as error:
        raise SettingError(
            f"TLS_CERT_FILE={settings.tls_cert_file}, TLS_KEY_FILE={settings.tls_key_file}: {error}"
        ) from None
    return made.key_pem.decode("utf-8"), chain.decode("utf-8", "replace")


def _read(name: str, value: str, secret: bool = False) -> bytes:
    path = Path(value)
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise SettingError(f"{name}={value} cannot be read: {reason(error)}.") from None
    if secret and found.st_mode & 0o077:
        raise SettingError(
            f"{name}={value} can be read by others (mode {stat.S_IMODE(found.st_mode):04o}): if nobody has, run "
            "chmod 600 on it; otherwise have a certificate made for a new key."
        )
    if len(content) > MAX_FILE:
        raise SettingError(f"{name}={value} is longer than {MAX_FILE // 1024} KiB, which no key or certificate is.")
    return content
