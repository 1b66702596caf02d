"""What people meet: any width and language, a slow server or none, a question before a password, locked settings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.gates import gate
from tests.browser.outgoing import Outgoing
from tests.browser.pages import EMAIL, PASSWORD, home, new_page, open_panel, screenshot, send, shield, wait_for_round
from tests.browser.proxy import Proxy
from tests.browser.running import Server
from tests.browser.tampering import refuse

pytestmark = [pytest.mark.browser, pytest.mark.release, pytest.mark.slow]

# Pixels of phones, of a window of 1280 by 800 at 200 %, of a tablet and of a desktop; docs/web.md has the table.
SIZES = ((320, 720), (360, 720), (390, 720), (640, 400), (768, 720), (1280, 720))
LANGUAGES = ("en-US", "ja-JP", "zh-CN", "id-ID")
PICTURED = ("ja-JP", "zh-CN")
# What is wider than the window, or cut off by it.
SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_cut_off_at_any_width(language: str, browser: Browser, server: Server, signed_in: Path) -> None:
    """Every button of the message box, and the panel, from 320 pixels on; the pointer rests where the shield was."""
    page = new_page(browser, storage_state=signed_in)
    page.add_init_script(f"localStorage.locale = '{language}'")
    home(page, server)
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.fill("#chat-input", "")
        expect(shield(page)).to_be_in_viewport(ratio=1)
        expect(page.locator("#voice-input-button")).to_be_in_viewport(ratio=1)
        page.fill("#chat-input", "Heron")
        expect(page.locator("#send-message-button")).to_be_in_viewport(ratio=1)
        assert page.evaluate(SIDEWAYS) <= 0, width
        panel = open_panel(page)
        assert panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth"), width
        page.evaluate("document.querySelector('#tee-panel').scrollTo(0, 1e6)")
        expect(panel.locator("h2 + button")).to_be_in_viewport(ratio=1)
        if width == 390 and language in PICTURED:
            page.evaluate("document.querySelector('#tee-panel').scrollTo(0, 0)")
            screenshot(page, f"panel-phone-{language}")
        page.keyboard.press("Escape")
    page.context.close()


def test_a_finger_finds_every_button(browser: Browser, server: Server, signed_in: Path) -> None:
    """44 pixels in both directions where the pointer is coarse."""
    page = new_page(
        browser, storage_state=signed_in, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800}
    )
    home(page, server)
    panel = open_panel(page)
    small = panel.evaluate(
        """panel => [...panel.querySelectorAll('button, summary, select')]
            .map((one) => [one.id || one.textContent, one.getBoundingClientRect()])
            .filter(([, {width, height}]) => width > 0 && (width < 44 || height < 44))
            .map(([name]) => name.trim())"""
    )
    assert small == []
    page.context.close()


def test_every_other_language_shows_english_and_no_mix(browser: Browser, server: Server, signed_in: Path) -> None:
    page = new_page(browser, storage_state=signed_in, locale="de-DE")
    page.add_init_script("localStorage.locale = 'de-DE'")
    home(page, server)
    panel = open_panel(page)
    english = {text for path in ENGLISH.glob("tee*.json") for text in json.loads(path.read_text("utf-8")).values()}
    assert panel.locator("h2").inner_text() in english
    texts = panel.evaluate(
        "panel => [...panel.querySelectorAll('h3, summary, button')].map((one) => one.textContent.trim())"
    )
    assert [text for text in texts if text not in english] == []
    assert re.search(r"Checked at \d+:\d\d [AP]M\.", panel.inner_text()), "times are written as the sentence is"
    page.context.close()


ENGLISH = Path(__file__).resolve().parents[2] / "patches/files/src/lib/i18n/locales/en-US"


def test_a_slow_check_says_so_at_once_and_leaves_the_choice(page: Page, proxy: Proxy, server: Server) -> None:
    gate(proxy, "warn")
    home(page, server)
    held: list[Route] = []
    page.route("**/api/v1/tee/quote*", lambda route: held.append(route))
    page.locator("#new-chat-button").click()
    send(page, "Hello")
    expect(page.locator("[data-sonner-toast]", has_text="Waiting for the check")).to_be_visible()
    dialog = page.locator("#tee-gate-dialog[open]")
    expect(dialog).to_contain_text("Send your message")
    expect(dialog).to_contain_text("the check is running")
    expect(shield(page)).to_have_attribute("data-shield", "grey")
    for route in held:
        route.continue_()
    expect(dialog).to_contain_text("Simulated: this service imitates")
    dialog.get_by_role("button", name="Do not send").click()
    expect(page.locator("#chat-input")).to_contain_text("Hello")


def test_a_message_that_waits_for_a_check_leaves_by_itself_once_it_is_green(
    expecting: Page, proxy: Proxy, server: Server
) -> None:
    page = expecting
    gate(proxy, "warn")
    home(page, server)
    held: list[Route] = []
    page.route("**/api/v1/tee/quote*", lambda route: held.append(route))
    page.locator("#new-chat-button").click()
    send(page, "Say hello.")
    expect(page.locator("[data-sonner-toast]", has_text="Waiting for the check")).to_be_visible()
    expect(page.locator(".chat-user")).to_have_count(0)
    for route in held:
        route.continue_()
    expect(page.locator(".chat-user")).to_have_text("Say hello.")
    expect(page.locator("#tee-gate-dialog")).to_have_count(0)
    expect(shield(page)).to_have_attribute("data-shield", "green")


def test_offline_enter_and_shield_answer_and_a_connection_that_is_back_is_checked(
    page: Page, proxy: Proxy, server: Server
) -> None:
    gate(proxy, "warn")
    home(page, server)
    page.wait_for_timeout(1500)  # what is shown when something is wrong is loaded after the first round
    page.context.set_offline(True)
    send(page, "Hello")
    dialog = page.locator("#tee-gate-dialog[open]")
    expect(dialog).to_contain_text("The server could not be reached.", timeout=15_000)
    dialog.get_by_role("button", name="Do not send").click()
    panel = open_panel(page)
    expect(panel.locator("#tee-summary")).to_have_text("The server could not be reached.")
    page.context.set_offline(False)
    expect(shield(page)).to_have_attribute("data-overall", "simulated", timeout=30_000)


def test_a_server_that_does_not_answer_sends_nobody_elsewhere(page: Page, server: Server) -> None:
    """Where upstream's page for that would blame the installation and offer its own community's help."""
    page.route("**/api/config", lambda route: route.abort())
    page.goto(server.url)
    expect(page.get_by_text("The server could not be reached.")).to_be_visible(timeout=30_000)
    expect(page.locator("a[href^=http]")).to_have_count(0)


def test_a_password_is_asked_about_like_everything_else(
    browser: Browser, proxy: Proxy, server: Server, signed_in: Path
) -> None:
    gate(proxy, "warn")
    page = new_page(browser)
    outgoing = Outgoing(page.context)
    page.goto(f"{server.url}/auth")
    wait_for_round(page)
    page.fill("input[type=email]", EMAIL)
    page.fill("input[type=password]", PASSWORD)
    page.click("form button[type=submit]")
    dialog = page.locator("#tee-gate-dialog[open]")
    expect(dialog.locator("#tee-gate-title")).to_have_text("Send your password to a server that is not verified?")
    expect(dialog).to_contain_text("nothing is protected")
    dialog.get_by_role("button", name="Do not send").click()
    expect(page.locator("[data-sonner-toast]", has_text="Your password was not sent").first).to_be_visible()
    assert outgoing.tells(PASSWORD) == []
    page.wait_for_timeout(1600)  # what the same click still wants is refused for a moment
    page.click("form button[type=submit]")
    dialog.locator("#tee-send-anyway").click()
    expect(page.locator("#chat-input")).to_be_visible(timeout=30_000)
    page.context.close()


def test_the_focus_stays_and_the_tooltip_can_be_read(page: Page, server: Server) -> None:
    home(page, server)
    shield(page).hover()
    tooltip = page.locator("#tee-tooltip")
    expect(tooltip).to_be_visible()
    tooltip.hover()
    page.wait_for_timeout(500)
    expect(tooltip).to_be_visible()
    page.keyboard.press("Escape")
    expect(tooltip).to_be_hidden()
    described = shield(page).evaluate(
        "one => document.getElementById(one.getAttribute('aria-describedby')).textContent"
    )
    assert described == "Simulated: this service imitates Intel TDX in software. Nothing here is protected."
    panel = open_panel(page)
    again = panel.locator("#tee-recheck")
    again.focus()
    page.keyboard.press("Enter")
    expect(panel.locator("#tee-checked-at")).to_be_visible()
    expect(again).to_be_focused()


def test_simulated_hardware_offers_nothing_to_trust_and_marks_its_certificates(page: Page, server: Server) -> None:
    home(page, server)
    panel = open_panel(page)
    answers = {
        step.get_attribute("data-step"): step.get_attribute("data-answer")
        for step in panel.locator("[data-step]").all()
    }
    assert answers == {
        "hardware": "no",
        "connection": "unknown",
        "software": "unsure",
        "data": "unsure",
        "gpu": "unknown",
    }
    expect(panel.locator("#tee-trust")).to_have_count(0)
    panel.locator("summary", has_text="Certificate chain").click()
    expect(panel.locator("#tee-test-certificates")).to_contain_text("Intel issued none of them")
    expect(panel.locator("#tee-short-code code")).to_have_text(
        re.compile(r"([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}")
    )
    expect(panel.locator("#tee-short-code svg")).to_be_visible()
    expect(panel.locator("#tee-provenance [data-by='claim']")).to_have_count(2)
    expect(panel.locator("#tee-provenance")).to_contain_text(f"quote-verifier {server.url}")


def test_without_collateral_it_cannot_be_checked(page: Page, proxy: Proxy, server: Server) -> None:
    refuse(proxy, "collateral", 503)
    page.goto(server.url)
    found = wait_for_round(page, "not-genuine")
    expect(found).to_have_attribute("data-shield", "red")
    expect(found.locator("span")).to_have_text("Cannot check")
    panel = open_panel(page)
    looks = [row.get_attribute("data-look") for row in panel.locator("#tee-checks [data-check]").all()]
    assert looks == ["pass", "fail", *["unasked"] * 8, "skipped", "unasked"]


def test_settings_that_are_fixed_are_shown_fixed(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/admin/settings")
    note = page.locator("#tee-locked")
    expect(note).to_contain_text("Fixed at launch.", timeout=30_000)
    expect(note).to_contain_text("Only sign-up")
    for gone in ("Check for updates", "(latest)", "Upgrade to a licensed plan"):
        expect(page.get_by_text(gone)).to_have_count(0)
    page.get_by_role("button", name="Web Search").click()
    expect(page.locator("fieldset:disabled button[type=submit]")).to_be_disabled()
