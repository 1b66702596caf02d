"""The panel in the states that people meet, on a desktop and on a phone: a picture of each, nothing that axe finds.

The pictures in docs/images are these, from `build/screenshots/panel-<state>-<screen>.png`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.axe import ANY, problems
from tests.browser.pages import SCREENS, home, open_panel, screenshot, shield, trust, wait_for_round
from tests.browser.proxy import Proxy
from tests.browser.remembering import fetch_evidence, references_for, remember
from tests.browser.running import Server
from tests.browser.tampering import change_answer, flip, remade

pytestmark = [pytest.mark.browser, pytest.mark.release, pytest.mark.slow]

# Buttons and what else takes a finger, but smaller than 44 pixels in a direction.
SMALL = """panel => [...panel.querySelectorAll('button, summary, select')]
    .map((one) => [one.id || one.textContent.trim(), one.getBoundingClientRect()])
    .filter(([, {width, height}]) => width > 0 && (width < 44 || height < 44))
    .map(([name]) => name)"""
FOLD = "(panel, open) => panel.querySelectorAll('details').forEach((one) => { one.open = open; })"
WIDTH_OF_BORDERS = "all => all.map((one) => parseFloat(getComputedStyle(one).borderTopWidth))"


def simulated(page: Page, proxy: Proxy, server: Server) -> None:
    home(page, server)


def verified(page: Page, proxy: Proxy, server: Server) -> None:
    remember(page, references=references_for(fetch_evidence(page, server)))
    home(page, server)


def changed(page: Page, proxy: Proxy, server: Server) -> None:
    home(page, server)
    trust(open_panel(page))
    change_answer(proxy, "quote", lambda evidence: remade(evidence, mr_td=b"\x07" * 48))
    page.reload()


def failed(page: Page, proxy: Proxy, server: Server) -> None:
    change_answer(proxy, "quote", flip(48 + 136))
    home(page, server)


def offline(page: Page, proxy: Proxy, server: Server) -> None:
    home(page, server)
    page.wait_for_timeout(1500)  # what is shown when something is wrong is loaded after the first round
    page.context.set_offline(True)
    shield(page).click()
    page.locator("#tee-recheck").click()
    page.keyboard.press("Escape")


STATES: dict[str, tuple[Callable[[Page, Proxy, Server], None], str, str]] = {
    "simulated": (simulated, "simulated", "Simulated: this service imitates"),
    "verified": (verified, "verified", "Verified: genuine Intel TDX, and it matches the reference values"),
    "changed": (changed, "not-acceptable", "This server changed since you trusted it on"),
    "failed": (failed, "not-genuine", "Not verified: this is not proven to be Intel TDX"),
    "offline": (offline, "", "The server could not be reached."),
}


def look(page: Page, panel: Locator, state: str, screen: str) -> None:
    """Take the picture as a person sees it first; then unfold everything and let axe look."""
    width, height = SCREENS[screen]
    page.set_viewport_size({"width": width, "height": height})
    panel.evaluate(FOLD, False)
    panel.evaluate("panel => panel.scrollTo(0, 0)")
    screenshot(page, f"panel-{state}-{screen}")
    panel.evaluate(FOLD, True)
    assert problems(page, "#tee-panel", ANY) == []
    assert panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth"), "it scrolls sideways"


@pytest.mark.parametrize("state", STATES)
def test_the_panel_on_a_desktop_and_on_a_phone(
    state: str, request: pytest.FixtureRequest, proxy: Proxy, server: Server
) -> None:
    page: Page = request.getfixturevalue("page" if state in ("simulated", "offline") else "genuine_page")
    reach, overall, summary = STATES[state]
    reach(page, proxy, server)
    wait_for_round(page, overall)
    panel = open_panel(page)
    expect(panel.locator("#tee-summary")).to_have_text(re.compile(f"^{re.escape(summary)}"))
    look(page, panel, state, "desktop")
    page.emulate_media(forced_colors="active")
    assert panel.evaluate("panel => getComputedStyle(panel).borderTopStyle") == "solid"
    assert min(panel.locator("button, select").evaluate_all(WIDTH_OF_BORDERS)) >= 1, (
        "a border that colours are forced on"
    )
    page.emulate_media(forced_colors="none")
    touch = {"enabled": True, "maxTouchPoints": 1}
    page.context.new_cdp_session(page).send("Emulation.setTouchEmulationEnabled", touch)
    look(page, panel, state, "phone")
    assert panel.evaluate(SMALL) == []
    if panel.locator(".tee-stacked").count():
        cells = (
            panel.locator(".tee-stacked tr").nth(1).locator("td").evaluate_all("all => all.map((one) => one.offsetTop)")
        )
        assert len(set(cells)) == len(cells), "on a phone, each line of a certificate is below the other"
