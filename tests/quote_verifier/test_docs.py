"""Documentation drifts: what docs/verification.md says of commands, codes, checks and the policy is compared here."""

import re
import shlex
from pathlib import Path

import pytest
from quote_verifier.facts import load
from quote_verifier.policy import DEFAULT_TOML
from quote_verifier.verdict import EXIT_CODES, TITLES
from typer.main import get_command

from quote_verifier import cli

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "verification.md").read_text()
COMMANDS = [line.strip() for line in TEXT.splitlines() if line.startswith("    quote-verifier ")]


def test_exit_codes() -> None:
    rows = {match[2]: int(match[1]) for match in re.finditer(r"^\| (\d) \| `([a-z-]+)` \|", TEXT, re.MULTILINE)}
    assert rows == EXIT_CODES


def test_checks() -> None:
    table = re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", TEXT, re.MULTILINE)
    added = [*load("checks")["page"], *load("checks")["name"]]  # by an option, at the end
    assert [*table, *added] == list(TITLES)
    assert all(f"`{check}`" in TEXT for check in added)
    model = (ROOT / "tests" / "vectors" / "README.md").read_text()
    assert re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", model, re.MULTILINE) == table


def test_policy() -> None:
    block = "\n".join(("    " + line).rstrip() for line in DEFAULT_TOML.rstrip("\n").split("\n"))
    assert block in TEXT


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_have_only_options_that_exist(line: str) -> None:
    known = {name for parameter in get_command(cli.app).params for name in parameter.opts}
    for word in shlex.split(line.split(" > ")[0])[1:]:
        if word.startswith("--"):
            assert word in known


def test_every_option_is_mentioned() -> None:
    known = {name for parameter in get_command(cli.app).params for name in parameter.opts if name.startswith("--")}
    missing = {name for name in known - {"--help"} if name not in TEXT}
    assert not missing


def test_files_exist() -> None:
    for name in ("threat-model.md", "design.md"):
        assert (ROOT / "docs" / name).is_file()
