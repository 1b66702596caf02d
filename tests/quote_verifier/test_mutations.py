"""Never fooled: whatever is changed, the verdict is no longer `verified`, or every claim is what it was.

Run over a bundle that is `verified` (with the simulator's root counted as genuine), so that any acceptance would show.
The fast tests take a sample; the slow ones go through everything.
"""

import copy
import json
import random
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quote_verifier.references import references_from
from quote_verifier.verdict import Verdict

from quote_verifier import Options, verify
from simulator import pki
from simulator.collateral import collateral

from .world import NOW, Td, references, within

pytestmark = pytest.mark.slow  # thousands of whole verdicts

ORIGIN, SPKI = "https://chat.example", "ab" * 32
TD = Td()
TD.bound |= {"origin": ORIGIN, "tls": {"spki_sha256": SPKI, "key": "drawn"}}
GOOD = TD.bundle(connected={"origin": ORIGIN, "tls_spki_sha256": SPKI})
OPTIONS = Options(references=references_from(references()), test_root_is_genuine=True)
QUOTE = bytes.fromhex(GOOD["evidence"]["quote"])
REPLACEMENTS: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**53,
    10**300,
    1.5,
    "",
    "x",
    "\x00",
    "é",
    [],
    {},
    [[]],
    "0" * 1000,
]


def judge(document: Any) -> Verdict:
    return verify(document if isinstance(document, (str, bytes)) else json.dumps(document), now=NOW, options=OPTIONS)


BASE = judge(GOOD)


def check(document: Any) -> Verdict:
    """The property itself."""
    verdict = judge(document)
    if verdict.overall == "verified":
        assert verdict.claims == BASE.claims
    assert len(verdict.checks) == len(BASE.checks)
    assert all("\n" not in item.detail for item in verdict.checks)
    return verdict


def with_quote(quote: bytes) -> dict[str, Any]:
    return GOOD | {"evidence": GOOD["evidence"] | {"quote": quote.hex()}}


def test_the_base_is_verified() -> None:
    assert BASE.overall == "verified", [item for item in BASE.checks if item.status != "pass"]
    assert BASE.claims


# --- the quote, byte by byte ----------------------------------------------------------------------------------------
def flip(position: int, mask: int) -> bytes:
    changed = bytearray(QUOTE)
    changed[position] ^= mask
    return bytes(changed)


@pytest.mark.parametrize("seed", range(4))
def test_some_bytes_of_the_quote(seed: int) -> None:
    choose = random.Random(seed)
    for _ in range(60):
        check(with_quote(flip(choose.randrange(len(QUOTE)), 1 << choose.randrange(8))))


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_every_byte_of_the_quote(mask: int) -> None:
    signed = 48 + 584
    for position in range(len(QUOTE)):
        verdict = check(with_quote(flip(position, mask)))
        if position < signed:
            assert verdict.overall == "not-genuine", position


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(QUOTE)), st.integers(0, 64), st.binary(max_size=64))
def test_spliced_quotes(position: int, removed: int, inserted: bytes) -> None:
    check(with_quote(QUOTE[:position] + inserted + QUOTE[position + removed :]))


# --- the JSON, field by field ---------------------------------------------------------------------------------------
def paths(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if prefix:
        yield prefix
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from paths(child, (*prefix, key))


PATHS = list(paths(GOOD))


def replaced(path: tuple[Any, ...], value: Any) -> Any:
    document = copy.deepcopy(GOOD)
    target: Any = document
    for key in path[:-1]:
        target = target[key]
    if value is ...:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return document


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_every_member_dropped_or_of_another_kind(path: tuple[Any, ...]) -> None:
    for value in (..., *REPLACEMENTS):
        check(replaced(path, value))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([path for path in PATHS if path]), st.data())
def test_strings_changed_in_one_place(path: tuple[Any, ...], data: st.DataObject) -> None:
    value: Any = GOOD
    for key in path:
        value = value[key]
    if isinstance(value, str) and value:
        position = data.draw(st.integers(0, len(value) - 1))
        char = data.draw(st.characters(exclude_categories=["Cs"]))
        check(replaced(path, value[:position] + char + value[position + 1 :]))


# --- the text -------------------------------------------------------------------------------------------------------
TEXT = json.dumps(GOOD)


def test_duplicate_keys_everywhere() -> None:
    """Each object of the document with one of its keys twice, the second time with an innocent value."""
    opened = [index for index, char in enumerate(TEXT) if char == "{" and TEXT[index + 1] == '"']
    outside = [index for index in opened if not inside_string(index)]
    assert len(outside) >= 4
    for index in outside:
        key = json.JSONDecoder().raw_decode(TEXT, index + 1)[0]
        text = f"{TEXT[: index + 1]}{json.dumps(key)}: 1, {TEXT[index + 1 :]}"
        assert check(text).overall == "not-genuine"


def inside_string(index: int) -> bool:
    return TEXT[:index].replace('\\"', "").count('"') % 2 == 1


@pytest.mark.parametrize(
    "number", ["9" * 400, "-" + "9" * 400, "1e400", "1" + "0" * 5000, "0.1e-99999", "NaN", "Infinity"]
)
def test_huge_numbers(number: str) -> None:
    for member in ('"v": 1', '"v": 1, "x": 1'):
        with within(5):
            assert check(TEXT.replace('"v": 1', member.replace("1", number), 1)).overall == "not-genuine"


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("depth", [33, 2000, 200_000])
def test_deep_nesting(opening: str, depth: int) -> None:
    with within(10):
        assert check(f'{{"v": 1, "x": {opening * depth}').overall == "not-genuine"
        closing = "".join({"[": "]", "{": "}"}[char] for char in reversed(opening) if char in "[{")
        inner = opening * depth + "1" + closing * depth
        assert check(f'{{"v": 1, "x": {inner}}}').overall == "not-genuine"


def test_memory_stays_bounded() -> None:
    monsters = [b"[" * 4_000_000, b"[" + b"1," * 1_000_000 + b"1]", b" " * 50_000_000]
    tracemalloc.start()
    try:
        for monster in monsters:
            assert check(monster).overall == "not-genuine"
        assert tracemalloc.get_traced_memory()[1] < 256 * 1024 * 1024
    finally:
        tracemalloc.stop()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(TEXT) - 1), st.binary(min_size=1, max_size=3))
def test_bytes_of_the_text(position: int, inserted: bytes) -> None:
    raw = TEXT.encode()
    check(raw[:position] + inserted + raw[position + len(inserted) :])


def test_every_byte_of_the_text() -> None:
    raw = bytearray(TEXT.encode())
    for position in range(0, len(raw), 3):
        original = raw[position]
        raw[position] ^= 0x01 + position % 7
        check(bytes(raw))
        raw[position] = original


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=500))
def test_any_bytes(data: bytes) -> None:
    assert check(data).overall == "not-genuine"


# --- the log --------------------------------------------------------------------------------------------------------
LINES = GOOD["evidence"]["event_log"].splitlines()


def logs() -> Iterator[list[str]]:
    for index in range(len(LINES)):
        yield LINES[:index] + LINES[index + 1 :]
        yield LINES[: index + 1] + LINES[index:]
        yield [*LINES[:index], LINES[index] + " ", *LINES[index + 1 :]]
        for other in range(index):
            swapped = LINES.copy()
            swapped[index], swapped[other] = swapped[other], swapped[index]
            yield swapped


def test_lines_dropped_repeated_and_reordered() -> None:
    for lines in logs():
        log = "\n".join(lines) + "\n"
        assert check(replaced(("evidence", "event_log"), log)).overall == "not-genuine"


@pytest.mark.parametrize("step", [17, pytest.param(1, marks=pytest.mark.slow)])
def test_every_character_of_the_log(step: int) -> None:
    log = GOOD["evidence"]["event_log"].removesuffix("\n")
    for index in range(0, len(log), step):
        changed = log[:index] + chr(ord(log[index]) ^ 1) + log[index + 1 :]
        assert check(replaced(("evidence", "event_log"), changed)).overall == "not-genuine", index


# --- certificates and collateral ------------------------------------------------------------------------------------
NAMES = ("root", "platform-ca", "pck", "tcb-signing")
CHAINS = ("pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain")


def test_certificates_swapped() -> None:
    """Every chain of the collateral replaced by every ordered pair of the PKI's certificates."""
    for member in CHAINS:
        for first in NAMES:
            for second in NAMES:
                chain = pki.pem_chain(pki.certificate(first), pki.certificate(second))
                verdict = check(replaced(("collateral", member), chain))
                if member != "pck_crl_issuer_chain" and first != "tcb-signing":
                    assert verdict.overall == "not-genuine", (member, first, second)


def test_members_of_the_collateral_swapped() -> None:
    members = sorted(GOOD["collateral"])
    for first in members:
        for second in members:
            swapped = GOOD["collateral"] | {first: GOOD["collateral"][second]}
            verdict = check(GOOD | {"collateral": swapped})
            if first != second and not (first in CHAINS and second in CHAINS):
                assert verdict.overall == "not-genuine", (first, second)


@pytest.mark.parametrize("fault", ["other-fmspc", "foreign-root", "expired", "tcb-OutOfDate", "revoked-pck"])
def test_members_of_other_collateral(fault: str) -> None:
    """Mixing in parts of another platform's, an older or a worse collateral never verifies."""
    other = collateral(NOW, fault=fault)
    for member, value in other.items():
        if value != GOOD["collateral"][member]:
            assert check(GOOD | {"collateral": GOOD["collateral"] | {member: value}}).overall != "verified", member
    assert check(GOOD | {"collateral": other}).overall != "verified"
