"""Times are ISO 8601 in UTC and nothing else, from 1970 to 9999: readers differ about other spellings."""

import re
from datetime import UTC, datetime
from typing import Any

from .errors import Malformed

# [0-9], because \d takes digits of every script
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?(?:Z|\+00:00)\Z")
# how Intel writes the dates of what it signs (PCS API version 4)
_INTEL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")


def parse_time(text: str, what: str) -> datetime:
    """A time in UTC such as 2025-07-01T00:00:00Z, its fraction (1 to 9 digits) left out. Raises `Malformed`."""
    found = _TIME.match(text)
    try:
        if found is None:
            raise ValueError
        time = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
    except ValueError:
        raise Malformed(f"{what} is {text[:40]!r}, expected a time such as 2025-07-01T00:00:00Z") from None
    if time.year < 1970:
        raise Malformed(f"{what} is {text[:40]!r}, a time before 1970, when no evidence was made")
    return time


def is_intel_time(value: Any) -> bool:
    """Whether `value` is a time as Intel writes it: UTC, whole seconds, `Z`."""
    if not isinstance(value, str) or not _INTEL.match(value):
        return False
    try:
        parse_time(value, "it")
        return True
    except Malformed:
        return False
