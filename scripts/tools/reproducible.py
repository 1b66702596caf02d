"""What makes a command's output the same on every machine, as far as its environment decides that."""

from __future__ import annotations

SOURCE_DATE_EPOCH = "1741305600"  # 2025-03-07, upstream's release: every time stamp that has to be something


def reproducible() -> dict[str, str]:
    """One locale, time zone and time, and no hash randomness, for commands whose output is shipped."""
    return {
        "LC_ALL": "C.UTF-8",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH,
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
    }
