"""The gate in a page: what it asks, what opens it, and what makes it ask the server anew.

What it decides is in web/test/client/gate.test.ts, which ways lead through it in test_ways.py.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.gates import WATCH_MS, gate, go
from tests.browser.outgoing import Outgoing
from tests.browser.pages import (
    ANSWER_MS,
    KEEP_SOCKETS,
    OPEN,
    home,
    new_chat,
    open_panel,
    screenshot,
    send,
    shield,
    trust_all,
    wait_for_round,
)
from tests.browser.proxy import Proxy
from tests.browser.running import Server
from tests.browser.tampering import refuse
from tests.browser.ways import SECRET, by_enter

pytestmark = [pytest.mark.browser, pytest.mark.release, pytest.mark.slow]

# The message box, a script's socket, a dialog that is open already, a file.
SOME = ("enter", "socket", "profile", "file")


def trust(page: Page, server: Server) -> None:
    """Open the page, trust what it shows and whoever administers the machine: green from then on."""
    home(page, server)
    trust_all(open_panel(page))
    expect(shield(page)).to_have_attribute("data-shield", "green")
    page.keyboard.press("Escape")


@pytest.mark.parametrize("way", SOME)
def test_warn_asks_and_a_no_keeps_it_here(
    way: str, page: Page, proxy: Proxy, server: Server, outgoing: Outgoing
) -> None:
    """The gate is one decision, whatever the way: every way is in test_ways.py, some of different kinds are here."""
    gate(proxy, "warn")
    go(way, page, proxy, server)
    dialog = page.locator("#tee-gate-dialog[open]")
    expect(dialog).to_be_visible(timeout=30_000)
    expect(dialog.locator("[data-check='tee.real']")).to_be_visible()
    assert outgoing.requests == []
    dialog.get_by_role("button", name="Do not send").click()
    page.wait_for_timeout(WATCH_MS)
    assert outgoing.requests == []
    assert [sent for sent in outgoing.tells() if b"/?q=" not in sent] == []


def test_warn_asks_once_in_every_chat(page: Page, proxy: Proxy, server: Server, outgoing: Outgoing) -> None:
    gate(proxy, "warn")
    by_enter(page, server)
    dialog = page.locator("#tee-gate-dialog[open]")
    expect(dialog).to_be_visible()
    screenshot(page, "warn")
    dialog.locator("#tee-send-anyway").click()
    expect(page.locator(".chat-assistant").last).to_contain_text(re.compile(r"\w"), timeout=ANSWER_MS)
    expect(page.locator("#voice-input-button")).to_be_visible(timeout=ANSWER_MS)
    assert any("/api/chat/completions" in sent for sent in outgoing.requests)
    send(page, "And again.")
    page.wait_for_timeout(WATCH_MS)
    expect(dialog).to_be_hidden()
    assert len([sent for sent in outgoing.requests if "/api/chat/completions" in sent]) == 2
    expect(page.locator("#voice-input-button")).to_be_visible(timeout=ANSWER_MS)
    new_chat(page)
    wait_for_round(page)
    outgoing.clear()
    send(page, SECRET)
    expect(dialog).to_be_visible()
    assert outgoing.requests == []


def test_verified_servers_are_not_asked_about(
    genuine_page: Page, proxy: Proxy, server: Server, outgoing: Outgoing
) -> None:
    """Green: the strictest gate is open. Trusted in this browser a moment ago."""
    page = genuine_page
    gate(proxy, "block")
    trust(page, server)
    send(page, "Say hello.")
    expect(page.locator(".chat-assistant").last).to_contain_text(re.compile(r"\w"), timeout=ANSWER_MS)
    assert any("/api/chat/completions" in sent for sent in outgoing.requests)


def test_a_connection_that_comes_back_is_checked_before_the_next_message(
    page: Page, proxy: Proxy, server: Server
) -> None:
    """As after a restart of the server: the socket breaks, socket.io connects again."""
    rounds: list[str] = []
    page.on("request", lambda request: rounds.append(request.url) if "/tee/quote" in request.url else None)
    gate(proxy, "block")
    page.add_init_script(KEEP_SOCKETS)
    home(page, server)
    page.wait_for_function(OPEN)
    page.wait_for_timeout(500)
    before = len(rounds)
    send(page, SECRET)
    expect(page.locator("[data-sonner-toast]", has_text="Not sent").first).to_be_visible()
    assert len(rounds) == before, "a fresh verdict is not asked for again"
    page.evaluate("() => window.sockets.forEach((socket) => socket.close())")
    page.wait_for_timeout(500)
    page.keyboard.press("Enter")
    expect(shield(page)).to_have_attribute("data-phase", "done")
    page.wait_for_timeout(WATCH_MS)
    assert len(rounds) == before + 1


def test_what_a_socket_carries_waits_for_the_check_of_a_connection_that_came_back(
    genuine_page: Page, proxy: Proxy, server: Server, outgoing: Outgoing
) -> None:
    """Green, and trusted; then another server answers: content that a script emits is held back like any other."""
    page = genuine_page
    gate(proxy, "block")
    page.add_init_script(KEEP_SOCKETS)
    trust(page, server)
    emit = f"""() => window.sockets.find((socket) => socket.readyState === WebSocket.OPEN).send('42["x","{SECRET}"]')"""
    page.wait_for_function(OPEN)
    page.evaluate(emit)
    page.wait_for_timeout(WATCH_MS)
    assert outgoing.tells(), "green: it leaves"
    outgoing.clear()
    refuse(proxy, "quote", 503)
    page.evaluate("() => window.sockets.forEach((socket) => socket.close())")
    page.wait_for_function(OPEN, timeout=30_000)
    page.evaluate(emit)
    expect(shield(page)).to_have_attribute("data-phase", "failed")
    page.wait_for_timeout(WATCH_MS)
    assert outgoing.tells() == []


def test_a_person_may_be_stricter_than_the_server_but_not_laxer(page: Page, server: Server, outgoing: Outgoing) -> None:
    home(page, server)
    shield(page).click()
    choice = page.locator("#tee-gate")
    expect(choice.locator("option")).to_have_text(["Send without asking", "Ask once in every chat", "Never send"])
    choice.select_option("block")
    page.keyboard.press("Escape")
    send(page, SECRET)
    expect(page.locator("[data-sonner-toast]", has_text="Not sent").first).to_be_visible()
    assert outgoing.tells() == []


def test_the_interface_itself_needs_no_permission(page: Page, proxy: Proxy, server: Server) -> None:
    """Looking around in a blocked page refuses nothing: the gate is about content."""
    gate(proxy, "block")
    home(page, server)
    for path in ("/workspace/models", "/admin/settings", "/playground", "/"):
        page.goto(server.url + path)
        page.wait_for_timeout(1000)
        expect(page.locator("[data-sonner-toast]", has_text="Not sent")).to_have_count(0)
