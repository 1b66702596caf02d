"""The gate: while the server is not verified, content leaves in no way at all (`block`), or asks first (`warn`).

Each test types, says or attaches a secret and watches every request and socket frame that leaves the browser. The
simulator is never verified, so the release as it stands is what the gate stands in front of.
"""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser import ways, ways_elsewhere
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
    wait_for_round,
)
from tests.browser.proxy import Document, Proxy
from tests.browser.running import Server
from tests.browser.tampering import change_answer, refuse
from tests.browser.ways import SECRET, by_enter

pytestmark = [pytest.mark.browser, pytest.mark.release, pytest.mark.slow]

WATCH_MS = 1500
WAYS = ways.WAYS | ways_elsewhere.WAYS


@pytest.fixture
def outgoing(context: BrowserContext) -> Outgoing:
    return Outgoing(context)


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


def trust(page: Page, server: Server) -> None:
    """Open the page and trust what it shows: green from then on."""
    home(page, server)
    open_panel(page).locator("#tee-trust").click()
    expect(shield(page)).to_have_attribute("data-shield", "green")
    page.keyboard.press("Escape")


@pytest.mark.parametrize("way", WAYS)
def test_block_lets_no_content_leave(way: str, page: Page, proxy: Proxy, server: Server, outgoing: Outgoing) -> None:
    gate(proxy, "block")
    go(way, page, proxy, server)
    refused = page.locator("[data-sonner-toast]", has_text="Not sent: this server is not verified.").first
    expect(refused).to_be_visible(timeout=30_000)
    page.wait_for_timeout(WATCH_MS)
    assert outgoing.requests == []
    assert [sent for sent in outgoing.tells() if b"/?q=" not in sent] == []


@pytest.mark.parametrize("way", WAYS)
def test_warn_asks_and_a_no_keeps_it_here(
    way: str, page: Page, proxy: Proxy, server: Server, outgoing: Outgoing
) -> None:
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


def test_a_refused_message_stays_in_the_box(page: Page, proxy: Proxy, server: Server) -> None:
    gate(proxy, "block")
    by_enter(page, server)
    expect(page.locator("[data-sonner-toast]", has_text="Not sent").first).to_be_visible()
    expect(page.locator("#chat-input")).to_contain_text(SECRET)
    screenshot(page, "blocked")


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


def test_an_old_verdict_is_checked_again_before_the_next_message(
    genuine_page: Page, proxy: Proxy, server: Server, outgoing: Outgoing
) -> None:
    """Green turns out to be over: nothing of the message leaves."""
    page = genuine_page
    gate(proxy, "block", max_age_s=2)
    trust(page, server)
    refuse(proxy, "quote", 503)
    time.sleep(2.5)
    send(page, SECRET)
    expect(shield(page)).to_have_attribute("data-shield", "red")
    page.wait_for_timeout(WATCH_MS)
    assert outgoing.requests == [] and outgoing.tells() == []


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
    assert choice.locator("option").all_inner_texts() == ["Send without asking", "Ask once in every chat", "Never send"]
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


@pytest.mark.parametrize("way", ["enter", "socket", "old_request", "search"])
def test_the_watcher_would_notice(way: str, page: Page, proxy: Proxy, server: Server, outgoing: Outgoing) -> None:
    """The gate off, the same ways: the secret leaves, and the watcher says so. What cannot fail proves nothing."""
    gate(proxy, "off")
    go(way, page, proxy, server)
    page.wait_for_timeout(WATCH_MS)
    assert outgoing.tells()
    if way == "enter":
        assert any("/api/chat/completions" in sent for sent in outgoing.requests)
