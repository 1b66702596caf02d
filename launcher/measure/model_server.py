"""Decide what answers chats: Ollama, the embedded model, or nothing of ours."""

from __future__ import annotations

from ..errors import UnavailableError
from ..plan.settings import Settings
from . import ollama


def wanted(settings: Settings, kind: str) -> str:
    """The setting LLM, `auto` decided for real TDX: a missing Ollama is an error there, never a fallback to a toy."""
    return "ollama" if settings.llm == "auto" and kind == "tdx" else settings.llm


def choose(settings: Settings, kind: str) -> str:
    """`ollama`, `embedded` or `none`. On real TDX a missing Ollama is an error, never a fallback to a toy."""
    setting = wanted(settings, kind)
    if setting in ("embedded", "none"):
        return setting
    if ollama.version(settings.ollama_base_url) is not None:
        return "ollama"
    if setting == "auto":
        return "embedded"
    raise UnavailableError(
        f"No Ollama answers at {settings.ollama_base_url}: start it (ollama serve), correct OLLAMA_BASE_URL, "
        "or use the small embedded model with LLM=embedded."
    )
