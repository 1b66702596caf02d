"""Ways in which a message, a file or a voice leaves the pages: each does what a person does, and nothing else.

The last three are requests that no button makes: whatever script asks for them, the guard stands in between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from playwright.sync_api import Page, expect

from tests.browser.pages import home, send, stored_chat, token, wait_for_round
from tests.browser.running import Server

Way = Callable[[Page, Server], None]
SECRET = "heron 4711"


def by_enter(page: Page, server: Server) -> None:
    home(page, server)
    send(page, SECRET)


def by_button(page: Page, server: Server) -> None:
    home(page, server)
    page.locator("#chat-input").click()
    page.keyboard.type(SECRET)
    page.locator("#send-message-button").click()


def by_suggestion(page: Page, server: Server) -> None:
    home(page, server)
    page.locator("button.waterfall").first.click()
    expect(page.locator("#send-message-button")).to_be_visible()
    page.locator("#send-message-button").click()


def by_url(page: Page, server: Server) -> None:
    """The address itself reaches the server, whatever a page does; the chat that it starts must not."""
    page.goto(f"{server.url}/?q={SECRET.replace(' ', '%20')}")


def by_temporary_chat(page: Page, server: Server) -> None:
    home(page, server, "/?temporary-chat=true")
    send(page, SECRET)


def by_regenerating(page: Page, server: Server) -> None:
    home(page, server)
    page.goto(f"{server.url}/c/{stored_chat(page, server)}")
    wait_for_round(page)
    page.locator(".regenerate-response-button").last.click(force=True)


def by_editing(page: Page, server: Server) -> None:
    home(page, server)
    page.goto(f"{server.url}/c/{stored_chat(page, server)}")
    wait_for_round(page)
    page.locator(".edit-user-message-button").last.click(force=True)
    page.locator("textarea[id^=message-edit-]").fill(SECRET)
    page.locator("#confirm-edit-message-button").click()


def by_file(page: Page, server: Server) -> None:
    home(page, server)
    file: Any = {"name": "notes.txt", "mimeType": "text/plain", "buffer": SECRET.encode()}
    page.locator("input[type=file][multiple]").first.set_input_files(file)


def by_web_link(page: Page, server: Server) -> None:
    home(page, server)
    page.locator("#chat-input").click()
    page.keyboard.type("#https://example.org/heron-4711")
    page.locator("#commands-container button.selected-command-option-button").first.click()


def by_youtube_link(page: Page, server: Server) -> None:
    home(page, server)
    page.goto(f"{server.url}/?youtube=heron4711")


def by_autocomplete(page: Page, server: Server) -> None:
    """The embedded model is too small for it, so the release has it off: the test turns it on for this page."""
    home(page, server)
    page.locator("#chat-input").click()
    page.keyboard.type(SECRET, delay=20)


def by_voice(page: Page, server: Server) -> None:
    home(page, server)
    page.locator("#voice-input-button").click()
    page.wait_for_timeout(1500)
    page.locator("button:has(path[d^='m4.5 12.75'])").last.click()


def by_call(page: Page, server: Server) -> None:
    home(page, server)
    page.get_by_label("Call").last.click()


def by_playground(page: Page, server: Server) -> None:
    home(page, server)
    page.goto(f"{server.url}/playground")
    page.locator("textarea[placeholder^='Enter']").last.fill(SECRET)
    page.get_by_role("button", name="Run").click()


def by_channel(page: Page, server: Server) -> None:
    home(page, server)
    made = page.request.post(
        f"{server.url}/api/v1/channels/create", data={"name": f"room-{uuid4().hex[:6]}"}, headers=token(page)
    )
    page.goto(f"{server.url}/channels/{made.json()['id']}")
    wait_for_round(page)
    page.locator("[id^=chat-input-]").first.click()
    page.keyboard.type(SECRET)
    page.keyboard.press("Enter")


def by_message_from_a_frame(page: Page, server: Server) -> None:
    home(page, server)
    page.locator("#chat-input").click()
    page.keyboard.type("x")
    page.evaluate("text => window.postMessage({type: 'input:prompt:submit', text}, location.origin)", SECRET)


def by_title(page: Page, server: Server) -> None:
    """No button asks for a title: 0.5.20's pages hold the request and never send it (tags: see `by_rating`)."""
    home(page, server)
    page.evaluate(
        "text => { fetch('/api/v1/tasks/title/completions', {method: 'POST', body: JSON.stringify({text})}) }", SECRET
    )


def by_old_request(page: Page, server: Server) -> None:
    home(page, server)
    page.evaluate(
        """text => {
            const request = new XMLHttpRequest();
            request.open('POST', '/api/chat/completions');
            request.send(text);
        }""",
        SECRET,
    )


def by_socket(page: Page, server: Server) -> None:
    home(page, server)
    page.evaluate(
        """text => {
            const here = location.origin.replace('http', 'ws');
            const socket = new WebSocket(here + '/ws/socket.io/?EIO=4&transport=websocket');
            socket.onopen = () => socket.send('42["channel",' + JSON.stringify(text) + ']');
        }""",
        SECRET,
    )


WAYS: dict[str, Way] = {
    name.removeprefix("by_"): way for name, way in list(globals().items()) if name.startswith("by_")
}
