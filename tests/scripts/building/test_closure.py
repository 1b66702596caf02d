"""A stage consists of what its module imports, and each kind of change makes the right stages due, and no others."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.building.closure import NEUTRAL, TOP, closure
from scripts.building.stage import STAGES, load

ALL = set(STAGES)
NODE = {"web", "nodemodules", "frontend"}
SOURCES = (
    "scripts",
    "launcher",
    "door",
    "simulator",
    "patches",
    "quote_generator",
    "quote_verifier/src/quote_verifier/data",
    "web",
    "docs",
    "upstream.toml",
    "setup.py",
    "pyproject.toml",
)
# What is changed (a file; the text to replace, or nothing to append a line) and the stages that read it themselves.
CHANGES = {
    "the pinned source": ("upstream.toml", ("{source}", "0" * 64), {"fetch", "assemble"}),
    "the pinned Node.js": ("upstream.toml", ("{nodejs}", "0" * 64), NODE | {"assemble"}),
    "the pinned zig": ("upstream.toml", ("{zig}", "0" * 64), {"plugin", "assemble"}),
    "the list of upstream's files": ("scripts/sources/upstream-files.sha256", None, {"fetch"}),
    "a patch": ("patches/series", None, {"patch", "assemble"}),
    "a new file": ("patches/files/backend/attestation/settings.py", None, {"patch", "assemble"}),
    "the plugin": ("quote_generator/_binding.pyx", None, {"plugin"}),
    "the plugin's build": ("setup.py", None, {"plugin"}),
    "the simulator's C code": ("simulator/src/state.c", None, {"plugin", "assemble"}),
    "the web package": ("web/build.mjs", None, {"web"}),
    "what both verifiers know": ("quote_verifier/src/quote_verifier/data/checks.json", None, {"web"}),
    "the web package's lock": ("web/package-lock.json", None, {"web", "assemble"}),
    "the launcher": ("launcher/run.py", None, {"assemble"}),
    "a lock of the backend": ("scripts/locks/own.txt", ("==", "==9."), {"backend", "assemble"}),
    "the compiler's target": ("scripts/tools/zig.py", ("gnu.2.28", "gnu.2.31"), {"plugin"}),
    "how Node.js is started": ("scripts/tools/node.py", None, NODE | {"assemble"}),
    "how patches are applied": ("scripts/patches/patching.py", None, {"patch"}),
    "how wheels are installed": ("scripts/stages/backend.py", None, {"backend"}),
    "how archives are unpacked": ("scripts/sources/archives.py", None, ALL - {"patch", "backend"}),
    "how commands are run": ("scripts/run.py", None, ALL),
    "what hashes a release": ("launcher/measure/hashing.py", None, {"assemble"}),
    "the release's entry": ("scripts/release/open-webui-tdx.sh", None, {"assemble"}),
    "licences": ("scripts/release/licences.py", None, {"web", "assemble"}),
    "sentences": ("scripts/errors.py", None, set()),
    "the command line": ("scripts/cli.py", None, set()),
    "the publishing": ("scripts/release/publish.py", None, set()),
    "a page of documentation": ("docs/design.md", None, set()),
}  # fmt: skip
# Run within a copy of the repository: what each stage reads, before and after each change.
DRIVER = """
import json, sys
from pathlib import Path
from scripts.building import closure, fingerprint, stage
from scripts.config import from_environment, root

fingerprint._SETTLED_NS = -1 << 62  # nobody else writes here: remember what was hashed a moment ago
known = fingerprint.StatCache(Path("absent"))

def read():
    cfg = from_environment(root(), {"HOME": "/nowhere"})
    return {name: stage._inputs(cfg, stage.load(name), known) for name in stage.STAGES}

pins = {name: pin.sha256 for name, pin in from_environment(root(), {}).pins.files.items()}
before, due = read(), {}
for what, (path, edit, _) in json.load(sys.stdin).items():
    file = Path(path)
    old = file.read_bytes()
    text = old.decode()
    if edit:
        find = edit[0].format(**pins)
        assert find in text, (what, find)
        file.write_text(text.replace(find, edit[1], 1))
    else:
        file.write_text(text + "\\n")
    if file.suffix == ".py":
        closure._imported.cache_clear()
    due[what] = [name for name, inputs in read().items() if inputs != before[name]]
    file.write_bytes(old)
assert read() == before
print(json.dumps(due))
"""


@pytest.fixture(scope="module")
def due(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    copy = tmp_path_factory.mktemp("repository")
    ignored = shutil.ignore_patterns("node_modules", "__pycache__", ".*cache")
    for name in SOURCES:
        place = TOP / name
        if place.is_dir():
            shutil.copytree(place, copy / name, ignore=ignored)
        else:
            shutil.copy(place, copy / name)
    told = json.dumps({what: (path, edit, None) for what, (path, edit, _) in CHANGES.items()})
    command = [sys.executable, "-c", DRIVER]
    done = subprocess.run(command, cwd=copy, input=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, list[str]] = json.loads(done.stdout)
    return answer


@pytest.mark.slow
@pytest.mark.parametrize("what", CHANGES)
def test_a_change_makes_the_right_stages_due(due: dict[str, list[str]], what: str) -> None:
    assert set(due[what]) == CHANGES[what][2]


def test_all_forms_of_import_are_followed(tmp_path: Path) -> None:
    texts = {
        "a/__init__.py": "",
        "a/start.py": "import a.one\nfrom a import two\nfrom . import three\nfrom .four import x\nimport os\n",
        "a/one.py": "def f():\n    from a.five import y\n",
        "a/five/__init__.py": "",
        "a/unused.py": "",
        **{f"a/{name}.py": "" for name in ("two", "three", "four")},
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = {path.relative_to(tmp_path).as_posix() for path in closure(tmp_path / "a/start.py", tmp_path)}
    assert found == texts.keys() - {"a/unused.py"}


def test_what_is_left_out_exists_and_is_left_out() -> None:
    assert all((TOP / name).is_file() for name in NEUTRAL)
    for name in STAGES:
        found = {path.relative_to(TOP).as_posix() for path in closure(Path(load(name).__file__))}
        assert f"scripts/stages/{name}.py" in found and not found & NEUTRAL
