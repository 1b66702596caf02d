"""A person in a browser outside of the machine: sees the shield, chats with a model of the operator's own, and finds it
all again after a loss of power."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from scripts.machine import chromium
from tests.browser.conftest import ARGUMENTS
from tests.browser.pages import fill_in, send, shield
from tests.image import owner, tiny_model
from tests.image.built import Built
from tests.image.machine import WIDER
from tests.image.owner import FAILED, READY
from tests.release.unlocking import until

pytestmark = pytest.mark.image
SLOW_MS = 900_000  # everything in the machine is emulated
MARK = "Remember heron-4711."
#: Whether the service says that it has kept each message of a chat: an answer is kept a moment after it was shown.
KEPT = """async (id) => {
    const headers = {Authorization: `Bearer ${localStorage.token}`};
    const {chat} = await (await fetch(`/api/v1/chats/${id}`, {headers})).json();
    return Object.values(chat.history.messages).every(({content}) => content);
}"""
_LINK = re.compile(r"https://127\.0\.0\.1:[0-9]+/\S*administrator\S*")


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Chromium."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium.find(), args=ARGUMENTS)
        yield started
        started.close()


def new_page(browser: Browser) -> Page:
    page = browser.new_context(ignore_https_errors=True, locale="en-US").new_page()
    page.set_default_timeout(SLOW_MS)
    return page


def sign_in(page: Page, address: str) -> None:
    """Sign up by the link, or sign in later."""
    page.goto(address)
    fill_in(page, SLOW_MS)
    page.click("form button[type=submit]")
    go_on(page, "#chat-input")


def go_on(page: Page, awaited: str) -> None:
    """Until that is there; the question whether to send to a service that is not real is answered with yes."""
    dialog, there = page.locator("#tee-gate-dialog[open]"), page.locator(awaited)
    expect(dialog.or_(there).first).to_be_visible(timeout=SLOW_MS)
    if dialog.count():
        dialog.locator("#tee-send-anyway").click()
    expect(there.first).to_be_visible(timeout=SLOW_MS)


def test_a_message_that_was_taken_is_there_after_a_loss_of_power(
    built: Built, ovmf: Path, browser: Browser, tmp_path: Path
) -> None:
    weights = tiny_model.gguf()
    one = owner.new(built, ovmf, tmp_path, weights)
    with one.booted("first", WIDER) as machine:
        assert READY in machine.wait_for(READY, FAILED)
        assert "a model of 0 MiB is in memory, from vdc1" in machine.console()
        known = one.references(machine)
        assert owner.described(weights)["sha384"] in known.read_text(), "the model is measured"
        assert one.unlock(known)[0] == 5, "there is nothing yet, and nothing is made unasked"
        code, said = one.unlock(known, "--create")
        assert code == 0, said
        one.wait_until_healthy()
        (link,) = set(_LINK.findall(machine.wait_for("#administrator=")))
        page = new_page(browser)
        sign_in(page, link)
        expect(shield(page)).to_have_attribute("data-overall", "simulated", timeout=SLOW_MS)
        send(page, MARK)
        go_on(page, ".chat-user")
        expect(page.locator(".chat-assistant").last).to_contain_text(tiny_model.WORD, timeout=SLOW_MS)
        page.wait_for_url(re.compile("/c/"))
        chat = page.url.rpartition("/")[2]
        until(lambda: page.evaluate(KEPT, chat), "the answer is not kept")
        page.context.close()
    assert MARK.encode() not in one.disk.read_bytes()
    with one.booted("second", WIDER) as machine:
        assert READY in machine.wait_for(READY, FAILED)
        code, said = one.unlock(known, "--accept-generation", "7")
        assert code == 5 and "older than it should be" in said, "the disk of an earlier day"
        code, said = one.unlock(known)
        assert (code, "for time number 2" in said) == (0, True), said
        one.wait_until_healthy()
        page = new_page(browser)
        sign_in(page, f"{one.url}/auth")
        page.goto(f"{one.url}/c/{chat}")
        expect(page.locator(".chat-user").first).to_contain_text(MARK, timeout=SLOW_MS)
        expect(page.locator(".chat-assistant").last).to_contain_text(tiny_model.WORD, timeout=SLOW_MS)
        page.context.close()
        machine.press_power()
        assert "reboot: Power down" in machine.ends()
