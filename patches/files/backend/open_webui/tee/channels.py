"""Messages in channels: changed by whoever wrote them, read in their channel, and told to whoever may read it now."""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException
from open_webui.models.channels import Channels
from open_webui.models.messages import Messages
from open_webui.models.users import Users
from open_webui.utils.access_control import has_access


def require_author(user: Any, message: Any) -> None:
    """HTTPException 403 unless the user wrote this message, or is an administrator.

    Whoever may write to the channel may post there; that changes nothing of what others said (CVE-2026-70481).
    """
    if user.role != "admin" and message.user_id != user.id:
        raise HTTPException(403, "Only whoever wrote a message changes or deletes it.")


def require_here(channel_id: str, message_id: str | None) -> None:
    """HTTPException 404 for a message of another channel's, to which this one would give an answer or a view."""
    message = Messages.get_message_by_id(message_id) if message_id else None
    if message_id and (message is None or message.channel_id != channel_id):
        raise HTTPException(404, "There is no such message in this channel.")


def may_read(user: Any, channel: Any) -> bool:
    """Whether this user may read the channel now, as upstream's handlers decide it for a request."""
    if user is None or channel is None or user.role not in ("user", "admin"):
        return False
    return user.role == "admin" or bool(has_access(user.id, "read", channel.access_control))


class Readers:
    """In the place of upstream's socket server where it tells a channel's room something.

    Sockets stay in the rooms that they once entered; whoever may no longer read a channel is told nothing of it.
    """

    def __init__(self, sio: Any, sessions: Any) -> None:
        """`sessions`: connected users by socket."""
        self._sio, self._sessions = sio, sessions

    async def emit(self, event: str, data: Any, to: str) -> None:
        """Send to those in the room `channel:<id>` who may read this channel now."""
        channel = Channels.get_channel_by_id(to.removeprefix("channel:"))
        for sid, _ in list(self._sio.manager.get_participants(namespace="/", room=to)):
            viewer = self._sessions.get(sid)
            if viewer and may_read(Users.get_user_by_id(viewer["id"]), channel):
                await self._sio.emit(event, data, to=sid)
