"""JSON (RFC 8259) as every part of the judgement reads it: one meaning only, bounded size, bounded depth.

Two parsers that disagree about a document (which of two equal keys counts, what a huge number is) can be played against
each other, so what leaves room for disagreement is refused.
"""

import json
import math
from typing import Any, NoReturn

from .errors import Malformed

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1  # what a JavaScript number holds exactly
MAX_DIGITS = 32


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise Malformed(f"the key {key[:64]!r} appears twice in one object")
        members[key] = value
    return members


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS or abs(int(text)) > MAX_INTEGER:
        raise Malformed(f"the number {text[:24]} is beyond 2^53 - 1")
    if text == "-0":
        raise Malformed("the number -0 is not written as 0")
    return int(text)


def _float(text: str) -> float:
    """A number with a fraction or an exponent: one that is whole would be a whole number for JavaScript only."""
    value = float(text) if len(text) <= MAX_DIGITS else math.inf
    if not math.isfinite(value):
        raise Malformed(f"the number {text[:24]} cannot be represented")
    if value.is_integer():
        raise Malformed(f"the whole number {text[:24]} is written with a fraction or an exponent")
    return value


def _constant(text: str) -> NoReturn:
    raise Malformed(f"{text} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=_integer, parse_float=_float, parse_constant=_constant)


def _check_depth(value: Any) -> None:
    level = [value] if isinstance(value, (dict, list)) else []
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise Malformed(f"nested deeper than {MAX_DEPTH} levels")
        children = [child for node in level for child in (node.values() if isinstance(node, dict) else node)]
        level = [child for child in children if isinstance(child, (dict, list))]


def loads(data: bytes | str, what: str = "the document", max_bytes: int = MAX_BYTES) -> Any:
    """Parse a whole JSON text. `what` names it in the error.

    Raises `Malformed`: not UTF-8, longer than `max_bytes`, not JSON, duplicate keys, integers beyond 2^53 - 1,
    NaN or Infinity, whole numbers not written as such (1.0, -0), numbers of more than 32 characters, lone surrogates,
    more than 32 levels.
    """
    try:
        raw = data if isinstance(data, bytes) else data.encode("utf-8")
        if len(raw) > max_bytes:
            raise Malformed(f"larger than {max_bytes} bytes")
        text = raw.decode("utf-8")
        value = _DECODER.decode(text)
        _check_depth(value)
        if "\\u" in text:  # an escape is the only way to a lone surrogate
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except Malformed as error:
        raise Malformed(f"{what} is malformed: {error}") from None
    except UnicodeError:
        raise Malformed(f"{what} is malformed: not valid UTF-8") from None
    except RecursionError:
        raise Malformed(f"{what} is malformed: nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise Malformed(f"{what} is not JSON: {error}") from None
    return value


def load_object(data: bytes | str, what: str = "the document", max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Like `loads`, for a text that must be one object."""
    value = loads(data, what, max_bytes)
    if not isinstance(value, dict):
        raise Malformed(f"{what} is malformed: not a JSON object")
    return value


def is_version(value: Any, version: int) -> bool:
    """Whether `value` is that whole number: neither true nor 1.0, which Python takes for 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value == version


def text_member(members: dict[str, Any], key: str, what: str) -> str:
    """The string at `key`. Raises `Malformed` if it is missing or something else."""
    value = members.get(key)
    if not isinstance(value, str):
        raise Malformed(f"{what} is malformed: {key!r} is {'missing' if value is None else 'not a string'}")
    return value
