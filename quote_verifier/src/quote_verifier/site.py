"""What a site chose for itself, judged by rule: the `site` event, whose line no build can know.

`data/site.json` is the table for both verifiers. For each member: its `type` (`text`: a string; `flag`: true or false;
`endpoints`: a list of `{"setting", "value"}`; `egress`: a string or a list of strings), whether every `site` event has
it, its `harmless` values ("any", or the list), and the sentence of the warning for any other, `{{value}}` filled in.
`keepers` are the settings of endpoints that take what people write to be kept.
"""

from typing import Any

from .errors import Malformed
from .facts import load

SHOWN = 200  # characters of one value in a sentence
_RULES = load("site")
NEWER = "this server says something newer than this verifier: {}"


def judge(content: dict[str, Any]) -> list[str]:
    """A sentence for everything that warns; none: all is harmless. Raises `Malformed`: a wrong type."""
    missing = [name for name, rule in _RULES.items() if rule["required"] and name not in content]
    if missing:
        raise Malformed(f"the site event lacks {', '.join(missing)}")
    warnings = []
    for name, value in content.items():
        rule = _RULES.get(name)
        if rule is None:
            warnings.append(NEWER.format(f"site {name[:40]}"))
            continue
        if not _is(rule["type"], value):
            raise Malformed(f"the site event's {name} is of the wrong type")
        if rule["harmless"] != "any" and value not in rule["harmless"]:
            warnings.append(rule["warning"].replace("{{value}}", _shown(value)))
    return warnings


def keepers_elsewhere(content: dict[str, Any]) -> list[str]:
    """The settings, sorted, that have what people write kept off this machine. For content that `judge` took."""
    keepers = _RULES["endpoints"]["keepers"]
    return sorted({each["setting"] for each in content["endpoints"] if each["setting"] in keepers})


def _is(kind: str, value: Any) -> bool:
    if kind == "flag":
        return isinstance(value, bool)
    if kind == "endpoints":
        return isinstance(value, list) and all(_is_endpoint(each) for each in value)
    return isinstance(value, str) or (kind == "egress" and _texts(value))


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_endpoint(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"setting", "value"} and _texts(list(value.values()))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        texts = [each if isinstance(each, str) else f"{each['value']} ({each['setting']})" for each in value]
        return ", ".join(texts)[:SHOWN]
    return str(value)[:SHOWN]
