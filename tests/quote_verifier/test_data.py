"""What both verifiers know is written once: in `data/`. Nothing lists it again, and what must, says the same."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest
from quote_verifier.quote import TD15_FIELDS
from quote_verifier.tokens import ServiceName

from quote_verifier import facts, verdict

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "quote_verifier" / "src" / "quote_verifier"
GROUPED = ("checks", "td_report", "service_claims")  # files whose members are lists of names
WORDED = "verdicts"  # each status has words for people in several places, which the types hold complete
SHARE = 0.6  # a list that holds this much of a file's names is the list again; a smaller one has a meaning of its own


def names() -> dict[str, set[str]]:
    """The names that each part of the data lists, where there are enough for a list to be told from a mention."""
    found = {}
    for path in sorted((PACKAGE / "data").glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        parts: dict[str, Any] = document if path.stem in GROUPED else {"": document}
        for part, members in parts.items():
            found[f"{path.stem} {part}".strip()] = set(members)
    return {where: listed for where, listed in found.items() if len(listed) >= 5 and where != WORDED}


def literals(tree: ast.AST) -> Iterator[tuple[int, set[str]]]:
    """The strings that each tuple, list, set or dictionary of a module writes out; types are held further below."""
    typed = {id(part) for node in ast.walk(tree) if isinstance(node, ast.Subscript) for part in ast.walk(node.slice)}
    for node in ast.walk(tree):
        if id(node) in typed:
            continue
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            # of pairs, the first is the name
            members = [part.elts[0] if isinstance(part, ast.Tuple) and part.elts else part for part in node.elts]
        elif isinstance(node, ast.Dict):
            members = [key for key in node.keys if key is not None]
        else:
            continue
        texts = [part.value for part in members if isinstance(part, ast.Constant)]
        yield node.lineno, {text for text in texts if isinstance(text, str)}


def repeated(source: str) -> list[str]:
    return [
        f"line {line} lists {where} again"
        for line, written in literals(ast.parse(source))
        for where, listed in names().items()
        if len(written & listed) >= SHARE * len(listed)
    ]


def test_there_is_something_to_repeat() -> None:
    assert {"checks quote", "checks server", "td_report td_10", "events", "tcb_statuses"} <= set(names())


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.name)
def test_no_module_lists_the_data_again(path: Path) -> None:
    assert repeated(path.read_text(encoding="utf-8")) == []


def test_a_list_written_out_would_be_found() -> None:
    listed = list(facts.load("td_report")["td_10"])
    for written in (listed, dict.fromkeys(listed, 48), [(name, 48) for name in listed], tuple(listed[:10])):
        assert "line 1 lists td_report td_10 again" in repeated(f"FIELDS = {written!r}")


def test_the_types_name_what_the_data_names() -> None:
    assert set(get_args(verdict.Overall)) == set(facts.load("verdicts")["overall"])
    assert set(get_args(ServiceName)) == set(facts.load("services"))
    assert {check["failure"] for group in facts.load("checks").values() for check in group.values()} <= set(
        get_args(verdict.Overall)
    )


def test_each_field_of_a_report_begins_where_the_one_before_it_ends() -> None:
    report = facts.load("td_report")
    at = 0
    for name, size in TD15_FIELDS:
        field = (report["td_10"] | report["td_15"])[name]
        assert (field["offset"], field["size"]) == (at, size), name
        at += size
    assert at == 648


def test_the_plugin_has_the_same_fields() -> None:
    """The plugin is a distribution of its own, without a verifier."""
    from quote_generator.formats.bodies import TdBody15

    layout = {field.name: (field.metadata["offset"], field.metadata["size"]) for field in fields(TdBody15)}
    report = facts.load("td_report")
    known = report["td_10"] | report["td_15"]
    assert layout == {name: (field["offset"], field["size"]) for name, field in known.items()}


def test_the_attester_binds_the_same_members() -> None:
    """The plugin is a distribution of its own, without a verifier."""
    from quote_generator.runtime_data import FIXED, MEMBERS, VERSION

    table = facts.load("runtime_data")
    assert {name: entry["type"] for name, entry in table.items()} == MEMBERS
    assert {name for name, entry in table.items() if entry["bound"] == "by door or launcher"} == MEMBERS.keys() - set(
        FIXED
    )
    assert {name for name, entry in table.items() if not entry.get("optional")} == {"v", "nonces"}
    assert {entry["since"] for entry in table.values()} == {VERSION}
    assert all(entry["meaning"] for entry in table.values())


def test_the_release_names_the_same_services_and_platform() -> None:
    services, platform = facts.load("services"), tuple(facts.load("td_report")["platform"])
    for path in ("launcher/plan/settings.py", "patches/files/backend/attestation/settings.py"):
        assert '"none", ' + ", ".join(f'"{name}"' for name in services) in (ROOT / path).read_text(encoding="utf-8")
    backend = (ROOT / "patches/files/backend/attestation/settings.py").read_text(encoding="utf-8")
    assert re.findall(r'^ALIBABA_SERVICE_URL = "(.*)"$', backend, re.M) == [services["alibaba"]["url"]]
    from launcher.measure.reference import PLATFORM

    assert platform == PLATFORM


def test_the_launcher_measures_known_operations_only() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "launcher").glob("**/*.py")]
    measured = set(re.findall(r'\bEvent\(\s*"(\w+)"', "\n".join(sources)))
    assert {"release", "settings"} <= measured <= set(facts.load("events"))


def test_the_launcher_keeps_the_same_settings_off_this_machine() -> None:
    from launcher.plan.data_settings import _KEEPERS

    keepers = facts.load("site")["endpoints"]["keepers"]
    assert {*_KEEPERS, "STORAGE_PROVIDER"} == set(keepers)  # a provider's name leads elsewhere, never to this machine
