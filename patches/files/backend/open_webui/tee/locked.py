"""Settings are taken from the launch and read-only while the server runs, except a few that are looks.

Upstream keeps its settings in a database that overrides the environment. What the launcher measured must be what is in
force, and what it left alone must be the release's own default, so `TEE_LOCKED_SETTINGS=*` locks every setting but
those of `FREE`. A comma-separated list of names locks those alone; nothing is locked without it (a start by hand).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import HTTPException

#: What administrators may set in the interface, and why it can be no way for anybody's words. No value of
#: these is measured, unless the launch sets it.
FREE: Mapping[str, str] = {
    "ENABLE_SIGNUP": "who may ask for an account, which reads only its own; upstream ends it after the first",
    "SHOW_ADMIN_DETAILS": "whether people who wait see whom to ask",
    "ADMIN_EMAIL": "the address shown there",
    "DEFAULT_LOCALE": "the language before anybody chose one",
    "DEFAULT_MODELS": "which of the measured models is chosen first",
    "MODEL_ORDER_LIST": "the order in which models are listed",
    "DEFAULT_PROMPT_SUGGESTIONS": "examples on the empty page, sent only by whoever picks one",
    "WEBUI_BANNERS": "a notice above the page, shown as sanitised text",
    "ENABLE_MESSAGE_RATING": "whether answers have thumbs; a rating stays here",
    "ENABLE_TITLE_GENERATION": "whether a measured model names a chat",
    "ENABLE_TAGS_GENERATION": "whether a measured model tags a chat",
    "ENABLE_AUTOCOMPLETE_GENERATION": "whether a measured model completes what is typed",
    "AUTOCOMPLETE_GENERATION_INPUT_MAX_LENGTH": "how much of it is looked at",
    "RAG_TOP_K": "how many passages are found",
    "RAG_RELEVANCE_THRESHOLD": "how well they must fit",
    "RAG_FILE_MAX_COUNT": "how many files fit into a chat",
    "RAG_FILE_MAX_SIZE": "how big one may be",
    "CHUNK_SIZE": "into what pieces a file is cut",
    "CHUNK_OVERLAP": "by how much they overlap",
    "IMAGE_SIZE": "how big a picture is",
    "IMAGE_STEPS": "how long it is worked on",
    "AUDIO_TTS_VOICE": "whose voice reads aloud",
    "AUDIO_TTS_SPLIT_ON": "where it pauses",
}
LOCKED = frozenset(name for name in os.environ.get("TEE_LOCKED_SETTINGS", "").split(",") if name)


def is_locked(name: str) -> bool:
    """Whether the setting of this environment name was fixed at launch."""
    return name in LOCKED or ("*" in LOCKED and name not in FREE)


def _refuse(names: Iterable[str]) -> HTTPException:
    listed = sorted(names)
    was = f"{', '.join(listed)} {'was' if len(listed) == 1 else 'were'}"
    return HTTPException(
        status_code=403,
        detail=f"{was} measured at launch and cannot be changed here: set it in the server's environment and "
        "restart it.",
    )


def keeps(name: str, current: Any, new: Any) -> bool:
    """True for a locked setting that stays as it is (nothing to store), False for one that is not locked.

    Raises HTTPException 403 for a locked setting that would change.
    """
    if not is_locked(name):
        return False
    if _differs(new, current):
        raise _refuse([name])
    return True


def _differs(new: Any, current: Any) -> bool:
    """A form sends an empty text for what was never set."""
    return bool(new != current) and not (new in (None, "") and current in (None, ""))


def check_import(config: Mapping[str, Any], settings: Iterable[Any]) -> None:
    """Raise HTTPException 403, naming them, if an imported configuration would change locked ones of `settings`.

    A setting has upstream's `env_name`, `config_path` (keys joined with dots) and `value`.
    """
    changed = set()
    for setting in settings:
        new: Any = config
        for key in setting.config_path.split("."):
            new = new.get(key) if isinstance(new, Mapping) else None
        if new is not None and is_locked(setting.env_name) and _differs(new, setting.value):
            changed.add(setting.env_name)
    if changed:
        raise _refuse(changed)


def shown() -> dict[str, Any]:
    """What administrators' pages show as fixed at launch: all settings but those of `FREE`, or these names alone."""
    return {"all": "*" in LOCKED, "names": sorted(LOCKED - {"*"})}
