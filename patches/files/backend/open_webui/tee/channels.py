"""Messages in channels: changed by whoever wrote them, and read in the channel that they were written in."""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException
from open_webui.models.messages import Messages
from open_webui.utils.access_control import has_access


def require_author(user: Any, message: Any, channel: Any) -> None:
    """HTTPException 403 unless the user wrote this message, keeps the channel (may write it), or is an
    administrator."""
    keeper = channel.access_control is not None and has_access(user.id, "write", channel.access_control)
    if user.role != "admin" and message.user_id != user.id and not keeper:
        raise HTTPException(403, "Only whoever wrote a message changes or deletes it.")


def require_here(channel_id: str, message_id: str | None) -> None:
    """HTTPException 404 for a message of another channel's, to which this one would give an answer or a view."""
    message = Messages.get_message_by_id(message_id) if message_id else None
    if message_id and (message is None or message.channel_id != channel_id):
        raise HTTPException(404, "There is no such message in this channel.")
