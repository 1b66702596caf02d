"""The web server's process: loads what takes long while the launch is being measured, and serves when it is told to.

Runs as `_module launcher.serve.web UVICORN_ARGUMENTS`. One line of JSON on its standard input, an object of
environment variables that only the running launch knows, starts Open WebUI; before it, no line of Open WebUI has run.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import sys
from contextlib import suppress
from pathlib import Path

from . import uploads

# The packages that take longest to import of those that open_webui.main imports in any case (python -X importtime).
SLOW = (
    "fastapi",
    "aiohttp",
    "sqlalchemy.orm",
    "alembic.context",
    "langchain.retrievers",
    "langchain_community.document_loaders",
    "chromadb",
    "fpdf",
    "ftfy",
    "pydub",
    "socketio",
    "huggingface_hub.hf_api",
)


def load() -> None:
    """Import the slow packages. One that is missing or broken is Open WebUI's to complain about."""
    for name in SLOW:
        with suppress(Exception):
            importlib.import_module(name)


def main() -> None:
    """Load packages, wait for the launch's line on standard input, then become the web server."""
    Path(os.environ["HOME"]).mkdir(parents=True, exist_ok=True)
    load()
    told = sys.stdin.buffer.readline()
    if not told:
        sys.exit("the launcher ended before it said what to serve")
    os.environ.update(json.loads(told))
    if "TMPDIR" in os.environ:  # it lies in the encrypted folder
        uploads.hold_in_memory()
    runpy.run_module("uvicorn", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
