"""What the tests do with a page, in a person's words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

from playwright.sync_api import Browser, Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.running import Server

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
ROUND_MS = 20_000
ANSWER_MS = 90_000
# Playwright's five seconds are short for a page that loads beside two other browsers' tests, on two processors.
expect.set_options(timeout=15_000)
SCREENS = {"desktop": (1280, 800), "phone": (390, 844)}
EMAIL, PASSWORD = "ada@example.org", "a long password 1"

# The measurements that the tooltip shows, and the size of each in bytes.
MEASUREMENTS = {
    "mr_td": 48,
    "rtmr_0": 48,
    "rtmr_1": 48,
    "rtmr_2": 48,
    "rtmr_3": 48,
    "mr_seam": 48,
    "td_attributes": 8,
    "xfam": 8,
    "seam_attributes": 8,
}

# A script for a page that keeps the sockets it opens, and what to ask of them.
KEEP_SOCKETS = """
    window.sockets = [];
    window.WebSocket = new Proxy(window.WebSocket, {
        construct(target, args) {
            const socket = Reflect.construct(target, args);
            window.sockets.push(socket);
            return socket;
        }
    });
"""
OPEN = "() => window.sockets.some((socket) => socket.readyState === WebSocket.OPEN)"


def new_page(browser: Browser, **options: Any) -> Page:
    """A page of a browser that has never been here: no storage, English, light theme."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-US", **options})
    return context.new_page()


def screenshot(page: Page, name: str) -> Path:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    try:
        page.screenshot(path=path)
    except PlaywrightTimeout:  # two busy processors, and Chromium once painted no frame for it in half a minute
        page.screenshot(path=path, timeout=90_000)
    return path


def pictures(page: Page, part: Locator, name: str) -> None:
    """Pictures of a page on each of SCREENS, `part` of it in the middle."""
    for screen, (width, height) in SCREENS.items():
        page.set_viewport_size({"width": width, "height": height})
        part.evaluate("part => part.scrollIntoView({block: 'center'})")
        screenshot(page, f"{name}-{screen}")


def shield(page: Page) -> Locator:
    return page.locator("[data-tee-shield]").first


def wait_for_round(page: Page, overall: str | None = None) -> Locator:
    """Wait until a round of attestation has ended, with this overall status if one is given."""
    found = shield(page)
    expect(found).to_have_attribute("data-phase", re.compile("done|failed"), timeout=ROUND_MS)
    if overall is not None:
        expect(found).to_have_attribute("data-overall", overall, timeout=ROUND_MS)
    return found


def fill_in(page: Page, within_ms: float = 30_000) -> None:
    """Fill in the form of the page for signing in, as the first person or later on."""
    start = page.locator("div:has(> div:text-is('Get started')) > button")
    email = page.locator("input[type=email]")
    expect(start.or_(email).first).to_be_visible(timeout=within_ms)
    if start.count():
        start.click()
    if page.locator("input[autocomplete=name]").count():
        page.fill("input[autocomplete=name]", "Ada")
    page.fill("input[type=email]", EMAIL)
    page.fill("input[type=password]", PASSWORD)


def enter(page: Page, url: str) -> None:
    """Sign up as the first person, or sign in later on."""
    page.goto(f"{url}/auth")
    fill_in(page)
    page.click("form button[type=submit]")
    expect(page.locator("#chat-input")).to_be_visible(timeout=30_000)


def new_chat(page: Page) -> None:
    page.locator("#new-chat-button").click()


def send(page: Page, text: str) -> None:
    page.locator("#chat-input").click()
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def open_panel(page: Page) -> Locator:
    """The panel, its checks unfolded where there are any."""
    shield(page).click()
    panel = page.locator("#tee-panel[open]")
    expect(panel).to_be_visible()
    panel.evaluate("panel => panel.querySelector('#tee-checks')?.setAttribute('open', '')")
    return panel


def trust(panel: Locator) -> None:
    """Trust what the panel shows, having read what that means."""
    panel.locator("#tee-trust").click()
    panel.locator("#tee-trust-yes").click()
    expect(panel.locator("#tee-forget")).to_be_visible()


def trust_all(panel: Locator) -> None:
    """Trust what the panel shows, and whoever administers the machine: a stock system is not green otherwise."""
    trust(panel)
    panel.locator("#tee-administrator").check()


def tooltip(page: Page) -> dict[str, str]:
    """Hover over the shield and read the measurements shown."""
    shield(page).hover()
    expect(page.locator("#tee-tooltip")).to_be_visible()
    rows = page.locator("#tee-tooltip [data-measurement]")
    return {str(row.get_attribute("data-measurement")): row.inner_text() for row in rows.all()}


def status_of(panel: Locator, check: str) -> str | None:
    return panel.locator(f"[data-check='{check}']").get_attribute("data-status")


def token(page: Page) -> dict[str, str]:
    return {"Authorization": f"Bearer {page.evaluate('localStorage.token')}"}


def chat_of(
    model: str, question_text: str = "Hello", answers: int = 1, answer_text: str = "Hi", **answer: Any
) -> dict[str, Any]:
    """A chat of one question and its answers, as a page keeps it."""
    question, replies = str(uuid4()), [str(uuid4()) for _ in range(answers)]
    asked = {
        "id": question, "parentId": None, "childrenIds": replies, "role": "user", "content": question_text,
        "timestamp": 1, "models": [model] * answers,
    }  # fmt: skip
    answered = [
        {
            "id": reply, "parentId": question, "childrenIds": [], "role": "assistant", "content": answer_text,
            "model": model, "modelIdx": index, "done": True, "timestamp": 2, **answer,
        }
        for index, reply in enumerate(replies)
    ]  # fmt: skip
    messages = {message["id"]: message for message in [asked, *answered]}
    return {
        "id": "", "title": "Old", "models": [model] * answers, "params": {}, "tags": [], "timestamp": 1,
        "history": {"messages": messages, "currentId": replies[-1]}, "messages": list(messages.values()),
    }  # fmt: skip


def stored_chat(page: Page, server: Server, **chat: Any) -> str:
    """The id of a chat (`chat_of`) that the server holds already."""
    models = page.request.get(f"{server.url}/api/models", headers=token(page)).json()["data"]
    made_up = chat_of(models[0]["id"], **chat)
    made = page.request.post(f"{server.url}/api/v1/chats/new", data={"chat": made_up}, headers=token(page))
    return str(made.json()["id"])


def home(page: Page, server: Server, path: str = "/") -> None:
    page.goto(server.url + path)
    wait_for_round(page)
