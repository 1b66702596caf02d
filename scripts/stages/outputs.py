"""Names of what stages leave for others; here, so that who reads a result does not depend on how it was made."""

from __future__ import annotations

from pathlib import Path

from scripts.errors import MissingError

PLUGIN_LIBRARY = "libtdx_attest.so.1"
"""The simulator's library, in the output of `plugin`."""

VERIFIER_FILES = ("verifier.js", "verifier.d.ts")
"""What the pages import, in the output of `webverifier`."""

VERIFIER_LICENCES = "licences.txt"
"""The licences of what those contain."""


def plugin_wheel(folder: Path) -> Path:
    """The one wheel in the output of `plugin`."""
    found = sorted(folder.glob("quote_generator-*.whl"))
    if len(found) != 1:
        raise MissingError(
            f"{folder} holds {len(found)} wheels of quote_generator instead of one; run `make clean build`."
        )
    return found[0]
