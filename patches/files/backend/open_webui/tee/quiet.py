"""No log holds what people write, on disk or on the console.

At DEBUG upstream writes prompts, answers, files and passwords' hashes; those lines stay silent whatever the environment
says. What it wrote at INFO is taken out by the patch that calls this.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import MutableMapping

#: The loudest level: what is below it may hold prompts.
FLOOR = logging.INFO
#: Libraries that write addresses with queries, or whole requests, when they are allowed to.
CHATTY = ("httpx", "httpcore", "openai", "aiohttp.access", "chromadb", "langchain")


def level(name: str) -> str:
    """This level's name, or INFO for one that would say more, or for one that is none."""
    known = logging.getLevelNamesMapping().get(name.upper(), FLOOR)
    return name.upper() if known >= FLOOR and name.upper() in logging.getLevelNamesMapping() else "INFO"


def pin(environ: MutableMapping[str, str]) -> None:
    """Raise every level in `environ` to the floor, before upstream reads them."""
    for name in [name for name in environ if name == "GLOBAL_LOG_LEVEL" or name.endswith("_LOG_LEVEL")]:
        if name != "AUDIT_LOG_LEVEL" and environ[name]:
            environ[name] = level(environ[name])
    for library in CHATTY:
        logging.getLogger(library).setLevel(logging.WARNING)


def drawn_secret() -> str:
    """A key for sessions where none was given: good until the server ends. Upstream's own default is public."""
    return secrets.token_urlsafe(48)
