"""A machine without TDX that boots the image: QEMU (emulated, no KVM needed), OVMF, and swtpm as its TPM 2.0."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.image import gpt
from tests.ports import free_port

# Emulated vector instructions are slower than none: the oldest processor that the release's packages run on.
CPU = "Nehalem,+rdrand,+aes,+pclmulqdq"
# The embedded model's engine runs on none that is older than this one.
WIDER = ["-cpu", "Haswell-noTSX"]
# Against the old timer a kernel measured, on a busy machine, a processor of 33 MHz: its clock ran 78 times too fast,
# and every wait in it was over at once. Without it, it takes the next one, which tells the time whenever it is asked.
CLOCK = "pit=off"
PROGRAMS = ("qemu-system-x86_64", "swtpm", "swtpm_setup")
_COLOURS = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\r")


@dataclass(frozen=True)
class Machine:
    """A machine that runs: its folder, and the port of this host that leads to its port 8443."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    def console(self) -> str:
        """All that the machine wrote on its serial console so far."""
        path = self.folder / "console"
        return _COLOURS.sub(b"", path.read_bytes()).decode("utf-8", "replace") if path.exists() else ""

    def wait_for(self, *texts: str, seconds: float = 1800) -> str:
        """Wait until the console shows one of these; the console. Fails where the machine ends or is silent on it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            shown = self.console()
            if any(text in shown for text in texts):
                return shown
            if self.process.poll() is not None:
                time.sleep(0.5)
                shown = self.console()
                assert any(text in shown for text in texts), f"the machine ended without {texts}:\n{shown[-3000:]}"
                return shown
            time.sleep(0.5)
        raise AssertionError(f"the console shows none of {texts}:\n{self.console()[-3000:]}")

    def press_power(self) -> None:
        """What a host does to have a machine shut down."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self.folder / "monitor"))
            monitor.sendall(b"system_powerdown\n")
            time.sleep(0.5)

    def ends(self, seconds: float = 300) -> str:
        """Wait until the machine is off; the console."""
        self.process.wait(seconds)
        return self.console()


@contextmanager
def booted(
    folder: Path, ovmf: Path, disk: Path, config: str | None, extra: Sequence[str], port: int | None = None
) -> Iterator[Machine]:
    """Boot a disk, which is not written to, with a configuration by fw_cfg. At the end its power is cut.

    `extra`: more options, the memory among them. `port`: of this host, leading to its port 8443; a free one if None.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "tpm"
    state.mkdir()
    setup = ["swtpm_setup", "--tpm2", "--tpmstate", str(state), "--pcr-banks", "sha384", "--createek"]
    subprocess.run(setup, check=True, capture_output=True, timeout=120)
    shutil.copy(ovmf / "OVMF_VARS_4M.fd", folder / "vars")
    port = port or free_port()
    tpm = subprocess.Popen(
        ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl", f"type=unixio,path={folder}/tpm.socket"]
    )
    try:
        _wait_for(folder / "tpm.socket")
        process = subprocess.Popen(
            _command(folder, ovmf, disk, port, config) + list(extra),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield Machine(folder, port, process)
        finally:
            process.kill()
            process.wait()
    finally:
        tpm.kill()
        tpm.wait()


def volume(disk: Path, label: str, content: Path) -> list[str]:
    """Write `disk`, with one partition of that label and content, and return the options that add it to a machine."""
    wanted = (gpt.LINUX_DATA, uuid.UUID(int=1, version=4), label, content.stat().st_size)
    table = gpt.layout(uuid.UUID(int=2, version=4), [wanted])
    with disk.open("wb") as file, content.open("rb") as source:
        file.truncate(table.sectors * gpt.SECTOR)
        file.write(table.primary())
        file.seek(table.partitions[0].first * gpt.SECTOR)
        shutil.copyfileobj(source, file, 1 << 20)
        file.seek(-33 * gpt.SECTOR, 2)
        file.write(table.backup())
    return added(disk)


def added(disk: Path) -> list[str]:
    """Options that add a disk, which may be written to."""
    return ["-drive", f"if=none,id={disk.stem},format=raw,file={disk}", "-device", f"virtio-blk-pci,drive={disk.stem}"]


def _command(folder: Path, ovmf: Path, disk: Path, port: int, config: str | None) -> list[str]:
    command = [
        "qemu-system-x86_64", "-machine", f"q35,accel=tcg,{CLOCK}", "-cpu", CPU,
        "-smp", str(min(os.cpu_count() or 1, 4)),
        "-display", "none", "-nodefaults", "-no-reboot",
        "-drive", f"if=pflash,format=raw,readonly=on,file={ovmf}/OVMF_CODE_4M.fd",
        "-drive", f"if=pflash,format=raw,file={folder}/vars",
        "-chardev", f"socket,id=tpm,path={folder}/tpm.socket", "-tpmdev", "emulator,id=tpm0,chardev=tpm",
        "-device", "tpm-crb,tpmdev=tpm0",
        "-drive", f"if=none,id=disk,format=raw,readonly=on,file={disk}", "-device", "virtio-blk-pci,drive=disk",
        "-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:8443",
        "-device", "virtio-net-pci,netdev=net,romfile=",
        "-serial", f"file:{folder}/console", "-monitor", f"unix:{folder}/monitor,server,nowait",
    ]  # fmt: skip
    if config is not None:
        (folder / "config").write_text(config, encoding="utf-8")
        command += ["-fw_cfg", f"name=opt/org.open-webui-tdx/config,file={folder}/config"]
    return command


def _wait_for(path: Path) -> None:
    for _ in range(100):
        if path.exists():
            return
        time.sleep(0.1)
    raise AssertionError(f"{path} did not appear")
