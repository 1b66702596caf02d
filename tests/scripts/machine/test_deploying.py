"""What `make deploy` tells the playbook, and whose release it takes."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts.errors import UsageError
from scripts.machine.deploying import arguments

ROOT = Path(__file__).resolve().parents[3]
NAME = "open-webui-tdx-0.5.20-tdx1-slim-py3.11-x86_64"


def test_hosts() -> None:
    assert arguments("root@chat.example", None, False) == ["--inventory", "chat.example,", "--user", "root"]
    assert arguments("local", None, True)[-2:] == ["--check", "--diff"]
    assert "ansible_python_interpreter={{ ansible_playbook_python }}" in arguments("local", None, True)
    for wrong in ("", "a b", "-x", "root@"):
        with pytest.raises(UsageError, match="is no host"):
            arguments(wrong, None, False)
    with pytest.raises(UsageError, match="is no file"):
        arguments("local", Path("/nonexistent.yml"), False)


@pytest.fixture
def checking() -> Any:
    path = ROOT / "deploy/roles/release/files/check_release.py"
    spec = importlib.util.spec_from_file_location("check_release", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def published(tmp_path: Path) -> Path:
    lines = []
    for end in ("tar.gz", "release.json"):
        (tmp_path / f"{NAME}.{end}").write_text(end)
        lines.append(f"{hashlib.sha256(end.encode()).hexdigest()}  {NAME}.{end}\n")
    (tmp_path / "SHA256SUMS").write_text("".join(lines))
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    sign = ["ssh-keygen", "-q", "-Y", "sign", "-n", "open-webui-tdx-release", "-f", str(tmp_path / "key")]
    subprocess.run([*sign, str(tmp_path / "SHA256SUMS")], check=True, capture_output=True)
    (tmp_path / "signers").write_text(f"release {(tmp_path / 'key.pub').read_text()}")
    return tmp_path


def test_a_signed_release(checking: Any, published: Path) -> None:
    found = checking.check(published, published / "signers")
    assert found["folder"] == "open-webui-tdx-0.5.20-tdx1" and found["python"] == "3.11"
    assert found["sha256"] == hashlib.sha256(b"tar.gz").hexdigest()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (f"{NAME}.tar.gz", "other", "is not what SHA256SUMS says"),
        ("SHA256SUMS", "0  x\n", "The signature of"),
        ("signers", "release ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA\n", "The signature of"),
        ("SHA256SUMS.sig", None, "is not there"),
        ("signers", None, "is not there"),
    ],
)
def test_what_is_refused(checking: Any, published: Path, name: str, content: str | None, sentence: str) -> None:
    (published / name).unlink() if content is None else (published / name).write_text(content)
    with pytest.raises(checking.Refused, match=sentence):
        checking.check(published, published / "signers")
