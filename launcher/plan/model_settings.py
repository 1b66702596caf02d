"""Weights of the operator's own for the built-in engine: which file, and what it has to hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import SettingError

if TYPE_CHECKING:
    from .settings import Settings


def weights(name: str, value: str) -> str:
    """An absolute path whose last part is the model's name and `.gguf`, or "". Raises SettingError."""
    if value and not re.fullmatch(r"/(?:[^/\x00-\x1f]+/)*[A-Za-z0-9_-]+\.gguf", value):
        raise SettingError(
            f"{name}={value} is no absolute path of a GGUF file called as people will see the model: letters, digits, "
            "_ and -, then .gguf."
        )
    return value


def sha384(name: str, value: str) -> str:
    """A SHA-384 in lower-case hex, or "". Raises SettingError."""
    if value and not re.fullmatch(r"[0-9a-f]{96}", value):
        raise SettingError(f"{name}={value} is no SHA-384: 96 digits, as sha384sum prints them.")
    return value


def check(settings: Settings) -> None:
    """Raises SettingError."""
    if bool(settings.embedded_model) != bool(settings.embedded_model_sha384):
        raise SettingError(
            "EMBEDDED_MODEL and EMBEDDED_MODEL_SHA384 go together: a file, and what verifiers are told that it holds."
        )
    if settings.embedded_model and settings.llm != "embedded":
        raise SettingError(
            f"EMBEDDED_MODEL is for the built-in engine, but LLM is {settings.llm}: set LLM=embedded, or remove it."
        )
