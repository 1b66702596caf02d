"""docs/deployment.md says what the launcher does."""

from __future__ import annotations

import re
from pathlib import Path

from launcher import cli, errors
from launcher.plan import settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "deployment.md").read_text()


def test_every_setting_is_documented_with_its_default() -> None:
    table = PAGE.split("## Settings")[1].split("Open WebUI's own settings")[0]
    documented = [
        name for row in re.findall(r"^\| (`[^|]*) \|", table, re.M) for name in re.findall(r"`([A-Z0-9_]+)`", row)
    ]
    assert sorted(documented) == sorted(settings.NAMES)
    for value in (settings.DEFAULT_OLLAMA, settings.DEFAULT_STORE, "3600", "180"):
        assert f"| {value} |" in table


def test_every_command_is_documented() -> None:
    assert set(re.findall(r"open-webui-tdx ([a-z]+(?:-[a-z]+)*)[ `\n]", PAGE)) >= set(cli._COMMANDS) - {"run"}


def test_every_exit_code_is_documented() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d) \|", PAGE.split("## When something goes wrong")[1], re.M)}
    classes = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.LauncherError)
    ]
    assert codes == {0} | {kind.code for kind in classes}
    assert set(map(int, re.findall(r"\b(\d) [a-z]", cli.EXIT_CODES))) == codes


def test_every_event_is_documented() -> None:
    source = "".join(path.read_text() for path in (ROOT / "launcher").rglob("*.py"))
    operations = set(re.findall(r'Event\("([a-z]+)"', source)) | {"tool", "function"}
    table = PAGE.split("## What is measured")[1].split("`open-webui-tdx events`")[0]
    for operation in operations:
        assert f"`{operation}`" in table
