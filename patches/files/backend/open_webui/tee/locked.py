"""Settings that were measured at launch: taken from the environment, read-only while the server runs.

Upstream lets its database override the environment. What the launcher measured must be what is in force, so it names
those settings in `TEE_LOCKED_SETTINGS` (comma-separated).
"""

from __future__ import annotations

import os
from typing import Any

from fastapi import HTTPException

LOCKED = frozenset(name for name in os.environ.get("TEE_LOCKED_SETTINGS", "").split(",") if name)


def is_locked(name: str) -> bool:
    """Whether the setting of this environment name was fixed at launch."""
    return name in LOCKED


def keeps(name: str, current: Any, new: Any) -> bool:
    """True for a locked setting that stays as it is (nothing to store), False for one that is not locked.

    Raises HTTPException 403 for a locked setting that would change.
    """
    if name not in LOCKED:
        return False
    if new != current:
        raise HTTPException(
            status_code=403,
            detail=f"{name} was measured at launch and cannot be changed here: set it in the server's environment and "
            "restart it.",
        )
    return True
