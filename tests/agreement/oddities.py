"""Values and texts that are nearly right: how JSON documents, texts and strings are made wrong, or only unusual."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

Path = tuple[Any, ...]

NUMBERS = (0, -1, 1, 2, 15, 16, 17, 255, 256, 65535, 65536, 2**31, 2**32, 2**53 - 1, 2**53, 10**30, 1.5, 1e300)
TEXTS = ("", "x", "0", "00", "é", "\0", " ", "null", "0x01", "-----BEGIN CERTIFICATE-----", "\U0001f600", "__proto__")
CONTAINERS: tuple[Any, ...] = ([], {}, [[]], [None], {"": ""}, {"__proto__": 1}, {"constructor": {}})
ODD: tuple[Any, ...] = (None, True, False, *NUMBERS, *TEXTS, *CONTAINERS)
CHARACTERS = '0aAfFgZ9 \t\n\r\0\x0b\x7f\u00a0\u2028\ufeff-_+/=.:,"\\{}[]é\u0130ß\U0001f600'


def paths(value: Any, prefix: Path = ()) -> Iterator[Path]:
    """The path of every value inside `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*prefix, key)
        yield from paths(child, (*prefix, key))


def odd_text(rng: Random, text: str) -> str:
    """`text` with one place changed, its case, or what surrounds it."""
    at = rng.randrange(len(text) + 1)
    char = rng.choice(CHARACTERS)
    return rng.choice(
        (
            text[:at] + char + text[at:],
            text[:at] + char + text[at + 1 :],
            text[:at] + text[at + 1 :],
            text[:at],
            text.upper(),
            text.lower(),
            text + rng.choice((" ", "\n", "\0", "=", "/", ".", "0")),
            rng.choice((" ", "0x", "\n", "\ufeff")) + text,
            text + text,
        )
    )


def odd_value(rng: Random, value: Any) -> Any:
    """Something near `value`, or something altogether else."""
    if isinstance(value, str) and rng.random() < 0.6:
        return odd_text(rng, value)
    if isinstance(value, int) and not isinstance(value, bool) and rng.random() < 0.6:
        return value + rng.choice((-2, -1, 1, 2, 255, -value, value))
    if isinstance(value, list) and value and rng.random() < 0.7:
        items = list(value)
        return rng.choice((items[::-1], items[1:], items[:-1], items + items, [*items, items[0]], [items[0]]))
    return copy.deepcopy(rng.choice(ODD))


def odd_document(rng: Random, value: Any) -> Any:
    """A copy of a JSON value with one member or item dropped, added, renamed or made odd."""
    document = copy.deepcopy(value)
    places = list(paths(document))
    if not places:
        return odd_value(rng, document)
    path = rng.choice(places)
    parent: Any = document
    for key in path[:-1]:
        parent = parent[key]
    kind = rng.randrange(10)
    if kind < 2:
        del parent[path[-1]]
    elif kind == 2 and isinstance(parent, dict):
        parent[odd_text(rng, str(path[-1]))] = rng.choice((parent[path[-1]], *ODD))
    elif kind == 3 and isinstance(parent, dict):
        parent[odd_text(rng, str(path[-1]))] = parent.pop(path[-1])
    else:
        parent[path[-1]] = odd_value(rng, parent[path[-1]])
    return document


def _respelled_number(rng: Random, text: str) -> str:
    number = rng.choice(
        ("1.0", "1e0", "10e-1", "01", "-0", "+1", "1.", ".5", "1E400", "9" * 40, "0." + "3" * 40, "NaN")
    )
    numbers = [found.span() for found in re.finditer(r"(?<=[:\[,])-?[0-9]+(?=[,}\]])", text)]
    if not numbers:
        return text
    start, end = rng.choice(numbers)
    value = text[start:end]
    exact = rng.choice((f"{value}.0", f"{value}e0", f"{value}0e-1", f"0{value}", f"{value}.", f"{value}.000000000000"))
    return text[:start] + rng.choice((number, exact, exact)) + text[end:]


def _escaped(rng: Random, text: str) -> str:
    """One letter of a string written as an escape, which means the same; or an escape that means nothing good."""
    letters = [at for at, char in enumerate(text) if char.isalpha() and text[at - 1].isalnum()]
    if not letters:
        return text
    at = rng.choice(letters)
    escape = rng.choice((f"\\u{ord(text[at]):04x}", f"\\u{ord(text[at]):04X}", "\\ud800", "\\u00e9", "\\x41", "\\/"))
    return text[:at] + escape + text[at + 1 :]


def _doubled_key(rng: Random, text: str) -> str:
    keys = list(re.finditer(r'"([A-Za-z_0-9]+)":', text))
    if not keys:
        return text
    key = rng.choice(keys)
    return text[: key.start()] + f'"{key[1]}":{rng.choice(("1", "null", chr(34) * 2))},' + text[key.start() :]


def _deeper(rng: Random, text: str) -> str:
    depth = rng.choice((1, 28, 29, 30, 31, 32, 33, 100))
    values = [found.span() for found in re.finditer(r"(?<=:)(?:null|true|-?[0-9]+)(?=[,}])", text)]
    if not values:
        return text
    start, end = rng.choice(values)
    opening, closing = rng.choice((("[", "]"), ('{"a":', "}")))
    return text[:start] + opening * depth + text[start:end] + closing * depth + text[end:]


def _spaced(rng: Random, text: str) -> str:
    places = [at for at, char in enumerate(text) if char in ",:{}[]"]
    at = rng.choice(places) if places else 0
    return (
        text[:at] + rng.choice((" ", "\n", "\t", "\r\n", "\x0b", "\x0c", "\u00a0", "\ufeff", "/**/", ",")) + text[at:]
    )


def _around(rng: Random, text: str) -> str:
    return rng.choice((" {}", "{} ", "\ufeff{}", "{}\n", "{}x", "{}\0", "[{}]", "{}{}")).replace("{}", text)


_SPELLINGS: tuple[Callable[[Random, str], str], ...] = (
    _respelled_number,
    _escaped,
    _doubled_key,
    _deeper,
    _spaced,
    _around,
    odd_text,
)


def odd_spelling(rng: Random, text: str) -> str:
    """A JSON text spelled in another way: some mean the same, some are no JSON, some two readers could disagree on."""
    return rng.choice(_SPELLINGS)(rng, text)


def odd_json(rng: Random, text: str) -> str:
    """A JSON text with another value or another spelling; a text that is no JSON any more gets another spelling."""
    try:
        value = json.loads(text) if rng.random() < 0.5 else None
    except (ValueError, RecursionError):
        value = None
    if value is None:
        return odd_spelling(rng, text)
    return json.dumps(odd_document(rng, value), separators=(",", ":"))
