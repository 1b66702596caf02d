"""Pinned tools are unpacked whole or not at all."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import zipfile

import pytest

from scripts.errors import MismatchError
from scripts.run import Runner
from scripts.sources.pins import Pin, Pins
from scripts.tools import pinned
from tests.scripts.tiny import Project


def with_wheel(project: Project, *, right: bool = True) -> Project:
    wheel = project.cfg.cache / "files" / "thing-1.0-py3-none-any.whl"
    wheel.parent.mkdir(parents=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        program = zipfile.ZipInfo("thing/run")
        program.external_attr = 0o100755 << 16
        archive.writestr(program, "#!/bin/sh\n")
        archive.writestr("thing-1.0.dist-info/METADATA", "Name: thing\n")
    content = wheel.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest() if right else "0" * 64
    pin = Pin("thing", "1.0", wheel.name, sha256, len(content), "a test")
    pins = Pins(project.cfg.pins.release, {**project.cfg.pins.files, "thing": pin})
    return dataclasses.replace(project, cfg=dataclasses.replace(project.cfg, pins=pins, offline=True))


def test_a_pinned_wheel_is_unpacked_once_with_its_programs(project: Project) -> None:
    project = with_wheel(project)
    run = Runner("test", project.cfg.logs / "test.log")
    folder = pinned.unpacked(project.cfg, run, "thing")
    assert os.access(folder / "thing" / "run", os.X_OK)
    again = pinned.unpacked(project.cfg, run, "thing")
    assert again == folder
    assert not [path for path in folder.parent.iterdir() if path.is_dir() and path != folder]


def test_a_wheel_that_is_not_the_pinned_one_is_never_unpacked(project: Project) -> None:
    project = with_wheel(project, right=False)
    with pytest.raises(Exception, match="OFFLINE=1, but thing-1.0"):
        pinned.unpacked(project.cfg, Runner("test", project.cfg.logs / "test.log"), "thing")
    assert not [path for path in (project.cfg.cache / "tools").iterdir() if path.is_dir()]


def test_an_archive_cannot_write_outside(project: Project) -> None:
    project = with_wheel(project)
    wheel = project.cfg.cache / "files" / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("../escaped", "x")
    pin = dataclasses.replace(project.cfg.pins["thing"], sha256=hashlib.sha256(wheel.read_bytes()).hexdigest())
    cfg = dataclasses.replace(project.cfg, pins=Pins(project.cfg.pins.release, {"thing": pin}))
    with pytest.raises(MismatchError, match="leads out of its folder"):
        pinned.unpacked(cfg, Runner("test", cfg.logs / "test.log"), "thing")
    assert not (project.cfg.cache / "tools" / "escaped").exists()
