"""A fresh Debian 12 with systemd as its first process, in a container made by mmdebstrap and run by systemd-nspawn.

It has a network of its own: one wire to this machine, and no way further. What stands in for the outside listens at
this machine's end of the wire. Root only: who is not root cannot have a container like this.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = "systemd,systemd-sysv,dbus,openssh-server,python3,libgomp1,ca-certificates,iproute2,gocryptfs,fuse3"
#: Of this machine's, that are there, too: what mounts the encrypted folder.
DEVICES = ("/dev/fuse",)
BOOT_S = 120.0
TOOLS = ("mmdebstrap", "systemd-nspawn", "nsenter", "ip", "ssh-keygen")
# Configures its end of the wire as its first network would; no address is asked for.
NETWORK = """[Unit]
Description=The wire to the test
DefaultDependencies=no
Before=network-online.target ssh.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'ip address add {address}/30 dev host0 && ip link set host0 up'
[Install]
WantedBy=sysinit.target
"""


def missing() -> str:
    """What this machine lacks for a container, or ""."""
    if os.geteuid() != 0:
        return "root"
    return ", ".join(tool for tool in TOOLS if not shutil.which(tool))


def image(cache: Path, packages: str = PACKAGES) -> Path:
    """An archive of the root, made once from the machine's own list of mirrors and kept in `cache`."""
    path = cache / "containers" / f"{hashlib.sha256(packages.encode()).hexdigest()[:16]}.tar"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.stem}.{os.getpid()}.tar")
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}", "bookworm", str(fresh)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        fresh.rename(path)
    return path


@dataclass
class Container:
    """`folder` gets its root, its log and the key to log in with; `number` (0 to 16383) tells it from others."""

    folder: Path
    number: int = field(default_factory=lambda: os.getpid() % 16384)
    leader: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def key(self) -> Path:
        return self.folder / "key"

    def _address(self, last: int) -> str:
        return f"198.18.{self.number // 64}.{self.number % 64 * 4 + last}"  # the networks for tests (RFC 2544)

    @property
    def outside(self) -> str:
        """The address of this machine's end of the wire."""
        return self._address(1)

    @property
    def address(self) -> str:
        return self._address(2)

    @property
    def name(self) -> str:
        return f"tdx{self.number}"

    def make(self, archive: Path, authority: bytes) -> None:
        """From an image; the CA `authority` (PEM) is one that it believes, as every system believes some."""
        self.root.mkdir(parents=True)
        subprocess.run(["tar", "-C", self.root, "-xf", archive], check=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        self._write("root/.ssh/authorized_keys", self.key.with_suffix(".pub").read_text(), 0o600)
        self._write("usr/local/share/ca-certificates/test.crt", authority.decode())
        subprocess.run(["chroot", self.root, "update-ca-certificates"], check=True, capture_output=True)
        self._write("etc/systemd/system/wire.service", NETWORK.format(address=self.address))
        wants = self.root / "etc/systemd/system/sysinit.target.wants"
        wants.mkdir(exist_ok=True)
        (wants / "wire.service").symlink_to("../wire.service")

    def _write(self, name: str, text: str, mode: int = 0o644) -> None:
        path = self.root / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def boot(self, shared: Sequence[Path] = (), shown: Sequence[Path] = ()) -> None:
        """Start it; folders of this machine that are there, too, under the same path, to write to or only to read."""
        options = ["--quiet", "--register=no", "--keep-unit", "--console=pipe", "--network-veth"]
        options += [f"--bind={device}" for device in DEVICES if Path(device).exists()]
        options += [f"--bind={folder}" for folder in shared] + [f"--bind-ro={folder}" for folder in shown]
        with open(self.folder / "console.log", "wb") as log:
            self._process = subprocess.Popen(
                ["systemd-nspawn", *options, f"--machine={self.name}", "--directory", self.root, "--boot"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.until(self._wire)
        self.until(self._answers)
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self.leader = int(children[0])

    def until(self, done: Callable[[], bool]) -> None:
        """Wait until `done`, for as long as it may take to boot."""
        assert self._process
        deadline = time.monotonic() + BOOT_S
        while not done():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.folder / "console.log").read_text(errors="replace")[-2000:])
            time.sleep(0.2)

    def _wire(self) -> bool:
        """Configure this machine's end, once it is there."""
        commands: Sequence[list[str]] = (
            ["ip", "address", "replace", f"{self.outside}/30", "dev", f"ve-{self.name}"],
            ["ip", "link", "set", f"ve-{self.name}", "up"],
        )
        return all(subprocess.run(command, capture_output=True, check=False).returncode == 0 for command in commands)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(2)
            try:
                probe.connect((self.address, 22))
                return probe.recv(3) == b"SSH"
            except OSError:
                return False

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command in it, as root."""
        enter = ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--"]
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
        return subprocess.run([*enter, *command], env=env, capture_output=True, text=True, check=False)

    def state(self) -> dict[str, tuple[int, ...]]:
        """Mode, size and time of every file that a set-up may touch; of folders, the mode."""
        found = {}
        for place in ("etc", "opt", "usr", "var/lib/dpkg"):
            for folder, _, names in os.walk(self.root / place):
                for path in (Path(folder), *(Path(folder, name) for name in names)):
                    status = path.lstat()
                    detail = () if path == Path(folder) else (status.st_size, status.st_mtime_ns)
                    found[str(path.relative_to(self.root))] = (status.st_mode, *detail)
        return found

    def stop(self) -> None:
        """Power it off, and take its root away."""
        if self._process is None:
            return
        if self.leader:
            os.kill(self.leader, signal.SIGRTMIN + 4)  # what systemd takes as "power off"
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        shutil.rmtree(self.root, ignore_errors=True)  # gigabytes, which pytest would keep for three runs
