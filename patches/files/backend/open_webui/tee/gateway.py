"""Which models a user may ask, at every door to a model server."""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException, Request
from open_webui.env import BYPASS_MODEL_ACCESS_CONTROL
from open_webui.models.models import Models
from open_webui.models.users import Users
from open_webui.utils.access_control import has_access


def bypasses(request: Request, bypass_filter: bool | None) -> bool:
    """Only a handler may bypass the check, never an address: upstream's parameter can be written into one."""
    return bool(bypass_filter) and "bypass_filter" not in request.query_params


def may_use(user: Any, model_id: str, seen: frozenset[str] = frozenset()) -> bool:
    """Whether `user` may ask this model, and whoever made it the model below it: a wrapper opens no closed model."""
    if user.role == "admin" or BYPASS_MODEL_ACCESS_CONTROL:
        return True
    model = Models.get_model_by_id(model_id)
    if model is None or model_id in seen:
        return False
    if user.id != model.user_id and not has_access(user.id, "read", model.access_control):
        return False
    base = model.base_model_id
    if not base or may_use(user, base, seen | {model_id}):
        return True
    maker = Users.get_user_by_id(model.user_id)
    return maker is not None and maker.id != user.id and may_use(maker, base, seen | {model_id})


def require(user: Any, model_id: str | None, bypass: bool = False) -> None:
    """HTTPException 403 unless `user` may ask this model."""
    if not bypass and not (isinstance(model_id, str) and may_use(user, model_id)):
        raise HTTPException(403, "Model not found")


def _may_change(user: Any, owner: str | None, access_control: Any) -> bool:
    return user.role == "admin" or user.id == owner or bool(has_access(user.id, "write", access_control))


def shown(user: Any, model: Any) -> Any:
    """A workspace model as `user` may see it: its system prompt is for those who may change it."""
    if _may_change(user, model.user_id, model.access_control):
        return model
    params = {name: value for name, value in model.params.model_dump().items() if name != "system"}
    return model.model_copy(update={"params": type(model.params)(**params)})


def without_prompts(user: Any, models: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same for upstream's list of models, each with its workspace model (a dict) under `info`, if it has one."""
    found = []
    for model in models:
        info = model.get("info")
        if info and info.get("params") and not _may_change(user, info.get("user_id"), info.get("access_control")):
            params = {name: value for name, value in info["params"].items() if name != "system"}
            model = {**model, "info": {**info, "params": params}}
        found.append(model)
    return found


def require_ollama(user: Any, name: str, url_idx: int | None = None) -> None:
    """The same for a name of Ollama's, whose tag may be left out, and for the server that is to be asked by number."""
    require_index(user, url_idx)
    if not (may_use(user, name) or may_use(user, f"{name}:latest")):
        raise HTTPException(403, "Model not found")


def require_index(user: Any, url_idx: int | None) -> None:
    """HTTPException 403 if somebody but an administrator names a model server: its list is not filtered, and
    that it is in use, and has the model that was allowed, is not asked."""
    if url_idx is not None and user.role != "admin":
        raise HTTPException(403, "Only administrators name the model server that is asked.")


def require_configured(url: str, configured: list[str]) -> None:
    """HTTPException 403 for a connection to be tried that the launch did not configure: it could be anything inside."""
    if url.rstrip("/") not in {known.rstrip("/") for known in configured}:
        raise HTTPException(
            403, "Only model servers of this launch are asked: add the address to its settings and restart the server."
        )
