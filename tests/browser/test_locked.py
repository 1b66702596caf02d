"""A service whose data its owner has not opened yet: what people see, on a desktop and on a phone, and afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.axe import problems
from tests.browser.pages import SCREENS, new_page, open_panel, screenshot, wait_for_round
from tests.browser.running import Server
from tests.ports import free_port
from tests.release.unlocking import health, launched, new_key, references, told, until

pytestmark = [pytest.mark.browser, pytest.mark.release, pytest.mark.slow]
FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"


def test_the_page_says_that_it_is_locked_and_has_the_shield(launcher: Path, browser: Browser, tmp_path: Path) -> None:
    server, key = Server(f"http://127.0.0.1:{free_port()}", tmp_path / "data"), str(tmp_path / "data.key")
    server.data.mkdir()
    public = new_key(key)
    nobody = f"http://127.0.0.1:{free_port()}"
    trustee = {"DATA_KEY": "trustee", "DATA_TRUSTEE_URL": nobody, "DATA_TRUSTEE_RESOURCE": "default/a/b"}
    with launched(launcher.parent, server, public, **trustee):
        page = new_page(browser)
        answer = page.goto(server.url)
        assert answer and answer.status == 503
        wait_for_round(page, "simulated")
        said = page.locator("#tee-unreached")
        expect(said.get_by_role("heading", name="Locked")).to_be_visible()
        expect(said).to_contain_text("has not opened it since it was started")
        expect(said.locator("#tee-trouble")).to_have_text("The Trustee that keeps its key cannot be reached.")
        assert problems(page) == []
        for screen, (width, height) in SCREENS.items():
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate(FITS), "it scrolls sideways"
            screenshot(page, f"locked-{screen}")
        for locale, heading in (("ja-JP", "ロック中"), ("zh-CN", "已锁定"), ("id-ID", "Terkunci")):
            elsewhere = new_page(browser, locale=locale)
            elsewhere.goto(server.url)
            expect(elsewhere.locator("#tee-unreached h1")).to_have_text(heading)
            elsewhere.context.close()
        panel = open_panel(page)
        expect(panel.locator("#tee-summary")).to_contain_text("Simulated")
        page.keyboard.press("Escape")
        held = ("--release", references(server, tmp_path), "--key", key, "--cache", str(tmp_path / "cache"))
        code, words = told(server.url, *held, "--accept", "simulated", "--create")
        assert code == 0, words
        until(lambda: health(server.url)[0] == 200, "it does not serve")
        page.get_by_role("button", name="Check Again").click()
        expect(page.locator("div:has(> div:text-is('Get started')) > button")).to_be_visible(timeout=30_000)
        page.context.close()
