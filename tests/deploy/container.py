"""A fresh Debian 12 with systemd as its first process, in a container made by mmdebstrap and run by systemd-nspawn.

It shares this machine's network, so that what stands in for the outside is reached on loopback; its ssh server listens
on a port of its own. Root only: who is not root cannot have a container like this.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = "systemd,systemd-sysv,dbus,openssh-server,python3,libgomp1,ca-certificates"
BOOT_S = 120.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def missing() -> str:
    """What this machine lacks for a container, or ""."""
    if os.geteuid() != 0:
        return "root"
    tools = ("mmdebstrap", "systemd-nspawn", "nsenter", "ssh-keygen")
    return ", ".join(tool for tool in tools if not shutil.which(tool))


@dataclass
class Container:
    """`folder` gets its root, its log and the key to log in with."""

    folder: Path
    port: int = field(default_factory=free_port)
    leader: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def key(self) -> Path:
        return self.folder / "key"

    def make(self) -> None:
        """From the machine's own list of mirrors."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(self.root)]
        with open(self.folder / "mmdebstrap.log", "wb") as log:
            subprocess.run(command, stdout=log, stderr=log, check=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        authorized = self.root / "root" / ".ssh" / "authorized_keys"
        authorized.parent.mkdir(mode=0o700, exist_ok=True)
        authorized.write_text(self.key.with_suffix(".pub").read_text())
        authorized.chmod(0o600)
        settings = f"Port {self.port}\nListenAddress 127.0.0.1\n"
        (self.root / "etc/ssh/sshd_config.d/test.conf").write_text(settings)

    def boot(self) -> None:
        options = ["--quiet", "--register=no", "--keep-unit", "--console=pipe", f"--machine=deploy-{self.port}"]
        with open(self.folder / "console.log", "wb") as log:
            self._process = subprocess.Popen(
                ["systemd-nspawn", *options, "--directory", self.root, "--boot"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + BOOT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.folder / "console.log").read_text(errors="replace")[-2000:])
            time.sleep(0.5)
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        self.leader = int(children[0])

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(2)
            try:
                probe.connect(("127.0.0.1", self.port))
                return probe.recv(3) == b"SSH"
            except OSError:
                return False

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command in it, as root."""
        enter = ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-p", "-r", "-w", "--"]
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
        return subprocess.run([*enter, *command], env=env, capture_output=True, text=True, check=False)

    def state(self) -> dict[str, tuple[int, int]]:
        """Modification time and size of what a set-up touches."""
        found = {}
        for place in ("etc", "opt", "usr/local", "usr/share/ollama"):
            for path in (self.root / place).rglob("*"):
                status = path.lstat()
                if path.is_file() and not path.is_symlink():
                    found[str(path.relative_to(self.root))] = (status.st_mtime_ns, status.st_size)
        return found

    def stop(self) -> None:
        if self._process is None:
            return
        if self.leader:
            os.kill(self.leader, signal.SIGRTMIN + 4)  # what systemd takes as "power off"
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
