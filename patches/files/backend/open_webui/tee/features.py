"""What is switched off is refused by its handler, not only hidden in the interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import HTTPException, Request

#: A chat's features by upstream's names: the setting that switches each on.
CHAT = {
    "web_search": "ENABLE_RAG_WEB_SEARCH",
    "image_generation": "ENABLE_IMAGE_GENERATION",
    "code_interpreter": "ENABLE_CODE_INTERPRETER",
}


def require(request: Request, setting: str) -> None:
    """HTTPException 403 unless this setting of upstream's is on."""
    if not getattr(request.app.state.config, setting):
        raise HTTPException(
            403,
            f"This is switched off here: {setting}=true at launch allows it, and everybody who verifies this "
            f"server sees that.",
        )


def on(setting: str) -> Callable[[Request], None]:
    """A dependency for a whole router."""

    def check(request: Request) -> None:
        require(request, setting)

    return check


def require_permission(request: Request, user: Any, name: str) -> None:
    """HTTPException 403 unless the user has this permission of upstream's; administrators have all."""
    from open_webui.utils.access_control import has_permission

    if user.role != "admin" and not has_permission(user.id, name, request.app.state.config.USER_PERMISSIONS):
        raise HTTPException(403, f"You lack the permission {name}: ask an administrator for it.")


def require_chat(request: Request, user: Any, form_data: dict[str, Any], model_item: Any = None) -> None:
    """For a chat: HTTPException 403 for a feature that is off or not this user's, or a model that the client
    brings itself."""
    if isinstance(model_item, dict) and model_item.get("direct"):
        require(request, "ENABLE_DIRECT_CONNECTIONS")
    features = form_data.get("features")
    for feature, setting in CHAT.items():
        if isinstance(features, dict) and features.get(feature):
            require(request, setting)
            require_permission(request, user, f"features.{feature}")
