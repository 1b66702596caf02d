"""While the server is not verified and the gate is shut (`block`), content leaves in no way at all.

Each test types, says or attaches a secret and watches every request and socket frame that leaves the browser. The
simulator is never verified, so the release as it stands is what the gate stands in front of.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.gates import WATCH_MS, WAYS, gate, go
from tests.browser.outgoing import Outgoing
from tests.browser.proxy import Proxy
from tests.browser.running import Server

pytestmark = [pytest.mark.browser, pytest.mark.release, pytest.mark.slow]


@pytest.mark.parametrize("way", WAYS)
def test_block_lets_no_content_leave(way: str, page: Page, proxy: Proxy, server: Server, outgoing: Outgoing) -> None:
    gate(proxy, "block")
    go(way, page, proxy, server)
    refused = page.locator("[data-sonner-toast]", has_text="Not sent: this server is not verified.").first
    expect(refused).to_be_visible(timeout=30_000)
    page.wait_for_timeout(WATCH_MS)
    assert outgoing.requests == []
    assert [sent for sent in outgoing.tells() if b"/?q=" not in sent] == []


@pytest.mark.parametrize("way", ["enter", "socket", "old_request", "search"])
def test_the_watcher_would_notice(way: str, page: Page, proxy: Proxy, server: Server, outgoing: Outgoing) -> None:
    """The gate off, the same ways: the secret leaves, and the watcher says so. What cannot fail proves nothing."""
    gate(proxy, "off")
    go(way, page, proxy, server)
    page.wait_for_timeout(WATCH_MS)
    assert outgoing.tells()
    if way == "enter":
        assert any("/api/chat/completions" in sent for sent in outgoing.requests)
