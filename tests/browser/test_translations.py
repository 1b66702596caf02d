"""Every sentence of the shield, the panel and the gate exists in the four languages, with the same placeholders."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "patches" / "files" / "src" / "lib"
LANGUAGES = ("en-US", "ja-JP", "zh-CN", "id-ID")
TEXT = r"'((?:[^'\\]|\\.)*)'"
# Where our sources name a sentence: translated at once, or carried as a Sentence and translated later.
USES = (
    rf"\$t\(\s*{TEXT}",
    rf"\btext: {TEXT}",
    rf"new RoundError\(\s*{TEXT}",
    rf"\btranslate\({TEXT}",
    rf"\bfailure = {TEXT}",
)


def translations(language: str) -> dict[str, str]:
    path = SOURCES / "i18n" / "locales" / language / "tee.json"
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def used() -> set[str]:
    """Sentences in our sources, and the verifier's messages by key."""
    sources = [*SOURCES.glob("tee/*.ts"), *SOURCES.glob("components/tee/*.svelte")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    messages = (ROOT / "web-verifier" / "src" / "messages.ts").read_text(encoding="utf-8")
    keys = re.findall(r"^\t'(tee\.check\.[\w.]+)':", messages, re.M)
    assert len(keys) > 50
    return {sentence for pattern in USES for sentence in re.findall(pattern, text)} - {""} | set(keys)


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
    messages = (ROOT / "web-verifier" / "src" / "messages.ts").read_text(encoding="utf-8")
    said = dict(re.findall(rf"^\t'(tee\.check\.[\w.]+)': {TEXT}", messages, re.M))
    english = translations("en-US")
    for key, text in said.items():
        assert english[key] == text.replace("\\'", "'"), key
