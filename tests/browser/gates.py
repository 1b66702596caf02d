"""A server whose gate is what a test says, and every way in which a page may send content."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.browser import ways, ways_elsewhere
from tests.browser.proxy import Document, Proxy
from tests.browser.running import Server
from tests.browser.tampering import change_answer

WATCH_MS = 1500
WAYS = ways.WAYS | ways_elsewhere.WAYS


def gate(proxy: Proxy, value: str, **more: Any) -> None:
    """What the server's TEE_GATE would be."""
    change_answer(proxy, "config", lambda config: {**config, "gate": value, **more})


def with_autocomplete(config: Document) -> Document:
    return {**config, "features": {**config["features"], "enable_autocomplete_generation": True}}


def go(way: str, page: Page, proxy: Proxy, server: Server) -> None:
    """Do what the way says, with what it needs."""
    page.context.grant_permissions(["microphone"])
    if way == "autocomplete":
        proxy.change_json("/api/config", with_autocomplete)
    WAYS[way](page, server)
