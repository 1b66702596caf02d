"""Origins as browsers spell them: what each address of tests/vectors/origins.json is, is asked of a browser's engine
too (web/test/origin.test.ts)."""

import json
from pathlib import Path

import pytest
from quote_verifier.address import is_origin, origin_of, parse_address
from quote_verifier.errors import Malformed

VECTORS = json.loads((Path(__file__).resolve().parents[1] / "vectors" / "origins.json").read_text())


def spelling(url: str) -> str | None:
    try:
        return origin_of(url)
    except Malformed:
        return None


def test_as_browsers_spell_it() -> None:
    expected = VECTORS["origins"]
    assert {url: spelling(url) for url in expected} == expected
    assert len(expected) > 60


def test_what_browsers_mend_is_refused() -> None:
    assert {url for url in VECTORS["refused"] if spelling(url) is not None} == set()


def test_an_origin_is_one_in_its_one_spelling() -> None:
    for url, origin in VECTORS["origins"].items():
        assert origin is None or is_origin(origin)
        assert is_origin(url) == (url == origin)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://chat.example/?x", "has a query"),
        ("https://chat.example#", "has a fragment"),
        ("https://me:secret@chat.example", "has a user name"),
        ("https://@chat.example", "has a user name"),
        ("chat.example", "not an http or https URL"),
        ("https://256.0.0.1", "that a browser would open"),
        ("https://chat.example/a b", "that a browser would open"),
        ("https://chat.example:99999", "that a browser would open"),
        ("", "not an http or https URL"),
    ],
)
def test_the_part_that_is_wrong_is_named(url: str, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        parse_address(url)


def test_a_path_is_kept_without_its_last_slash() -> None:
    assert parse_address("HTTPS://Chat.example:443/A/b/").url == "https://chat.example/A/b"
