"""qcow2 beside the raw disk: the same content, or one sentence about what is missing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.errors import CommandError, MissingError, UsageError
from scripts.image import forms
from scripts.run import Runner

INSTALLED = shutil.which(forms.PROGRAM) is not None


def test_raw_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert forms.find("raw") is None


def test_a_form_that_nobody_makes_is_refused_before_the_build() -> None:
    with pytest.raises(UsageError, match="FORMAT=vmdk is no form of the image; raw and qcow2 are"):
        forms.find("vmdk")


def test_without_the_program_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MissingError, match="FORMAT=qcow2 needs qemu-img: apt-get install qemu-utils"):
        forms.find("qcow2")


@pytest.mark.skipif(not INSTALLED, reason="qemu-img is not installed")
def test_the_content_is_the_raw_disks(tmp_path: Path) -> None:
    disk = tmp_path / "image-1.2.raw"
    disk.write_bytes(bytes(1 << 20) + b"content." * 8192 + bytes(1 << 20))
    made = forms.qcow2(Runner("image", tmp_path / "log"), disk)
    assert made == tmp_path / "image-1.2.qcow2"
    assert made.read_bytes()[:4] == b"QFI\xfb" and made.stat().st_size < disk.stat().st_size
    subprocess.run([forms.PROGRAM, "convert", "-O", "raw", made, tmp_path / "back"], check=True)
    assert (tmp_path / "back").read_bytes() == disk.read_bytes()


def test_a_disk_that_would_differ_is_not_put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a program wrote is compared with what it read, whoever's program it is."""
    script = '#!/bin/sh\n[ "$1" = compare ] && exit 1\nfor last; do :; done\necho other > "$last"\n'
    (tmp_path / forms.PROGRAM).write_text(script)
    (tmp_path / forms.PROGRAM).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    disk = tmp_path / "disk.raw"
    disk.write_bytes(bytes(512))
    with pytest.raises(CommandError, match="comparing it with the raw disk"):
        forms.qcow2(Runner("image", tmp_path / "log"), disk)
    assert not (tmp_path / "disk.qcow2").exists()
