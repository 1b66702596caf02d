"""Tools are code in the server with their makers' secrets: used by whom they are shared with, read by their makers."""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException, Request
from open_webui.tee import features
from open_webui.utils.access_control import has_access


def may(user: Any, tool: Any, right: str) -> bool:
    """Whether the user may use (`read`) or change (`write`) this tool."""
    return bool(user.role == "admin" or tool.user_id == user.id or has_access(user.id, right, tool.access_control))


def require(user: Any, tool: Any, right: str) -> None:
    """HTTPException 403 unless they may."""
    if not may(user, tool, right):
        raise HTTPException(403, "This tool is not yours to see.")


def require_coder(request: Request, user: Any) -> None:
    """HTTPException 403 unless the user may put code into the server: sharing a tool does not make a coder."""
    features.require_permission(request, user, "workspace.tools")


def shown(user: Any, tool: Any) -> Any:
    """A tool as this user may see it: its code only if they may change it."""
    return tool if may(user, tool, "write") else tool.model_copy(update={"content": ""})
