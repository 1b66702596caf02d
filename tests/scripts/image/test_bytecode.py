"""The image's bytecode: made of the sources beside it, and taken without reading them again."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from scripts.image import bytecode

ROOT = Path(__file__).resolve().parents[3]
UNITS = ROOT / "image/root/etc/systemd/system"


def compiled(tree: Path, out: Path) -> None:
    for part in "01":
        command = [sys.executable, "-P", str(ROOT / "image/compile_tree.py"), str(tree), str(out), part, "2"]
        subprocess.run(command, check=True, capture_output=True)


def test_each_module_is_compiled_once_and_its_source_not_read_again(tmp_path: Path) -> None:
    tree, out = tmp_path / "tree", tmp_path / "out"
    for name, text in {"a.py": "x = 1", "b.py": "y = 2", "no.py": "no python", "tests/c.py": "", "d.txt": ""}.items():
        path = tree / "opt/release" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    compiled(tree, out)
    made = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.pyc"))
    tag = sys.implementation.cache_tag
    assert made == [f"opt/release/a.{tag}.pyc", f"opt/release/b.{tag}.pyc"]
    for name, source in (("a", b"x = 1"), ("b", b"y = 2")):
        head = (out / f"opt/release/{name}.{tag}.pyc").read_bytes()[:16]
        assert head == importlib.util.MAGIC_NUMBER + b"\x01\0\0\0" + importlib.util.source_hash(source)
    compiled(tree, tmp_path / "again")
    for name in made:
        assert (out / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_every_program_of_the_image_is_started_with_it() -> None:
    lines = [line for path in UNITS.rglob("*") if path.is_file() for line in path.read_text().splitlines()]
    started = [line for line in lines if re.match(r"ExecStart=.*python", line)]
    assert len(started) >= 7
    assert all(f" -X pycache_prefix=/{bytecode.PLACE} " in line for line in started)
