"""The shield in the message box and on the login page, against the running release."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.pages import (
    ANSWER_MS,
    MEASUREMENTS,
    enter,
    new_chat,
    new_page,
    open_panel,
    screenshot,
    send,
    tooltip,
    wait_for_round,
)
from tests.browser.proxy import Proxy
from tests.browser.running import Server
from tests.browser.tampering import change_answer, refuse

pytestmark = [pytest.mark.browser, pytest.mark.release, pytest.mark.slow]


# A round may be over before a test looks: the page itself notes each colour that the shield takes.
WATCH_COLOURS = """() => {
    const shield = document.querySelector('[data-tee-shield]');
    window.colours = [];
    new MutationObserver(() => window.colours.push(shield.dataset.shield))
        .observe(shield, {attributes: true, attributeFilter: ['data-shield']});
}"""


class Quotes:
    """The evidence that a page has fetched, in order."""

    def __init__(self, page: Page) -> None:
        self.nonces: list[str] = []
        self.quotes: list[str] = []
        page.route("**/api/v1/tee/quote?*", self._note)  # a body that the page reads as it comes is not kept for others

    def _note(self, route: Route) -> None:
        answer = route.fetch()
        if answer.ok:
            self.nonces.append(re.sub(r".*nonce=", "", route.request.url))
            self.quotes.append(answer.json()["quote"])
        route.fulfill(response=answer)


def test_a_newcomer_signs_up_sees_the_shield_turn_and_gets_an_answer(browser: Browser, server: Server) -> None:
    page = new_page(browser)
    quotes = Quotes(page)
    printed: list[str] = []
    page.on("console", lambda message: printed.append(message.text))
    enter(page, server.url)
    expect(page.get_by_text(re.compile("What.s New"))).to_have_count(0)
    found = wait_for_round(page, "simulated")
    expect(found).to_have_attribute("data-shield", "amber")
    expect(found).to_have_attribute("aria-label", re.compile("Simulated"))
    expect(found.locator("span")).to_have_text("Simulated")

    shown = tooltip(page)
    assert list(shown) == list(MEASUREMENTS)
    for name, size in MEASUREMENTS.items():
        assert re.fullmatch(f"[0-9a-f]{{{2 * size}}}", shown[name]), name
        assert shown[name] in quotes.quotes[-1], f"{name} is not of the quote that this page fetched"
    screenshot(page, "simulated")
    page.mouse.move(10, 10)

    before = len(quotes.quotes)
    page.evaluate(WATCH_COLOURS)
    new_chat(page)
    page.wait_for_function(
        "() => window.colours.includes('grey') && !window.colours.includes('red') && window.colours.at(-1) === 'amber'"
    )
    wait_for_round(page, "simulated")
    assert len(quotes.quotes) == before + 1, "a New Chat is one round"
    assert quotes.nonces[-1] != quotes.nonces[-2]
    assert quotes.quotes[-1] != quotes.quotes[-2]

    send(page, "Say hello.")
    answer = page.locator(".chat-assistant #response-content-container").last
    expect(answer).to_have_text(re.compile(r"\w{2,}"), timeout=ANSWER_MS)
    expect(page.locator("button[aria-label='Voice Input'], #voice-input-button").first).to_be_visible(timeout=ANSWER_MS)
    screenshot(page, "chat")
    assert printed, "this page's console is watched"
    assert [text for text in printed if "Say hello" in text] == [], "what people type is not for the console"
    page.context.close()


def test_the_login_page_shows_the_shield_before_anybody_types(browser: Browser, server: Server, signed_in: Any) -> None:
    page = new_page(browser)
    page.goto(f"{server.url}/auth")
    found = wait_for_round(page, "simulated")
    expect(found).to_be_visible()
    expect(found).to_have_text("Simulated")
    screenshot(page, "login")
    page.context.close()


def test_the_shield_is_the_first_icon_at_the_right_of_the_message_box(page: Page, server: Server) -> None:
    page.goto(server.url)
    wait_for_round(page)
    first = page.locator("#voice-input-button").locator("xpath=ancestor::div[contains(@class,'self-end')][1]/*[1]")
    expect(first).to_have_attribute("data-tee-shield", "")


def test_the_keyboard_reaches_shield_tooltip_and_panel(page: Page, server: Server) -> None:
    page.goto(server.url)
    found = wait_for_round(page)
    found.focus()
    expect(page.locator("#tee-tooltip")).to_be_visible()
    page.keyboard.press("Enter")
    panel = page.locator("#tee-panel[open]")
    expect(panel).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(found).to_be_focused()


def test_a_round_that_fails_is_red_and_says_why(page: Page, proxy: Proxy, server: Server) -> None:
    page.goto(server.url)
    found = wait_for_round(page, "simulated")
    refuse(proxy, "quote", 429, Retry_After="7")
    new_chat(page)
    expect(found).to_have_attribute("data-phase", "failed", timeout=10_000)
    expect(found).to_have_attribute("data-shield", "red")
    expect(found).to_have_attribute("data-overall", "")
    expect(found.locator("svg")).to_have_attribute("data-shape", "cross")
    assert tooltip(page) == {}, "no measurement outlives its round"
    expect(page.locator("#tee-tooltip")).to_have_text("The server was asked too often; try again in 7 s.")


def test_a_server_that_does_not_answer_is_red(page: Page, server: Server) -> None:
    page.route("**/api/v1/tee/quote*", lambda route: route.abort())
    page.goto(server.url)
    found = wait_for_round(page)
    expect(found).to_have_attribute("data-shield", "red")
    found.hover()
    expect(page.locator("#tee-tooltip")).to_have_text("The server could not be reached.")
    screenshot(page, "not-verified")


def test_phone_width_and_dark_theme(browser: Browser, server: Server, signed_in: Any) -> None:
    page = new_page(browser, storage_state=signed_in, viewport={"width": 375, "height": 740}, color_scheme="dark")
    page.goto(server.url)
    found = wait_for_round(page, "simulated")
    expect(found).to_be_in_viewport(ratio=1)
    expect(page.locator("#voice-input-button")).to_be_in_viewport(ratio=1)
    screenshot(page, "phone-dark")
    found.click()
    panel = page.locator("#tee-panel[open]")
    expect(panel).to_be_visible()
    box = panel.bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 375
    assert panel.evaluate("e => e.scrollWidth <= e.clientWidth"), "the panel scrolls sideways"
    screenshot(page, "phone-dark-panel")
    page.context.close()


@pytest.mark.parametrize(
    ("locale", "word"),
    [("zh-CN", "模拟"), ("id-ID", "Simulasi"), ("fr-FR", "Simulated")],
)
def test_the_shield_speaks_the_persons_language(
    locale: str, word: str, browser: Browser, server: Server, signed_in: Any
) -> None:
    """French has no sentences of ours: English, never a key. Japanese is below."""
    page = new_page(browser)
    page.add_init_script(f"localStorage.locale = '{locale}'")
    page.goto(f"{server.url}/auth")
    found = wait_for_round(page, "simulated")
    expect(found).to_have_text(word)
    found.click()
    expect(page.locator("#tee-panel[open] [data-check='tee.real']")).not_to_contain_text("tee.check")
    page.context.close()


@pytest.mark.parametrize(
    ("locale", "reason"),
    [
        ("en-US", "it does not start with the INIT line of an untouched register"),
        ("ja-JP", "未使用のレジスターの INIT 行で始まっていません"),
    ],
)
def test_the_reason_inside_a_sentence_is_translated_too(
    locale: str, reason: str, browser: Browser, server: Server, proxy: Proxy, signed_in: Any
) -> None:
    change_answer(proxy, "quote", lambda evidence: {**evidence, "event_log": "nothing of the kind\n"})
    page = new_page(browser)
    page.add_init_script(f"localStorage.locale = '{locale}'")
    page.goto(f"{server.url}/auth")
    wait_for_round(page)
    panel = open_panel(page)
    expect(panel.locator("[data-check='eventlog.replay']")).to_contain_text(reason)
    screenshot(page, f"reason-{locale}")
    page.context.close()
