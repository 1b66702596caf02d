"""Names of what stages leave for others; here, so that who reads a result does not depend on how it was made."""

from __future__ import annotations

from pathlib import Path

from scripts.errors import MissingError

PLUGIN_LIBRARY = "libtdx_attest.so.1"
"""The simulator's library, in the output of `plugin`."""

PAGES = "tee"
"""The folder that belongs into the pages' source, in the output of `web`; its place there is `PAGES_PLACE`."""

PAGES_PLACE = "src/lib/tee"

VERIFIER = "verifier.js"
"""In that folder: the verifier as one file."""

VERIFIER_LICENCES = "licences.txt"
"""In the output of `web`: the licences of what that file contains."""


def plugin_wheel(folder: Path) -> Path:
    """The one wheel in the output of `plugin`."""
    found = sorted(folder.glob("quote_generator-*.whl"))
    if len(found) != 1:
        raise MissingError(
            f"{folder} holds {len(found)} wheels of quote_generator instead of one; run `make clean build`."
        )
    return found[0]
