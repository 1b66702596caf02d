"""A server of its own that says TEE_GATE=block, and that is really restarted while its page is open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.outgoing import Outgoing
from tests.browser.pages import (
    ANSWER_MS,
    EMAIL,
    KEEP_SOCKETS,
    OPEN,
    PASSWORD,
    enter,
    fill_in,
    new_page,
    open_panel,
    screenshot,
    send,
    shield,
    status_of,
    trust_all,
    wait_for_round,
)
from tests.browser.proxy import Proxy
from tests.browser.running import Server, serve
from tests.browser.tampering import change_answer, replace_verifier, without_doubts
from tests.browser.ways import SECRET
from tests.ports import free_port

pytestmark = [pytest.mark.browser, pytest.mark.release, pytest.mark.slow]

WATCH_MS = 1500
# socket.io tries again after at most some seven seconds.
RECONNECT_MS = 60_000
QUOTE, COMPLETION = b"/api/v1/tee/quote", b"/api/chat/completions"
CLOSED = "() => window.sockets.every((socket) => socket.readyState !== WebSocket.OPEN)"


class Restarted:
    """A server that keeps its port and its data from start to start."""

    def __init__(self, launcher: Path, data: Path) -> None:
        self._launcher, self._data, self._port = launcher, data, free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    @contextmanager
    def __call__(self, **settings: str) -> Iterator[Server]:
        with serve(self._launcher, self._data, self._port, TEE_GATE="block", TEE_CHANNEL="off", **settings) as server:
            yield server


@pytest.fixture
def restarted(launcher: Path, tmp_path: Path) -> Restarted:
    return Restarted(launcher, tmp_path / "data")


@pytest.fixture
def newcomer(browser: Browser) -> Iterator[Page]:
    page = new_page(browser)
    page.add_init_script(KEEP_SOCKETS)
    yield page
    page.context.close()


def refusal(page: Page) -> Locator:
    return page.locator("[data-sonner-toast]", has_text="Not sent: this server is not verified.").first


def signed_up(page: Page, url: str) -> None:
    """A session that began elsewhere, as by a program that checked the server: the page itself sends no password."""
    account = {"name": "Ada", "email": EMAIL, "password": PASSWORD}
    token = page.request.post(f"{url}/api/v1/auths/signup", data=account).json()["token"]
    page.goto(f"{url}/auth")
    # Upstream's page forgets a token whose check is cut off by going elsewhere: let it find none first.
    expect(page.locator("input[type=email]")).to_be_visible(timeout=30_000)
    page.evaluate("token => localStorage.setItem('token', token)", token)
    page.goto(url)
    expect(page.locator("#chat-input")).to_be_visible(timeout=30_000)


def position(outgoing: Outgoing, what: bytes) -> int:
    """At which place a request left; a failure if it did not."""
    return next(index for index, sent in enumerate(outgoing.sent) if what in sent)


def test_a_password_stays_here_until_the_server_is_verified(
    restarted: Restarted, newcomer: Page, genuine_verifier: bytes
) -> None:
    """Signing up sends content: it is refused, nothing of it leaves, and the same form is open once all is green."""
    page, outgoing = newcomer, Outgoing(newcomer.context)
    with Proxy(restarted.url) as proxy, restarted():
        page.goto(f"{restarted.url}/auth")
        wait_for_round(page, "simulated")
        fill_in(page)
        page.click("form button[type=submit]")
        refused = page.locator(
            "[data-sonner-toast]", has_text="Your password was not sent: this server is not verified."
        )
        expect(refused.first).to_be_visible()
        page.wait_for_timeout(WATCH_MS)
        expect(page.locator("input[type=password]")).to_have_value(PASSWORD)
        screenshot(page, "block-password")
        assert outgoing.requests == [] and outgoing.tells(PASSWORD) == [] and outgoing.tells(EMAIL) == []

        replace_verifier(proxy, genuine_verifier)
        change_answer(proxy, "quote", without_doubts)
        page.goto(f"{proxy.url}/auth")
        wait_for_round(page, "incomplete")
        trust_all(open_panel(page))
        expect(shield(page)).to_have_attribute("data-shield", "green")
        enter(page, proxy.url)
        assert outgoing.tells(PASSWORD), "the watcher would have noticed"
        assert proxy.reset() == []


def test_a_newcomer_sends_nothing_before_and_after_a_restart(restarted: Restarted, newcomer: Page) -> None:
    page, outgoing = newcomer, Outgoing(newcomer.context)
    with restarted():
        signed_up(page, restarted.url)
        wait_for_round(page, "simulated")
        page.wait_for_function(OPEN)
        outgoing.clear()
        send(page, SECRET)
        expect(refusal(page)).to_be_visible()
        page.wait_for_timeout(WATCH_MS)
        expect(page.locator("#chat-input")).to_contain_text(SECRET)
        expect(page.locator(".chat-user")).to_have_count(0)
        screenshot(page, "block-newcomer")
        assert not [sent for sent in outgoing.sent if QUOTE in sent], "the verdict is fresh"
        assert outgoing.requests == [] and outgoing.tells() == []

    page.wait_for_function(CLOSED, timeout=RECONNECT_MS)
    page.locator("#chat-input").click()
    page.keyboard.press("Enter")
    expect(shield(page)).to_have_attribute("data-phase", "failed", timeout=30_000)
    expect(shield(page)).to_have_attribute("data-shield", "red")

    expect(refusal(page)).to_be_hidden(timeout=30_000)
    outgoing.clear()
    with restarted():
        page.wait_for_function(OPEN, timeout=RECONNECT_MS)
        wait_for_round(page, "simulated")
        assert len([sent for sent in outgoing.sent if QUOTE in sent]) == 1, "what came back is judged, once, by itself"
        page.locator("#chat-input").click()
        page.keyboard.press("Enter")
        expect(refusal(page)).to_be_visible()
        page.wait_for_timeout(WATCH_MS)
        assert len([sent for sent in outgoing.sent if QUOTE in sent]) == 1, "that verdict is fresh"
        expect(page.locator("#chat-input")).to_contain_text(SECRET)
        assert outgoing.requests == [] and outgoing.tells() == []


def test_trust_outlives_a_restart_but_not_a_changed_setting(
    restarted: Restarted, newcomer: Page, genuine_verifier: bytes
) -> None:
    """Green and trusted; a restart as it was is green again once it is checked; with another setting it is red."""
    page, outgoing = newcomer, Outgoing(newcomer.context)
    with Proxy(restarted.url) as proxy:
        replace_verifier(proxy, genuine_verifier)
        change_answer(proxy, "quote", without_doubts)
        with restarted():
            signed_up(page, proxy.url)
            wait_for_round(page, "incomplete")
            trust_all(open_panel(page))
            expect(shield(page)).to_have_attribute("data-shield", "green")
            page.keyboard.press("Escape")
        page.wait_for_function(CLOSED, timeout=RECONNECT_MS)

        outgoing.clear()
        with restarted():
            page.wait_for_function(OPEN, timeout=RECONNECT_MS)
            send(page, "Say hello.")
            expect(page.locator(".chat-assistant").last).to_contain_text(re.compile(r"\w"), timeout=ANSWER_MS)
            expect(page.locator("#voice-input-button")).to_be_visible(timeout=ANSWER_MS)
            assert position(outgoing, QUOTE) < position(outgoing, COMPLETION), "checked before the message left"
            expect(shield(page)).to_have_attribute("data-shield", "green")
        page.wait_for_function(CLOSED, timeout=RECONNECT_MS)

        outgoing.clear()
        with restarted(ENABLE_ADMIN_CHAT_ACCESS="true"):
            page.wait_for_function(OPEN, timeout=RECONNECT_MS)
            send(page, SECRET)
            expect(refusal(page)).to_be_visible(timeout=30_000)
            wait_for_round(page, "not-acceptable")
            expect(shield(page)).to_have_attribute("data-shield", "red")
            page.wait_for_timeout(WATCH_MS)
            assert outgoing.requests == [] and outgoing.tells() == []
            position(outgoing, QUOTE)
            panel = open_panel(page)
            assert status_of(panel, "eventlog.replay") == "pass", "an appended event, not a broken log"
            assert status_of(panel, "release.match") == "fail"
            changed = panel.locator("#tee-changes [data-changed='site']")
            expect(changed).to_contain_text('"admin_access":true')
            changed.scroll_into_view_if_needed()
            screenshot(page, "restarted-changed")
        assert proxy.reset() == []
