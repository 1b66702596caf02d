"""What the image's tree takes of the release."""

from __future__ import annotations

import re
from pathlib import Path

from scripts.image import tree

UNITS = Path(__file__).resolve().parents[3] / "deploy" / "systemd"
NOT_IN_THE_IMAGE = {"open-webui-tdx-ollama.service"}


def test_every_unit_that_the_service_asks_for_is_taken() -> None:
    """One that is forgotten is missed by nobody: the launch goes on without a fence, and says so to verifiers."""
    service = (UNITS / "open-webui-tdx.service").read_text(encoding="utf-8")
    named = set(re.findall(r"open-webui-tdx-[\w@-]+\.(?:service|socket)", service)) - NOT_IN_THE_IMAGE
    assert named and named <= set(tree.RELEASE_UNITS)
    sockets = {name.removesuffix(".socket") for name in tree.RELEASE_UNITS if name.endswith(".socket")}
    for name in sockets:  # what a socket starts
        assert {f"{name}.service", f"{name}@.service"} & set(tree.RELEASE_UNITS)
    assert all((UNITS / name).is_file() for name in tree.RELEASE_UNITS)
