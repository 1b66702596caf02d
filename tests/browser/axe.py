"""What axe, which knows the Web Content Accessibility Guidelines, finds wrong with a page."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page

SERIOUS = ("serious", "critical")
ANY = ("minor", "moderate", *SERIOUS)


def problems(page: Page, within: str | None = None, impacts: Collection[str] = SERIOUS) -> list[str]:
    """Findings of axe of these impacts: rule, then the elements."""
    context: Any = [within] if within else None
    found = Axe().run(page, context=context).response["violations"]
    return [
        f"{violation['id']}: {[node['html'][:120] for node in violation['nodes']]}"
        for violation in found
        if violation["impact"] in impacts
    ]
