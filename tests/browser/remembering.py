"""What a person's browser holds of a server before a test begins: reference values, a chosen service."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page

from tests.browser.proxy import Document
from tests.browser.running import Server
from tests.browser.tampering import platform_of, without_doubts


def fetch_evidence(page: Page, server: Server) -> Document:
    answer = page.request.get(f"{server.url}/api/v1/tee/quote")
    return without_doubts(answer.json())


def references_for(evidence: Document) -> Document:
    """Reference values that the server's own evidence meets."""
    events = [line for line in evidence["event_log"].splitlines() if not line.startswith("INIT ")]
    platforms = [platform_of(evidence["quote"]) | {"root": "verity"}]
    return {"v": 2, "name": "of this test", "events": events, "platforms": platforms}


def remember(page: Page, **memory: Any) -> None:
    """What the browser remembers of this server from the next page on, until the page itself changes it."""
    text = json.dumps(json.dumps({"v": 1, **memory}))
    page.add_init_script(
        f"if (!sessionStorage.remembered) {{ sessionStorage.remembered = 1; localStorage['tee-memory'] = {text}; }}"
    )
