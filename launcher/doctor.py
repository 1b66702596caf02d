"""Which steps of the documented set-up this host has done: each done, missing or wrong, with the command that mends it.

Looks, and changes nothing. `root` is where the host's files are (for tests); what is asked over the network or of other
programs is asked of this machine only.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .datadir import DataDir
from .errors import LauncherError
from .measure import encryption, manifest, model_store, ollama, ollama_program, tdx
from .plan import settings
from .plan.environment import FIXED
from .plan.settings import Settings
from .serve import accounts, ready

SETTINGS = "etc/open-webui-tdx/settings"
QCNL = "etc/sgx_default_qcnl.conf"
UNIT = "open-webui-tdx.service"
FENCE_UNITS = ("open-webui-tdx-fence.socket", "open-webui-tdx-fence@.service")
DROP_IN = "encrypted-data.conf"
FIRST_KERNEL = (5, 10, 134, 18)
"""The first kernel of Alibaba Cloud Linux 3 whose TDX guest extends RTMR 3 (5.10.134-18.al8)."""
DEPLOY = "make deploy HOST=... (docs/deployment.md)"


@dataclass(frozen=True)
class Finding:
    """One step: `state` is "done", "missing" or "wrong", or "not needed" with the reason; `mend` is what to run."""

    step: str
    state: str
    detail: str
    mend: str = ""


@dataclass(frozen=True)
class Host:
    """What is looked at: the release, the settings it is started with, and where the host's files are."""

    release: Path
    environ: Mapping[str, str]
    root: Path = Path("/")

    @property
    def chosen(self) -> Settings:
        """The settings. Raises SettingError."""
        return settings.load(self.environ)


def examine(release: Path, environ: Mapping[str, str], root: Path = Path("/")) -> list[Finding]:
    """Every step in the documented order. A settings file of the host's service counts before the environment."""
    try:
        host = Host(release, {**environ, **environment_file(root / SETTINGS)}, root)
        chosen = host.chosen
    except LauncherError as error:
        return [Finding("settings", "wrong", str(error), f"correct {root / SETTINGS}")]
    groups = (
        _tdx(host, chosen),
        _ollama(chosen),
        _gpu(chosen),
        _release(host),
        _encryption(host, chosen),
        _certificate(host, chosen),
        _service(host, chosen),
    )
    return [finding for group in groups for finding in group]


def show(findings: list[Finding]) -> bool:
    """Print them; True if nothing is missing or wrong."""
    width = max(len(finding.step) for finding in findings)
    for finding in findings:
        print(f"{finding.step:{width}}  {finding.state:10}  {finding.detail}")
        if finding.mend:
            print(f"{'':{width}}  {'':10}  -> {finding.mend}")
    bad = [finding.step for finding in findings if finding.state in ("missing", "wrong")]
    print(f"To do: {', '.join(bad)}." if bad else "Every step is done.")
    return not bad


def environment_file(path: Path) -> dict[str, str]:
    """`NAME=value` lines as systemd reads them, quotes included; {} where there is no file. Comments begin with #."""
    found = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            name, equals, value = line.strip().partition("=")
            if equals and not name.startswith(("#", ";")):
                try:
                    found[name.strip()] = " ".join(shlex.split(value))
                except ValueError:
                    found[name.strip()] = value
    return found


def _tdx(host: Host, chosen: Settings) -> Iterator[Finding]:
    yield _kernel(host.root, platform.release())
    if chosen.tdx == "simulated":
        for step in ("TDX device", "libtdx-attest", "PCCS"):
            yield Finding(step, "not needed", "TDX=simulated: quotes prove nothing")
        return
    machine = tdx.look(FIXED, host.root)
    if machine.device:
        yield Finding("TDX device", "done", machine.device)
    else:
        yield Finding(
            "TDX device",
            "missing",
            "this is no TDX guest",
            "make instance (another machine), or TDX=simulated to try it",
        )
    yield _library(machine.library, _os_release(host.root).get("ID", ""))
    yield _pccs(host.root)


def _library(found: str, system: str) -> Finding:
    """`found` is as `tdx.Machine` says it, `system` the distribution's ID."""
    if found == "real":
        return Finding("libtdx-attest", "done", f"{tdx.LIBRARY} loads")
    mend = "yum install libtdx-attest" if system == "alinux" else "apt install libtdx-attest, from Intel's repository"
    if found == "simulated":
        return Finding("libtdx-attest", "wrong", f"the {tdx.LIBRARY} that the system finds is the simulator's", mend)
    return Finding("libtdx-attest", "missing", f"the system's loader finds no {tdx.LIBRARY}", mend)


def _kernel(root: Path, release: str) -> Finding:
    system = _os_release(root)
    name = system.get("PRETTY_NAME", "an unknown system")
    numbers = tuple(int(part) for part in re.findall(r"\d+", release)[:4])
    if system.get("ID") == "alinux" and numbers < FIRST_KERNEL:
        return Finding(
            "kernel", "wrong", f"{release} on {name}; 5.10.134-18.al8 is the first", "yum update kernel && reboot"
        )
    return Finding("kernel", "done", f"{release} on {name}")


def _os_release(root: Path) -> dict[str, str]:
    return environment_file(root / "etc/os-release")


def _pccs(root: Path) -> Finding:
    path = root / QCNL
    mend = f"set PCCS_URL in /{QCNL}, as docs/deployment.md says for the region"
    if not path.is_file():
        return Finding("PCCS", "missing", f"there is no /{QCNL}", mend)
    text = path.read_text(encoding="utf-8", errors="replace")
    found = re.search(r'^\s*(?:PCCS_URL\s*=\s*|"pccs_url"\s*:\s*")([^\s"]+)', text, re.M)
    if not found:
        return Finding("PCCS", "missing", f"/{QCNL} names no PCCS", mend)
    if "localhost" in found[1]:
        return Finding("PCCS", "wrong", f"{found[1]} is the package's example", mend)
    return Finding("PCCS", "done", found[1])


def _ollama(chosen: Settings) -> Iterator[Finding]:
    if chosen.llm in ("embedded", "none"):
        for step in ("Ollama", "models"):
            yield Finding(step, "not needed", f"LLM={chosen.llm}")
        return
    try:
        binary = ollama_program.installed(chosen.ollama_binary)
    except LauncherError as error:
        yield Finding("Ollama", "missing", str(error), DEPLOY)
        return
    version = ollama.version(chosen.ollama_base_url)
    if version is None:
        yield Finding("Ollama", "missing", f"{binary} is there, and nobody answers at {chosen.ollama_base_url}", (
            "systemctl start open-webui-tdx-ollama.service"
        ))  # fmt: skip
        return
    yield Finding("Ollama", "done", f"{version} at {chosen.ollama_base_url}, {binary}")
    yield from _models(chosen)


def _models(chosen: Settings) -> Iterator[Finding]:
    try:
        names = list(chosen.models) or sorted(ollama.models(chosen.ollama_base_url))
    except LauncherError as error:
        yield Finding("models", "wrong", str(error), "systemctl restart open-webui-tdx-ollama.service")
        return
    if not names:
        yield Finding("models", "missing", "Ollama has none", _pull("deepseek-r1:70b"))
    for name in names:
        try:
            model = model_store.load(chosen.ollama_models, name)
            lacking = [
                blob for blob in model.blobs if not (chosen.ollama_models / "blobs" / f"sha256-{blob}").is_file()
            ]
            detail = f"{model.name}, digest {model.digest}"
            broken = Finding("models", "wrong", f"{model.name} lacks {len(lacking)} blobs", _pull(name))
            yield broken if lacking else Finding("models", "done", detail)
        except LauncherError as error:
            yield Finding("models", "missing", str(error), _pull(name))


def _pull(name: str) -> str:
    return f'systemctl start "open-webui-tdx-pull@$(systemd-escape {name})"'


def _gpu(chosen: Settings) -> Iterator[Finding]:
    """The driver, and whether the GPU computes confidentially: reported, for nothing here attests the GPU."""
    if chosen.llm in ("embedded", "none") or chosen.tdx == "simulated":
        yield Finding("GPU", "not needed", f"LLM={chosen.llm}, TDX={chosen.tdx}")
        return
    if not shutil.which("nvidia-smi", path=FIXED["PATH"]):
        yield Finding("GPU", "missing", "no driver of NVIDIA's is installed", "take the image with the GPU's driver")
        return
    answer = _ask("nvidia-smi", "conf-compute", "-f")
    if re.search(r"CC status:\s*ON", answer):
        yield Finding("GPU", "done", "confidential computing is on")
    else:
        detail = answer.strip().splitlines()[-1] if answer.strip() else "nvidia-smi conf-compute -f says nothing"
        yield Finding("GPU", "wrong", detail, "take an instance of the family gn8v-tee (make instance)")


def _ask(*command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the commands of this file
            command, env=FIXED, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def _release(host: Host) -> Iterator[Finding]:
    yield Finding("Python", "done", f"{platform.python_version()}, for which this release was built")
    try:
        listed = manifest.load(host.release)
        manifest.refuse(manifest.differences(host.release, listed))
        yield Finding("release", "done", f"{host.release}, {listed.digest[:16]}..., every file is what was built")
    except LauncherError as error:
        yield Finding("release", "wrong", str(error), DEPLOY)


def _encryption(host: Host, chosen: Settings) -> Iterator[Finding]:
    """What encrypts the data, and the unit's right to mount it; nothing is said where nothing is encrypted."""
    if chosen.data_key == "none":
        return
    try:
        program = encryption.measure(bool(chosen.data_volume))
        yield Finding("encryption", "done", f"{program.name} {program.version}, {program.path}")
    except LauncherError as error:
        yield Finding("encryption", "missing", str(error), DEPLOY)
    place = host.root / "etc/systemd/system" / f"{UNIT}.d" / DROP_IN
    installed = (host.root / "etc/systemd/system" / UNIT).is_file()
    if installed and not place.is_file():
        own = host.release / "systemd" / DROP_IN
        mend = f"install -D -m 644 {own} {place} && systemctl daemon-reload"
        yield Finding("encryption", "missing", f"{UNIT} has no right to mount the encrypted folder", mend)


def _certificate(host: Host, chosen: Settings) -> Iterator[Finding]:
    """What the running door said last about its certificate, where it said anything."""
    path = host.root / DataDir(chosen.data_dir, "").certificate_state.relative_to("/")
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        wrong, text, at = (
            bool(said["wrong"]),
            str(said["text"]),
            f"{datetime.fromtimestamp(said['at'], UTC):%Y-%m-%d %H:%M}",
        )
    except (OSError, ValueError, KeyError, TypeError):
        return
    mend = (
        f"mend that; systemctl reload {UNIT}"
        if chosen.tls == "files"
        else f"mend that; systemctl restart {UNIT} asks at once"
    )
    yield Finding("certificate", "wrong" if wrong else "done", f"{at} UTC: {text}", mend if wrong else "")


def _service(host: Host, chosen: Settings) -> Iterator[Finding]:
    name = chosen.run_as or accounts.ACCOUNT
    account = accounts.exists(name)
    make = f"useradd --system --shell /usr/sbin/nologin {accounts.ACCOUNT}"
    yield Finding("account", "done" if account else "missing", name, "" if account else make)
    if not (host.root / "etc/systemd/system" / UNIT).is_file():
        yield Finding("unit", "missing", f"there is no /etc/systemd/system/{UNIT}", DEPLOY)
        return
    yield Finding("unit", "done", f"/etc/systemd/system/{UNIT}")
    yield _fence(host)
    enabled = _ask("systemctl", "is-enabled", UNIT).strip()
    if enabled != "enabled":
        yield Finding("start at boot", "missing", enabled or "unknown", f"systemctl enable {UNIT}")
    active = _ask("systemctl", "is-active", UNIT).strip()
    if active != "active":
        yield Finding("service", "missing", active or "unknown", f"systemctl start {UNIT}; journalctl -u {UNIT} -n 30")
    elif not ready.healthy(f"{chosen.local_url}/health"):
        yield Finding("service", "wrong", f"nobody answers at {chosen.local_url}", f"journalctl -u {UNIT} -n 30")
    else:
        yield Finding(
            "service", "done", _ask("systemctl", "show", "-P", "StatusText", UNIT).strip() or chosen.local_url
        )


def _fence(host: Host) -> Finding:
    """Whether the unit that fences in what reads people's words can be asked."""
    lacking = [name for name in FENCE_UNITS if not (host.root / "etc/systemd/system" / name).is_file()]
    if lacking:
        return Finding("fence", "missing", f"there is no /etc/systemd/system/{lacking[0]}", DEPLOY)
    active = _ask("systemctl", "is-active", FENCE_UNITS[0]).strip()
    if active != "active":
        return Finding("fence", "missing", active or "unknown", f"systemctl start {FENCE_UNITS[0]}")
    return Finding("fence", "done", f"{FENCE_UNITS[0]} listens")


def here() -> Mapping[str, str]:
    """The environment of whoever asks, in which only the launcher's settings count."""
    return {name: value for name, value in os.environ.items() if name in settings.NAMES}
