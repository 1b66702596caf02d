"""axe finds no serious problem on the login page, the shield, the panel and the gate's question, in light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.axe import problems
from tests.browser.pages import new_page, open_panel, send, wait_for_round
from tests.browser.proxy import Proxy
from tests.browser.running import Server
from tests.browser.tampering import change_answer

pytestmark = [pytest.mark.browser, pytest.mark.release, pytest.mark.slow]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_login_page(scheme: Any, browser: Browser, server: Server, signed_in: Path) -> None:
    page = new_page(browser, color_scheme=scheme)
    page.goto(f"{server.url}/auth")
    wait_for_round(page)
    expect(page.locator("input[type=password]")).to_be_visible()
    assert problems(page) == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_shield_panel_and_question(
    scheme: Any, browser: Browser, proxy: Proxy, server: Server, signed_in: Path
) -> None:
    page = new_page(browser, color_scheme=scheme, storage_state=signed_in)
    change_answer(proxy, "config", lambda config: {**config, "gate": "warn"})
    page.goto(server.url)
    wait_for_round(page)
    assert problems(page, "[data-tee-shield]") == []
    panel = open_panel(page)
    for section in panel.locator("details").all():
        section.evaluate("element => { element.open = true; }")
    panel.locator("#tee-service").select_option("trustee")
    page.wait_for_timeout(500)
    assert problems(page, "#tee-panel") == []
    page.keyboard.press("Escape")
    send(page, "Hello")
    expect(page.locator("#tee-gate-dialog[open]")).to_be_visible()
    assert problems(page, "#tee-gate-dialog") == []
    page.context.close()
