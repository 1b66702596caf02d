"""What both verifiers know, each fact written once: the files of `data/`, which the browser's verifier reads too."""

import json
from functools import lru_cache
from importlib import resources
from typing import Any


@lru_cache
def load(name: str) -> dict[str, Any]:
    """The content of `data/<name>.json`; see `data/README.md`. Not to be changed by its reader."""
    text = resources.files(__package__).joinpath("data", f"{name}.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def statuses_of(whose: str) -> tuple[str, ...]:
    """The TCB statuses that Intel gives in the levels of `platform`, `qe` or `module`."""
    return tuple(name for name, status in load("tcb_statuses").items() if whose in status["levels"])
