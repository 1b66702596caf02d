"""Attestation endpoints, where no door stands before this server: the package `attestation` has them all."""

from __future__ import annotations

import os

from attestation.router import make
from open_webui.tee.first import install as guard_first_administrator

__all__ = ["guard_first_administrator", "router"]

router = make(os.environ)
