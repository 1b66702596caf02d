"""Shape of the two documents that Intel signs: TCB info (version 3) and the QE's identity (Intel PCS API, version 4).

Establishes nothing about who signed. It refuses what dcap-qvl's implementations would read differently: members that
are missing or of another type, and levels that are not listed from the highest to the lowest, as Intel specifies them
(one implementation sorts them, the other takes the first that fits). Members that are not listed here are left alone.
"""

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from .errors import Malformed
from .facts import statuses_of
from .times import is_intel_time

Rule = Callable[[Any], bool]
Shape = Rule | tuple["Shape"] | Mapping[str, "Shape"]  # one value, a list of them, or members ("?": may be missing)

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})*\Z")
_MODULE_ID = re.compile(r"TDX_[0-9A-F]{2}\Z")


def _natural(most: int) -> Rule:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _hexadecimal(size: int) -> Rule:
    return lambda value: isinstance(value, str) and len(value) == 2 * size and bool(_HEX.match(value))


def _one_of(*allowed: Any) -> Rule:
    return lambda value: any(type(value) is type(one) and value == one for one in allowed)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_components(value: Any) -> bool:
    return (
        isinstance(value, list) and len(value) == 16 and all(_fault(item, {"svn": _BYTE}, "") is None for item in value)
    )


def _level(tcb: Shape, *statuses: str) -> Shape:
    return {"tcb": tcb, "tcbDate": is_intel_time, "tcbStatus": _one_of(*statuses), "advisoryIDs?": (_is_text,)}


_BYTE, _SHORT, _LONG = _natural(0xFF), _natural(0xFFFF), _natural(0xFFFF_FFFF)
_DATES: dict[str, Shape] = {"issueDate": is_intel_time, "nextUpdate": is_intel_time}
_MODULE: dict[str, Shape] = {
    "mrsigner": _hexadecimal(48),
    "attributes": _hexadecimal(8),
    "attributesMask": _hexadecimal(8),
}
_MODULE_LEVEL = _level({"isvsvn": _BYTE}, *statuses_of("module"))
_PLATFORM_TCB: Shape = {"sgxtcbcomponents": _is_components, "pcesvn": _SHORT, "tdxtcbcomponents": _is_components}
SHAPES: dict[str, Shape] = {
    "tcb_info": {
        "id": _one_of("TDX"),
        "version": _one_of(3),
        **_DATES,
        "fmspc": _hexadecimal(6),
        "pceId": _hexadecimal(2),
        "tcbType": _LONG,
        "tcbEvaluationDataNumber": _LONG,
        "tdxModule": _MODULE,
        "tdxModuleIdentities?": (
            {
                "id": lambda value: isinstance(value, str) and bool(_MODULE_ID.match(value)),
                **_MODULE,
                "tcbLevels": (_MODULE_LEVEL,),
            },
        ),
        "tcbLevels": (_level(_PLATFORM_TCB, *statuses_of("platform")),),
    },
    "qe_identity": {
        "id": _one_of("TD_QE"),
        "version": _one_of(2, 3),
        **_DATES,
        "tcbEvaluationDataNumber": _LONG,
        "miscselect": _hexadecimal(4),
        "miscselectMask": _hexadecimal(4),
        "attributes": _hexadecimal(16),
        "attributesMask": _hexadecimal(16),
        "mrsigner": _hexadecimal(32),
        "isvprodid": _SHORT,
        "tcbLevels": (_level({"isvsvn": _SHORT}, *statuses_of("qe")),),
    },
}


def _fault(value: Any, shape: Shape, path: str) -> str | None:
    """What is wrong, beginning with the path of the first member that does not fit; `None` where all do."""
    if isinstance(shape, tuple):
        if not isinstance(value, list):
            return f"{path} is not a list"
        return next((found for i, item in enumerate(value) if (found := _fault(item, shape[0], f"{path}.{i}"))), None)
    if callable(shape):
        return None if shape(value) else f"{path} is {value!r:.80}, not as Intel specifies it"
    if not isinstance(value, dict):
        return f"{path} is not an object"
    for name, inner in shape.items():
        key = name.removesuffix("?")
        if key in value:
            found = _fault(value[key], inner, f"{path}.{key}")
        else:
            found = None if name.endswith("?") else f"{path}.{key} is missing"
        if found:
            return found
    return None


def _height(level: dict[str, Any]) -> tuple[Any, ...]:
    """By what Intel's library sorts levels: SGX components, PCE SVN, TDX components; or the one SVN of an enclave."""
    tcb = level["tcb"]
    if "isvsvn" in tcb:
        return (tcb["isvsvn"],)
    svns = [[component["svn"] for component in tcb[name]] for name in ("sgxtcbcomponents", "tdxtcbcomponents")]
    return svns[0], tcb["pcesvn"], svns[1]


def _require_order(levels: list[dict[str, Any]], path: str) -> None:
    heights = [_height(level) for level in levels]
    if not levels or any(upper < lower for upper, lower in pairwise(heights)):
        raise Malformed(f"the collateral is malformed: {path} is not a list from the highest level to the lowest")


def require_shape(name: str, document: dict[str, Any]) -> None:
    """Raise `Malformed` unless `document` (`name`: "tcb_info" or "qe_identity") is what Intel's specification says."""
    found = _fault(document, SHAPES[name], name)
    if found:
        raise Malformed(f"the collateral is malformed: {found}")
    _require_order(document["tcbLevels"], f"{name}.tcbLevels")
    identities = document.get("tdxModuleIdentities", [])
    for number, identity in enumerate(identities):
        if identity["id"] in [other["id"] for other in identities[:number]]:
            raise Malformed(f"the collateral is malformed: {name} describes the TDX module {identity['id']} twice")
        _require_order(identity["tcbLevels"], f"{name}.tdxModuleIdentities.{number}.tcbLevels")
