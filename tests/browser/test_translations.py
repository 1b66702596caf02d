"""Every sentence of the shield, the panel and the gate exists in the four languages, with the same placeholders.

The sentences are found in the sources: the page's, the reasons that the verifier gives, the server's own answers.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "patches" / "files" / "src" / "lib"
BACKEND = ROOT / "patches" / "files" / "backend" / "attestation"
WEB = ROOT / "web" / "src"
LANGUAGES = ("en-US", "ja-JP", "zh-CN", "id-ID")
TEXT = r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
# Where our views name a sentence; the rest of the page makes clauses, as the verifier does.
USES = (rf"\$t\(\s*{TEXT}", rf"\btranslate\({TEXT}", rf"\bfailure = {TEXT}")
# Tables of words, one a line.
TABLES = rf"^\t\t\w+: (?=['\"][A-Z]){TEXT},?$"
# Templates that are parameters (sentence.ts declares `clause`) or stand in data that both verifiers read.
HANDED_ON = {
    "client/inside.ts": (r"whyNot\(\)",),
    "client/sealed-fetch.ts": (r"clocksApart\(", r"said\(error\)"),
    "shared/sentence.ts": (r"text(?:: string)?,",),
    "shared/parts.ts": (r"part\)",),
    "verifier/boot-events.ts": (r"words\)",),
    "verifier/site.ts": (r"rule\.warning!,",),
    "verifier/release.ts": (r"sentence\)",),
}


def namespace(language: str, name: str) -> dict[str, str]:
    path = SOURCES / "i18n" / "locales" / language / f"{name}.json"
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def translations(language: str) -> dict[str, str]:
    """Both of a language's files: no sentence is in both."""
    first, later = (namespace(language, name) for name in ("tee", "tee-panel"))
    assert set(first) & set(later) == set()
    return first | later


def used() -> set[str]:
    """Sentences in our sources, and the verifier's messages by key."""
    sources = [*SOURCES.glob("tee/*.ts"), *SOURCES.glob("components/tee/*.svelte")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    keys = messages()
    assert len(keys) > 50
    spoken = {unquoted(sentence) for pattern in (*USES, TABLES) for sentence in re.findall(pattern, text, re.M)}
    return spoken - {""} | set(keys) | set(reasons()) | set(recognised())


def messages() -> dict[str, str]:
    """The verifier's sentences by key: its own, and the titles of the checks, which both verifiers read."""
    source = (WEB / "verifier" / "messages.ts").read_text(encoding="utf-8")
    own = re.findall(rf"^\t'(tee\.check\.[\w.]+)':\s*{TEXT}", source, re.M)
    checks = json.loads((WEB / "data" / "checks.json").read_text(encoding="utf-8"))
    asked = checks["quote"] | checks["server"]
    titles = {f"tee.check.{name}.title": check["title"] for name, check in asked.items()}
    return titles | {key: unquoted(text) for key, text in own}


def unquoted(literal: str) -> str:
    """The text of a string literal of JavaScript as prettier writes ours, which Python reads alike."""
    return str(ast.literal_eval(literal))


def reason_classes(sources: dict[str, str]) -> set[str]:
    """The errors whose first argument is a template: Reason and what extends it without a constructor of its own."""
    found = {"Reason"}
    declared = re.findall(r"class (\w+) extends (\w+) \{(\}|.*?^\})", "\n".join(sources.values()), re.M | re.S)
    while more := {name for name, base, _ in declared if base in found} - found:
        found |= more
    return found - {name for name, _, body in declared if "constructor(" in body and "text: string" not in body}


def reasons() -> list[str]:
    """Templates of the clauses that the page and the verifier make; each must be written out where it is made."""
    sources = {str(path.relative_to(WEB)): path.read_text(encoding="utf-8") for path in WEB.glob("**/*.ts")}
    names = reason_classes(sources)
    assert {"QuoteFormatError", "JsonError", "EvidenceError", "TokenRefused"} <= names
    makes = rf"(?:\bclause|\bnew (?:{'|'.join(sorted(names))}))\("
    found = []
    for name, source in sources.items():
        # a clause made before may be passed on, and so may what HANDED_ON says of a file
        handed_on = "|".join([r"clauseOf\(", *HANDED_ON.get(name, ())])
        for use in re.finditer(rf"{makes}\s*(?:{TEXT}|({handed_on})|)", source):
            template, passed = use.groups()
            line = source.count("\n", 0, use.start()) + 1
            assert template or passed, f"{name}:{line}: the reason's template is not written out here"
            found += [unquoted(template)] if template else []
    assert len(found) > 80
    data = {
        name: json.loads((WEB / "data" / f"{name}.json").read_text(encoding="utf-8")) for name in ("site", "events")
    }
    sentences = [("site", "warning"), ("events", "doubt"), ("events", "part")]
    found += [entry[told] for name, told in sentences for entry in data[name].values() if told in entry]
    report = json.loads((WEB / "data" / "td_report.json").read_text(encoding="utf-8"))
    boot = json.loads((WEB / "data" / "boot_events.json").read_text(encoding="utf-8"))
    found += [*boot["kinds"].values(), *(told["words"] for told in boot["told"])]
    return found + list(report["platform"].values())


def recognised() -> list[str]:
    """The server's sentences that the page knows."""
    source = (WEB / "client" / "answers.ts").read_text(encoding="utf-8")
    block = re.search(r"const ANSWERS = \[(.*?)\];", source, re.S)
    assert block
    return [unquoted(text) for text in re.findall(TEXT, block.group(1))]


def skeleton(text: str) -> str:
    return re.sub(r"{{\w+}}", "{{}}", text)


def skeletons(node: ast.expr) -> list[str]:
    """The sentences that a Python expression writes out, each value as `{{}}`; none where it passes one on."""
    if isinstance(node, ast.BoolOp):
        return [text for value in node.values for text in skeletons(value)]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "{{}}" for part in node.values)]
    return []


def answered() -> set[str]:
    """What the attestation endpoints and their attester may answer as `detail`, but for malformed requests."""
    said = set()
    attester = [ROOT / "quote_generator" / name for name in ("service.py", "batches.py")]
    for path in (BACKEND / "attester.py", BACKEND / "collateral.py", *attester):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            ours = node.func.id in ("AttesterError", "CollateralError")
            if ours or (node.func.id == "Refusal" and "bad-request" not in skeletons(node.args[0])):
                said |= set(skeletons(node.args[-1]))
    return said


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"{{\w+}}", text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_translated(language: str) -> None:
    assert used() - set(translations(language)) == set()


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_no_translation_is_empty_or_loses_a_value(language: str) -> None:
    english, other = translations("en-US"), translations(language)
    assert set(english) == set(other)
    for key, text in other.items():
        assert text.strip(), key
        assert placeholders(text) == placeholders(english[key]), key


def test_the_english_of_the_verifier_is_the_verifiers() -> None:
    english = translations("en-US")
    for key, text in messages().items():
        assert english[key] == text, key


def test_the_english_of_a_reason_is_its_key() -> None:
    """Where a key is the sentence itself, en-US must say what the verifier says."""
    sentences = {key: text for key, text in translations("en-US").items() if not key.startswith("tee.check.")}
    assert {key: text for key, text in sentences.items() if key != text} == {}


def test_the_first_page_loads_what_it_may_say_and_no_more() -> None:
    """The shield's sentences, and what the page says while nothing else is loaded; the rest comes with the panel."""
    parts = (SOURCES / "components/tee" / f"{name}.svelte" for name in ("Shield", "Unreached"))
    first = (*parts, SOURCES / "tee/page.ts", WEB / "client/wording.ts", WEB / "client/locked.ts")
    text = "\n".join(path.read_text(encoding="utf-8") for path in first)
    patterns = (*USES, rf"\bclause\(\s*{TEXT}")
    said = {unquoted(sentence) for pattern in patterns for sentence in re.findall(pattern, text, re.M)}
    assert set(namespace("en-US", "tee")) == said


def test_no_translation_is_left_over() -> None:
    spare = set(translations("en-US")) - used()
    in_tables = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES.glob("**/tee/*.*"))
    assert {key for key in spare if f"'{key}'" not in in_tables} == set()


def test_the_page_knows_what_the_server_answers() -> None:
    known = {skeleton(text) for text in recognised()}
    assert len(known) == len(recognised())
    assert answered() == known
