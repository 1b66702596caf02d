"""Trusting what was seen, and evidence in files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pages import open_panel, screenshot, shield, status_of, trust, wait_for_round
from tests.browser.proxy import Proxy
from tests.browser.running import Server
from tests.browser.tampering import change_answer, far, flip, remade, with_origin

pytestmark = [pytest.mark.browser, pytest.mark.release, pytest.mark.slow]


def test_trust_what_was_seen_then_green_then_a_change_is_red_until_accepted(
    genuine_page: Page, proxy: Proxy, server: Server
) -> None:
    page = genuine_page
    page.goto(server.url)
    wait_for_round(page, "incomplete")
    panel = open_panel(page)
    trust(panel)
    wait_for_round(page, "incomplete")
    programs = panel.locator("[data-check='platform.match']")
    expect(programs).to_have_attribute("data-status", "warn")
    expect(programs).to_contain_text("could have changed the programs")
    panel.locator("#tee-administrator").check()
    expect(shield(page)).to_have_attribute("data-overall", "verified")
    expect(programs).to_contain_text("You trust whoever administers its machine")
    expect(panel.locator("#tee-summary")).to_contain_text("the same as you trusted on")
    screenshot(page, "administrator")
    page.keyboard.press("Escape")

    change_answer(proxy, "quote", lambda evidence: remade(evidence, mr_td=b"\x07" * 48))
    page.reload()
    wait_for_round(page, "not-acceptable")
    panel = open_panel(page)
    assert status_of(panel, "platform.match") == "fail"
    changed = panel.locator("#tee-changes [data-changed='mr_td']")
    expect(changed.locator("ins")).to_have_text("07" * 48)
    expect(changed).to_be_in_viewport()  # before anybody scrolls
    expect(panel.locator("#tee-summary")).to_contain_text("This server changed since you trusted it on")
    expect(panel.locator("#tee-summary")).to_contain_text("firmware")
    screenshot(page, "changed")
    trust(panel)
    expect(shield(page)).to_have_attribute("data-overall", "verified")
    panel.locator("#tee-forget").click()
    expect(shield(page)).to_have_attribute("data-overall", "incomplete")


def test_nothing_can_be_trusted_while_the_binding_fails(genuine_page: Page, proxy: Proxy, server: Server) -> None:
    change_answer(proxy, "quote", with_origin)
    genuine_page.goto(far(server))
    wait_for_round(genuine_page, "not-genuine")
    expect(open_panel(genuine_page).locator("#tee-trust")).to_have_count(0)


def test_evidence_goes_to_a_file_and_comes_back(expecting: Page, server: Server, tmp_path: Path) -> None:
    page = expecting
    page.goto(server.url)
    wait_for_round(page, "verified")
    panel = open_panel(page)
    with page.expect_download() as waiting:
        panel.locator("#tee-download").click()
    path = tmp_path / "evidence.json"
    waiting.value.save_as(path)
    bundle = json.loads(path.read_text())
    assert set(bundle) == {"v", "time", "nonce", "connected", "evidence", "collateral", "service_tokens"}
    assert bundle["connected"]["origin"] == server.url

    bundle["evidence"]["quote"] = flip(48 + 136)(bundle["evidence"])["quote"]
    path.write_text(json.dumps(bundle))
    panel.locator("#tee-load-bundle").set_input_files(path)
    expect(panel.locator("#tee-summary")).to_have_attribute("data-shield", "red")
    assert status_of(panel, "quote.signature") == "fail"
    expect(shield(page)).to_have_attribute("data-shield", "green")
    path.write_text("{}")
    panel.locator("#tee-load-bundle").set_input_files(path)
    summary = panel.locator("#tee-summary")
    expect(summary).to_contain_text("“evidence.json” is not evidence, or it is damaged")
    expect(panel.locator("#tee-steps")).to_have_count(0)
    panel.locator("#tee-back").click()
    expect(summary).to_contain_text("Verified")
