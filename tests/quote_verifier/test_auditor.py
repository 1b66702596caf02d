"""What an auditor does: judge the running release with reference values, then change one thing at a time.

The release is the newest one in dist/, started by its own launcher on simulated hardware. Reference values are what its
launcher says a launch with these settings measures, and the simulated platform.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.config import from_environment
from scripts.release import reference
from tests.browser import running as runner
from tests.browser.running import Server, release, serve
from tests.ports import free_port

from .world import platform

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "quote_verifier" / "src"
pytestmark = [pytest.mark.release, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """A start may take minutes on a machine that is busy with other tests."""
    usual, runner.START_S = runner.START_S, 600.0
    yield
    runner.START_S = usual


@pytest.fixture(scope="module")
def launcher() -> Path:
    found = release()
    if found is None:
        pytest.fail("there is no release in dist/: run make build first")
    return found


def events(launcher: Path, settings: dict[str, str]) -> list[str]:
    """The lines that the release itself says such a launch measures."""
    command = [str(launcher), "events", "--no-check"]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=True)
    return [line["event"] for line in map(json.loads, done.stdout.splitlines()) if "event" in line]


def references(lines: list[str]) -> dict[str, Any]:
    return {"v": 2, "name": "auditor", "events": lines, "platforms": [platform()]}


def settings_of(data: Path, port: int) -> dict[str, str]:
    shared = {"HOST": "127.0.0.1", "PORT": str(port), "DATA_DIR": str(data), "TDX": "simulated", "LLM": "embedded"}
    return shared | {"TEE_GATE": "warn"}


DEFAULT = {
    "TEE_SERVICE_ORIGINS": "",
    "ENABLE_CHANNELS": "false",
}  # a launch as the build's reference values describe it


@pytest.fixture(scope="module")
def running(launcher: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, list[str]]]:
    data, port = tmp_path_factory.mktemp("auditor") / "data", free_port()
    lines = events(launcher, settings_of(data, port))
    with serve(launcher, data, port, TEE_GATE="warn", **DEFAULT) as server:
        yield server, lines


def audit(url: str, document: dict[str, Any], folder: Path, *options: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Exit code and checks of `quote-verifier URL --release document`."""
    path = folder / "references.json"
    path.write_text(json.dumps(document))
    command = [sys.executable, "-m", "quote_verifier", url, "--release", str(path), "--json", *options]
    kept = os.environ | {"PYTHONPATH": str(SOURCES), "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=600)
    assert "Traceback" not in done.stderr
    assert done.stdout, done.stderr
    return done.returncode, {check["id"]: check for check in json.loads(done.stdout)["checks"]}


def failing(checks: dict[str, dict[str, str]]) -> set[str]:
    return {name for name, check in checks.items() if check["status"] == "fail"}


def allowed_warnings(lines: list[str]) -> set[str]:
    """A default launch keeps its data in plain text. Run as root, it cannot keep the web server from the device,
    measures that, too, and is at best a warning."""
    return {"data.protected"} | ({"release.match"} if any(" account " in line for line in lines) else set())


def test_simulated_with_nothing_else_failing(running: tuple[Server, list[str]], tmp_path: Path) -> None:
    server, lines = running
    code, checks = audit(server.url, references(lines), tmp_path)
    assert failing(checks) == {"tee.real"}, checks
    assert code == 6
    assert {name for name, check in checks.items() if check["status"] == "warn"} <= allowed_warnings(lines)


def test_the_published_reference_values_are_those_of_a_default_launch(
    running: tuple[Server, list[str]], launcher: Path, tmp_path: Path
) -> None:
    """What `make release` publishes beside the release, and the platform's values: nothing else is needed."""
    server, lines = running
    cfg = from_environment(ROOT)
    assert cfg.release == launcher.parent
    reference.write_default(cfg, tmp_path / "published.json")
    document = json.loads((tmp_path / "published.json").read_text())
    extra = [line for line in lines if " account " in line]
    code, checks = audit(
        server.url, document | {"events": document["events"] + extra, "platforms": [platform()]}, tmp_path
    )
    assert failing(checks) == {"tee.real"}, checks
    assert code == 6


def test_the_served_frontend_is_the_released_one(
    running: tuple[Server, list[str]], launcher: Path, tmp_path: Path
) -> None:
    server, lines = running
    manifest = launcher.parent / "release.json"
    code, checks = audit(server.url, references(lines), tmp_path, "--check-assets", "--manifest", str(manifest))
    assert (code, checks["assets.match"]["status"]) == (6, "pass"), checks["assets.match"]


@pytest.mark.parametrize("operation", ["release", "python", "settings", "llm", "model"])
def test_references_of_another_launch(running: tuple[Server, list[str]], tmp_path: Path, operation: str) -> None:
    """Seen from the other side: what runs differs in one component from what the auditor holds."""
    server, lines = running
    others = [line.replace("{", '{"a":"b",') if f" {operation} " in line else line for line in lines]
    code, checks = audit(server.url, references(others), tmp_path)
    assert code == 5
    assert checks["release.match"]["status"] == "fail"
    assert checks["release.match"]["detail"].startswith(f"{operation} differs: ")


def test_another_platform(running: tuple[Server, list[str]], tmp_path: Path) -> None:
    server, lines = running
    document = references(lines) | {"platforms": [platform() | {"rtmr_1": "ab" * 48}]}
    code, checks = audit(server.url, document, tmp_path)
    assert code == 5
    assert checks["platform.match"]["detail"].startswith("rtmr_1 is ")


def test_a_changed_setting(launcher: Path, tmp_path: Path) -> None:
    """The launch really differs: another setting is measured, and named."""
    data, port = tmp_path / "data", free_port()
    lines = events(launcher, settings_of(data, port))
    with serve(launcher, data, port, TEE_GATE="off", **DEFAULT) as server:
        code, checks = audit(server.url, references(lines), tmp_path)
    assert code == 5, checks
    assert checks["release.match"]["detail"] == 'settings differs: TEE_GATE is "off", expected "warn"'


def test_a_changed_file(launcher: Path, tmp_path: Path) -> None:
    """A release with one changed file refuses to start; made to start, it cannot hide that."""
    copy = tmp_path / "release"
    shutil.copytree(launcher.parent, copy, symlinks=True, copy_function=os.link)
    page = copy / "backend" / "open_webui" / "frontend" / "index.html"
    text = page.read_text()
    page.unlink()
    page.write_text(text.replace("<head>", "<head><!-- changed -->"))
    (copy / "compressed" / page.relative_to(copy).with_name("index.html.gz")).unlink()  # or that one is served
    data, port = tmp_path / "data", free_port()
    lines = events(launcher, settings_of(data, port))
    wrapper = tmp_path / "start"
    wrapper.write_text(f'#!/bin/sh\nexec "{copy}/open-webui-tdx" run --allow-modified\n')
    wrapper.chmod(0o755)
    manifest = str(launcher.parent / "release.json")
    with serve(wrapper, data, port, TEE_GATE="warn", **DEFAULT) as server:
        code, checks = audit(server.url, references(lines), tmp_path, "--check-assets", "--manifest", manifest)
    assert code == 5
    assert checks["release.match"]["detail"].startswith("modified is {")
    assert "index.html" in checks["release.match"]["detail"]
    assert checks["assets.match"]["status"] == "fail"
    assert checks["assets.match"]["detail"].startswith("/: ")
