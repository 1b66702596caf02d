"""What administrators may not do to others: be them, read their files, take their chats away.

Two measured settings turn this off, and verifiers see it: ENABLE_ADMIN_DATA_ACCESS (passwords, mail addresses and files
of others) and upstream's ENABLE_ADMIN_EXPORT (exports that hold chats).
"""

from __future__ import annotations

import os
from typing import Any

from fastapi import HTTPException

#: What of an account is its owner's alone: a key to sign in with, and what the person set or told.
PRIVATE = ("api_key", "settings", "info")


def _on(name: str) -> bool:
    return os.environ.get(name, "false").lower() == "true"


def may_see_data(user: Any) -> bool:
    """Whether this user is an administrator who may read others' files and be set up to sign in as them."""
    return bool(user.role == "admin") and _on("ENABLE_ADMIN_DATA_ACCESS")


def require_own_login(user: Any, other: Any, password: str | None, email: str) -> None:
    """HTTPException 403 if `user` sets a password or mail address of somebody else's, with which one signs in
    as them."""
    if user.id == other.id or may_see_data(user):
        return
    if password:
        raise HTTPException(
            403,
            "Nobody sets another's password here, since with it they could read that person's chats. If it is "
            "forgotten, delete the account and add it anew: its chats are lost, and its memories, files and knowledge "
            "can no longer be read. "
            "ENABLE_ADMIN_DATA_ACCESS=true at launch allows it, and everybody who verifies this server sees that.",
        )
    if email.lower() != other.email:
        raise HTTPException(
            403,
            "Nobody changes another's mail address here, since whoever has that address could sign in as "
            "them; they can ask for a new account. "
            "ENABLE_ADMIN_DATA_ACCESS=true at launch allows it, and everybody who verifies this server sees that.",
        )


def shown(user: Any) -> Any:
    """An account as an administrator sees it: without its API key, settings and what it told about itself."""
    return None if user is None else user.model_copy(update=dict.fromkeys(PRIVATE))


def without_chat(feedback: dict[str, Any]) -> dict[str, Any]:
    """A feedback for export: without the copy of the chat that upstream keeps in it, unless exports were allowed."""
    return feedback if _on("ENABLE_ADMIN_EXPORT") else {**feedback, "snapshot": None}
