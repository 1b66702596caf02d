"""The data folder: the only place the launcher and what it starts may write to.

secret_key                  signs sessions; made once, mode 0600
secret_key_inside           the same where the encrypted channel is required: no session of before is one then
webui/                      Open WebUI's database, uploads, caches: the user's data
encrypted/                  with DATA_KEY: secret_key* and webui/, encrypted, and how often it was opened
open/                       where that, or the volume of DATA_VOLUME, is mounted while it is open; empty otherwise
encrypted.*/, before/       while its key is exchanged by copying everything
attestation/<boot id>/      event log
tdx-simulator/<boot id>/    registers of the simulated TD
ollama/                     home of an Ollama that the launcher starts
logs/                       one file a process; the launch before is kept as *.log.1
run/                        sockets, static files, bytecode of this boot; may be deleted when stopped
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import DataError, reason, writing
from .files import beside, sync_folder

SECRET_BYTES = 48
SECRETS = ("secret_key", "secret_key_inside")
# Enough for the database's and the log's next pages: starting with less ends in a half-written database.
MIN_FREE_BYTES = 64 * 1024 * 1024
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """This boot's id, as the kernel names it (36 characters)."""
    return BOOT_ID.read_text().strip()


@dataclass(frozen=True)
class DataDir:
    """Paths below one data folder, for one boot."""

    root: Path
    boot: str
    encrypted: bool = False
    taking_over: bool = False  # plain data is to become encrypted
    volume: str = ""  # the device that holds the encrypted data, in the place of the folder `encrypted/`
    release: str = "any"  # digest of the release that is launched, as soon as it is known

    @property
    def kept(self) -> Path:
        """What holds people's words, and secrets: the folder itself, or where the encrypted one is mounted."""
        return self.mountpoint if self.encrypted else self.root

    @property
    def mountpoint(self) -> Path:
        """Where encrypted data is mounted, if it is."""
        return self.root / "open"

    @property
    def cipher(self) -> Path:
        """What of an encrypted folder lies on the disk."""
        return self.root / "encrypted"

    @property
    def next_cipher(self) -> Path:
        """The encrypted folder's copy under another master key, while it grows."""
        return self.root / "encrypted.next"

    @property
    def old_cipher(self) -> Path:
        """The encrypted folder whose copy took its place, until it is removed."""
        return self.root / "encrypted.old"

    @property
    def before(self) -> Path:
        """Where the encrypted folder is mounted while it is copied."""
        return self.root / "before"

    @property
    def plain(self) -> tuple[Path, tuple[Path, ...]]:
        """What lies in plain text where nothing is encrypted: Open WebUI's folder, and the keys of sessions."""
        return self.root / "webui", tuple(self.root / name for name in SECRETS)

    @property
    def begun(self) -> Path:
        """Says, inside the encrypted folder, that it was made to take plain data over, and has not done it yet."""
        return self.kept / "taking-over"

    @property
    def door(self) -> Path:
        """What the door keeps in the encrypted data: its TLS key, its account at a CA, its certificate."""
        return self.kept / "door.json"

    @property
    def generation(self) -> Path:
        """How often the encrypted data was opened."""
        return self.kept / "generation"

    @property
    def temporary(self) -> Path:
        """Where the web server puts what is too long for memory, such as an upload on its way."""
        return self.kept / "tmp"

    @property
    def webui(self) -> Path:
        """Open WebUI's own data: database, uploads, caches."""
        return self.kept / "webui"

    @property
    def event_log(self) -> Path:
        """Event logs, one folder for each boot."""
        return self.root / "attestation"  # quote_generator.eventlog keeps one folder a boot in it

    @property
    def simulator_state(self) -> Path:
        """The simulated TD's registers."""
        # A reboot clears the registers of a real TD, so it clears the simulated ones as well.
        return self.root / "tdx-simulator" / self.boot

    @property
    def ollama(self) -> Path:
        """Home of an Ollama that the launcher starts."""
        return self.root / "ollama"

    @property
    def logs(self) -> Path:
        """What each process writes."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """What only this launch needs."""
        return self.root / "run"

    @property
    def static(self) -> Path:
        """The web server's static files, which Open WebUI writes to."""
        return self.run / "static"

    @property
    def ready(self) -> Path:
        """Where processes without rights say that they are ready."""
        return self.run / "ready"

    @property
    def measured_models(self) -> Path:
        """Which of Ollama's models may be chatted with; it is there while a service with Ollama runs."""
        return self.run / "measured-models.json"

    @property
    def fence(self) -> Path:
        """Where the network of a running service's Ollama is, if that is inside the fence."""
        return self.run / "fence"

    @property
    def certificates(self) -> Path:
        """The measured copy of SSL_CERT_FILE."""
        return self.run / "certificates.pem"

    @property
    def certificate_state(self) -> Path:
        """What the door said last about its certificate; it is there only while a service runs."""
        return self.run / "certificate.json"

    def bytecode(self, role: str) -> Path:
        """Python's bytecode cache of one role: a process must not be able to plant code for a more trusted one,
        and code compiled before this boot is not trusted at all. Nor is another release's, whose files may be of the
        same place, size and time."""
        return self.run / f"pycache-{self.boot}" / self.release[:32] / role

    def prepare(self) -> None:
        """Make the folders; clear what belongs to one run. Raises DataError with the reason."""
        with writing("the data folder", self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            self._check_owner()
            self._check_kind()
            kept = (self.kept, 0o755) if self.encrypted else (self.webui, 0o700)
            for folder, mode in (kept, (self.logs, 0o700), (self.run, 0o755), (self.event_log, 0o700)):
                folder.mkdir(exist_ok=True)
                folder.chmod(mode)  # chats, logs and locks are for those who need them
            self.certificate_state.unlink(missing_ok=True)  # of a launch that was killed
            for old in self.run.glob("pycache-*"):
                if old.name != f"pycache-{self.boot}":
                    shutil.rmtree(old)
        self.check_room()

    def _check_owner(self) -> None:
        """Whoever owns the folder can exchange everything in it while root works there. Raises DataError."""
        owner = self.root.stat().st_uid
        if os.geteuid() == 0 and owner != 0:
            raise DataError(
                f"{self.root} belongs to another account (uid {owner}), which could exchange what root writes there: "
                "run chown root on it, or choose another folder with DATA_DIR."
            )

    def _check_kind(self) -> None:
        """Data that is there is of the kind that was asked for. Raises DataError."""
        if self.encrypted and self.has_plain() and not self.taking_over:
            raise DataError(
                f"{self.root} holds data in plain text, and DATA_KEY asks for encrypted data: have it taken over "
                "(open-webui-tdx encrypt-data), choose a new folder with DATA_DIR, or DATA_KEY=none. Nothing was "
                "changed."
            )
        if self.taking_over and not self.has_plain():
            raise DataError(f"{self.root} holds no data in plain text that could be taken over: start the service.")
        if self.volume and self.cipher.exists():
            raise DataError(
                f"{self.root} holds an encrypted folder, and DATA_VOLUME={self.volume} names a volume: take "
                "DATA_VOLUME away, or choose another folder with DATA_DIR."
            )
        if not self.encrypted and self.cipher.exists():
            raise DataError(
                f"{self.root} holds encrypted data: set DATA_KEY=unlock (or trustee) and DATA_OWNER, or choose another "
                "folder with DATA_DIR."
            )

    def has_plain(self) -> bool:
        """Whether something lies there in plain text."""
        webui, keys = self.plain
        return any(key.exists() for key in keys) or (webui.is_dir() and any(webui.iterdir()))

    def check_room(self) -> None:
        """Raises DataError where the disk has too little room to begin."""
        probe = self.run / ".probe"
        with writing("the data folder", self.root):
            probe.write_bytes(b"x" * 4096)
            probe.unlink()
            room = os.statvfs(self.root)
        free = room.f_bavail * room.f_frsize
        if free < MIN_FREE_BYTES:
            raise DataError(
                f"Only {free // 2**20} MiB are free on the disk of {self.root}, and a launch needs "
                f"{MIN_FREE_BYTES // 2**20}: make room or choose another folder with DATA_DIR."
            )

    def reboot_simulator(self) -> None:
        """Clear the simulated registers and their event log together. Raises DataError while a launcher runs."""
        with self.locked(), writing("the simulated TD", self.simulator_state):
            if not self.simulator_state.exists():
                raise DataError(f"There is no simulated TD of this boot below {self.root}.")
            for folder in (self.event_log / self.boot, self.simulator_state):  # the second says that there is one
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this launcher alone; the kernel gives it back even if the launcher is killed."""
        with writing("the lock", self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "unknown"
                raise DataError(
                    f"{self.root} is in use by another launcher (process {owner}): stop that one first, "
                    "or choose another folder with DATA_DIR."
                ) from None
            with writing("the lock", self.root):
                os.ftruncate(handle, 0)
                os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(handle)

    def secret_key(self, channel: str) -> str:
        """The key that signs sessions: made once with the system's randomness, kept with mode 0600.

        Where `channel` (TEE_CHANNEL) is `require` it is another one: whoever ends TLS may have read sessions of before.
        """
        path = self.kept / ("secret_key_inside" if channel == "require" else "secret_key")
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return self._new_secret(path)
        except OSError as error:
            raise DataError(f"Cannot read the session key {path}: {reason(error)}.") from error
        with open(handle, encoding="ascii", errors="replace") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read().strip()
        if mode & 0o077:
            raise DataError(
                f"The session key {path} can be read by others (mode {mode:04o}): if nobody has, run "
                f"chmod 600 on it; otherwise delete it, which signs everybody out."
            )
        if len(text) < 32:
            raise DataError(f"The session key {path} is too short to be one: delete it, which signs everybody out.")
        return text

    def _new_secret(self, path: Path) -> str:
        key = secrets.token_urlsafe(SECRET_BYTES)
        with writing("the session key", path):
            with beside(path) as fresh:
                handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                with open(handle, "w", encoding="ascii") as file:
                    file.write(key + "\n")
                    file.flush()
                    os.fsync(file.fileno())
            sync_folder(self.kept)
        return key
