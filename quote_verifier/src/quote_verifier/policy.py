"""The policy: what the relying party accepts, as data. Unknown keys and empty expected values are errors.

Strict where it says nothing: only TCB status UpToDate, no advisories, evidence at most ten minutes old.
"""

import re
import tomllib
from dataclasses import dataclass, field
from typing import Any

from .encoding import from_hex
from .errors import Malformed, UsageError, shown
from .facts import load
from .quote import TD10_FIELDS, TD15_FIELDS
from .strictjson import MAX_INTEGER, is_version

PLATFORM_SIZES = {name: dict(TD10_FIELDS)[name] for name in load("td_report")["platform"]}
SERVICE_TD_SIZE = dict(TD15_FIELDS)["mr_service_td"]
NO_SERVICE_TD = "00" * SERVICE_TD_SIZE
ACCEPTABLE_STATUSES = tuple(name for name, status in load("tcb_statuses").items() if status["acceptable"])
SERVICES = tuple(load("services"))
_ADVISORY = re.compile(r"[A-Z0-9][A-Z0-9-]{2,63}\Z")
_ALLOWED = {
    "tcb": {
        "accepted_statuses",
        "refused_advisories",
        "accepted_advisories",
        "min_tcb_evaluation_data_number",
        "min_tee_tcb_svn",
        "min_pce_svn",
        "min_qe_isv_svn",
        "allow_dynamic_platform",
        "allow_cached_keys",
        "allow_smt",
    },
    "platform": {*PLATFORM_SIZES, "mr_service_td", "allow_migration", "trust_administrator"},
    "services": {"required"},
    "freshness": {"max_age_s"},
}

DEFAULT_TOML = """\
v = 1

[tcb]
# UpToDate always passes. A status listed here is accepted, and still only a warning. Revoked cannot be accepted.
accepted_statuses = []
# Advisories that fail, and advisories that are fine. Any other advisory is a warning.
refused_advisories = []
accepted_advisories = []
# What a platform's registration says about it; not stated counts as true.
allow_dynamic_platform = true
allow_cached_keys = true
allow_smt = true
# Minimums; each may be left out.
# min_tcb_evaluation_data_number = 17
# min_tee_tcb_svn = "06010300000000000000000000000000"  # 16 components, each must be at least this
# min_pce_svn = 11
# min_qe_isv_svn = 4

[platform]
# Allow-lists of lower-case hexadecimal values, asked in addition to the reference values; each may be left out.
# mr_td = ["..."]
# rtmr_0, rtmr_1, rtmr_2, xfam, td_attributes, mr_seam likewise
# Service TDs (MR_SERVICE_TD) that may be bound to the TD: TDs of the cloud's own that may reach into it, to migrate it
# for instance. None is always fine; one listed here is accepted, and still only a warning.
# mr_service_td = ["..."]
# Whether a TD that may be moved to another platform is accepted, and still only a warning.
allow_migration = false
# Whether you trust whoever administers the service, its machine and its name: where nothing measures the programs that
# measure the rest, they could have been changed without a trace.
trust_administrator = false

[services]
# Attestation services whose token must be there: "alibaba", "trustee".
required = []

[freshness]
# Seconds between the evidence and the judgement.
max_age_s = 600
"""


@dataclass(frozen=True)
class Policy:
    """See `DEFAULT_TOML` for the meaning of each member. `platform` holds only the lists that were given."""

    accepted_statuses: tuple[str, ...] = ()
    refused_advisories: tuple[str, ...] = ()
    accepted_advisories: tuple[str, ...] = ()
    min_tcb_evaluation_data_number: int = 0
    min_tee_tcb_svn: bytes = bytes(16)
    min_pce_svn: int = 0
    min_qe_isv_svn: int = 0
    allow_dynamic_platform: bool = True
    allow_cached_keys: bool = True
    allow_smt: bool = True
    platform: dict[str, tuple[str, ...]] = field(default_factory=dict)
    mr_service_td: tuple[str, ...] = ()
    allow_migration: bool = False
    trust_administrator: bool = False
    required_services: tuple[str, ...] = ()
    max_age_s: int = 600


def _bad(key: str, problem: str) -> UsageError:
    return UsageError(f"the policy's {key} {problem}")


def _strings(value: Any, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _bad(key, "must be a list of strings")
    if any(not item for item in value):
        raise _bad(key, "holds an empty value; leave the key out to expect nothing")
    return tuple(value)


def _natural(value: Any, key: str, least: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MAX_INTEGER:
        raise _bad(key, f"is {shown(value)}, expected a whole number of at least {least}")
    return value


def _boolean(value: Any, key: str) -> bool:
    if not isinstance(value, bool):
        raise _bad(key, f"is {shown(value)}, expected true or false")
    return value


def _hexadecimal(value: Any, key: str, size: int) -> str:
    if not isinstance(value, str) or not value:
        raise _bad(key, "is empty or not a string; leave the key out to expect nothing")
    try:
        from_hex(value, f"the policy's {key}", size)
    except Malformed as error:
        raise UsageError(str(error)) from None
    return value


def _listed(value: Any, key: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    items = _strings(value, key)
    for item in items:
        if item not in allowed:
            raise _bad(key, f"holds {item!r}, expected one of {', '.join(allowed)}")
    return items


def _advisories(value: Any, key: str) -> tuple[str, ...]:
    for item in _strings(value, key):
        if not _ADVISORY.match(item):
            raise _bad(key, f"holds {item!r}, expected an advisory such as INTEL-SA-00837")
    return tuple(value)


def _tcb_section(section: dict[str, Any]) -> dict[str, Any]:
    readers: dict[str, Any] = {
        "accepted_statuses": lambda value, key: _listed(value, key, ACCEPTABLE_STATUSES),
        "refused_advisories": _advisories,
        "accepted_advisories": _advisories,
        "min_tee_tcb_svn": lambda value, key: bytes.fromhex(_hexadecimal(value, key, 16)),
    }
    members = {}
    for key, value in section.items():
        reader = readers.get(key) or (_boolean if key.startswith("allow_") else _natural)
        members[key] = reader(value, f"tcb.{key}")
    return members


def _hexadecimals(value: Any, key: str, size: int) -> tuple[str, ...]:
    items = _strings(value, key)
    if not items:
        raise _bad(key, "is an empty list; leave the key out to expect nothing")
    return tuple(_hexadecimal(item, key, size) for item in items)


def _service_tds(value: Any, key: str) -> tuple[str, ...]:
    values = _hexadecimals(value, key, SERVICE_TD_SIZE)
    if NO_SERVICE_TD in values:
        raise _bad(key, "holds zeros, which mean no service TD; that needs no permission")
    return values


def _platform_section(section: dict[str, Any]) -> dict[str, Any]:
    members: dict[str, Any] = {"platform": {}}
    for name, value in section.items():
        key = f"platform.{name}"
        if name == "mr_service_td":
            members[name] = _service_tds(value, key)
        elif name in ("allow_migration", "trust_administrator"):
            members[name] = _boolean(value, key)
        else:
            members["platform"][name] = _hexadecimals(value, key, PLATFORM_SIZES[name])
    return members


def policy_from(document: dict[str, Any]) -> Policy:
    """A policy from its TOML or JSON object. Raises `UsageError`, naming the key, its value and what was expected."""
    if not is_version(document.get("v", 1), 1):
        raise _bad("v", f"is {shown(document['v'])}, this version reads 1")
    for key, section in document.items():
        if key == "v":
            continue
        if key not in _ALLOWED:
            raise _bad(f"key {key!r}", f"is unknown; known are {', '.join(_ALLOWED)}")
        if not isinstance(section, dict):
            raise _bad(key, "must be a table")
        for name in section:
            if name not in _ALLOWED[key]:
                raise _bad(f"key '{key}.{name}'", f"is unknown; known are {', '.join(sorted(_ALLOWED[key]))}")
    members = _tcb_section(document.get("tcb", {})) | _platform_section(document.get("platform", {}))
    members["required_services"] = _listed(
        document.get("services", {}).get("required", []), "services.required", SERVICES
    )
    members["max_age_s"] = _natural(document.get("freshness", {}).get("max_age_s", 600), "freshness.max_age_s", 1)
    return Policy(**members)


def load_policy(text: str) -> Policy:
    """A policy from TOML text. Raises `UsageError`."""
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise UsageError("the policy is not usable: it is nested too deeply") from None
    except ValueError as error:  # tomllib's own, and what Python says to a number of thousands of digits
        reason = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a number in it has too many digits"
        raise UsageError(f"the policy is not TOML: {reason}") from None
    return policy_from(document)
