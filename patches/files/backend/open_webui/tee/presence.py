"""Who is here and what runs: told to people who signed in, and without telling whose account is whose.

Upstream sends every user's id and the names of all models in use to whoever opens a socket, signed in or not.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

_SALT = secrets.token_bytes(16)


def hidden(user_id: str) -> str:
    """A name for a user that is the same until the server ends, and tells nothing about the account."""
    return hashlib.blake2b(user_id.encode(), key=_SALT, digest_size=16).hexdigest()


def users_for(viewer: Mapping[str, Any], users: Iterable[str]) -> list[str]:
    """Everybody who is here as `viewer` may see them: themselves by their id, others only counted."""
    return [user if user == viewer.get("id") else hidden(user) for user in users]


async def tell_users(sio: Any, sessions: Any, users: Any) -> None:
    """Tell each connected user who is here."""
    here = list(users.keys())
    for sid, viewer in list(sessions.items()):
        await sio.emit("user-list", {"user_ids": users_for(viewer, here)}, to=sid)


async def tell_usage(sio: Any, sessions: Any, models: list[str]) -> None:
    """Tell each connected user which of the models that they may use is in use."""
    from open_webui.tee.gateway import may_use

    for sid, viewer in list(sessions.items()):
        user = SimpleNamespace(id=viewer["id"], role=viewer["role"])
        await sio.emit("usage", {"models": [model for model in models if may_use(user, model)]}, to=sid)


async def end(user_id: str) -> None:
    """Close this user's sockets: an account that was deleted or got another role is not what they were opened for."""
    from open_webui.socket.main import SESSION_POOL, sio

    for sid, viewer in list(SESSION_POOL.items()):
        if viewer["id"] == user_id:
            await sio.disconnect(sid)
