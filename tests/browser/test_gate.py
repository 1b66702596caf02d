"""The gate: while the server is not verified, content leaves in no way at all (`block`), or asks first (`warn`).

Each test types, says or attaches a secret and watches every request and socket frame that leaves the browser. The
simulator is never verified, so the release as it stands is what the gate stands in front of.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import BrowserContext, Page, Request, Route, WebSocket, expect

from tests.browser.pages import ANSWER_MS, new_chat, screenshot, send, shield, wait_for_round
from tests.browser.running import Server
from tests.browser.tampering import change_answer, replace_verifier

pytestmark = [pytest.mark.browser, pytest.mark.release, pytest.mark.slow]

SECRET = "heron 4711"
WATCH_MS = 1500
# What may leave while nothing is verified: no content, and the session.
HARMLESS = re.compile(r"/(api/v1/auths/\w+|api/v1/tee/\w+|ws/socket\.io/)$")


class Outgoing:
    """Everything that leaves the browser: requests that are no plain reads, and frames of sockets."""

    def __init__(self, context: BrowserContext) -> None:
        self.requests: list[str] = []
        self.sent: list[bytes] = []
        context.on("request", self._request)
        context.on("page", self._page)

    def _request(self, request: Request) -> None:
        self.sent.append(request.url.encode() + b" " + (request.post_data_buffer or b""))
        path = re.sub(r"\?.*", "", request.url)
        if request.method not in ("GET", "HEAD", "OPTIONS", "DELETE") and not HARMLESS.search(path):
            self.requests.append(f"{request.method} {request.url}")

    def _page(self, page: Page) -> None:
        page.on("websocket", self._socket)

    def _socket(self, socket: WebSocket) -> None:
        socket.on("framesent", lambda data: self.sent.append(data.encode() if isinstance(data, str) else data))

    def clear(self) -> None:
        self.requests.clear()
        self.sent.clear()

    def tells(self, secret: str = SECRET) -> list[bytes]:
        """What carries the secret, as it is, in JSON, or in a URL."""
        forms = [secret, secret.replace(" ", "%20"), secret.replace(" ", "+")]
        return [sent for sent in self.sent if any(form.encode() in sent for form in forms)]


@pytest.fixture
def outgoing(context: BrowserContext) -> Outgoing:
    return Outgoing(context)


def gate(context: BrowserContext, value: str, **more: Any) -> None:
    """What the server's TEE_GATE would be."""
    change_answer(context, "config", lambda config: {**config, "gate": value, **more})


def token(page: Page) -> dict[str, str]:
    return {"Authorization": f"Bearer {page.evaluate('localStorage.token')}"}


def stored_chat(page: Page, server: Server) -> str:
    """The id of a chat of one question and one answer that the server holds already."""
    models = page.request.get(f"{server.url}/api/models", headers=token(page)).json()["data"]
    model, question, answer = models[0]["id"], str(uuid4()), str(uuid4())
    messages = {
        question: {
            "id": question, "parentId": None, "childrenIds": [answer], "role": "user", "content": "Hello",
            "timestamp": 1, "models": [model],
        },
        answer: {
            "id": answer, "parentId": question, "childrenIds": [], "role": "assistant", "content": "Hi", "model": model,
            "done": True, "timestamp": 2,
        },
    }  # fmt: skip
    chat = {
        "id": "", "title": "Old", "models": [model], "params": {}, "tags": [], "timestamp": 1,
        "history": {"messages": messages, "currentId": answer}, "messages": list(messages.values()),
    }  # fmt: skip
    made = page.request.post(f"{server.url}/api/v1/chats/new", data={"chat": chat}, headers=token(page))
    return str(made.json()["id"])


def home(page: Page, server: Server, path: str = "/") -> None:
    page.goto(server.url + path)
    wait_for_round(page)


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
    """The embedded model is too small for it, so the release has it off: turn it on for this page."""

    def switch_on(route: Route) -> None:
        answer = route.fetch()
        config = answer.json()
        config["features"]["enable_autocomplete_generation"] = True
        route.fulfill(response=answer, json=config)

    page.route("**/api/config", switch_on)
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


def by_memory(page: Page, server: Server) -> None:
    home(page, server)
    page.evaluate(
        "text => { fetch('/api/v1/memories/add', {method: 'POST', body: JSON.stringify({content: text})}) }", SECRET
    )


def by_title(page: Page, server: Server) -> None:
    home(page, server)
    page.evaluate(
        "text => { fetch('/api/v1/tasks/title/completions', {method: 'POST', body: JSON.stringify({text})}) }", SECRET
    )


def by_search(page: Page, server: Server) -> None:
    home(page, server)
    page.evaluate("text => { fetch('/api/v1/chats/search?text=' + encodeURIComponent(text)) }", SECRET)


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


WAYS: dict[str, Callable[[Page, Server], None]] = {
    name.removeprefix("by_"): way for name, way in list(globals().items()) if name.startswith("by_")
}


@pytest.mark.parametrize("way", WAYS)
def test_block_lets_no_content_leave(
    way: str, page: Page, context: BrowserContext, server: Server, outgoing: Outgoing
) -> None:
    gate(context, "block")
    context.grant_permissions(["microphone"])
    WAYS[way](page, server)
    refused = page.locator("[data-sonner-toast]", has_text="Not sent: this server is not verified.").first
    expect(refused).to_be_visible(timeout=30_000)
    page.wait_for_timeout(WATCH_MS)
    assert outgoing.requests == []
    assert [sent for sent in outgoing.tells() if b"/?q=" not in sent] == []


@pytest.mark.parametrize("way", WAYS)
def test_warn_asks_and_a_no_keeps_it_here(
    way: str, page: Page, context: BrowserContext, server: Server, outgoing: Outgoing
) -> None:
    gate(context, "warn")
    context.grant_permissions(["microphone"])
    WAYS[way](page, server)
    dialog = page.locator("#tee-gate-dialog[open]")
    expect(dialog).to_be_visible(timeout=30_000)
    expect(dialog.locator("[data-check='tee.real']")).to_be_visible()
    assert outgoing.requests == []
    dialog.get_by_role("button", name="Do not send").click()
    page.wait_for_timeout(WATCH_MS)
    assert outgoing.requests == []
    assert [sent for sent in outgoing.tells() if b"/?q=" not in sent] == []


def test_a_refused_message_stays_in_the_box(page: Page, context: BrowserContext, server: Server) -> None:
    gate(context, "block")
    by_enter(page, server)
    expect(page.locator("[data-sonner-toast]", has_text="Not sent").first).to_be_visible()
    expect(page.locator("#chat-input")).to_contain_text(SECRET)
    screenshot(page, "blocked")


def test_warn_asks_once_in_every_chat(page: Page, context: BrowserContext, server: Server, outgoing: Outgoing) -> None:
    gate(context, "warn")
    by_enter(page, server)
    dialog = page.locator("#tee-gate-dialog[open]")
    expect(dialog).to_be_visible()
    screenshot(page, "warn")
    dialog.locator("#tee-send-anyway").click()
    expect(page.locator(".chat-assistant").last).to_contain_text(re.compile(r"\w"), timeout=ANSWER_MS)
    expect(page.locator("#voice-input-button")).to_be_visible(timeout=ANSWER_MS)
    assert any("/api/chat/completions" in sent for sent in outgoing.requests)
    send(page, "And again.")
    page.wait_for_timeout(WATCH_MS)
    expect(dialog).to_be_hidden()
    assert len([sent for sent in outgoing.requests if "/api/chat/completions" in sent]) == 2
    expect(page.locator("#voice-input-button")).to_be_visible(timeout=ANSWER_MS)
    new_chat(page)
    wait_for_round(page)
    outgoing.clear()
    send(page, SECRET)
    expect(dialog).to_be_visible()
    assert outgoing.requests == []


def test_verified_servers_are_not_asked_about(
    context: BrowserContext, genuine_verifier: bytes, server: Server, outgoing: Outgoing
) -> None:
    """Green: the strictest gate is open. Trusted in this browser a moment ago."""
    replace_verifier(context, genuine_verifier)
    gate(context, "block")
    page = context.new_page()
    home(page, server)
    shield(page).click()
    page.locator("#tee-trust").click()
    expect(shield(page)).to_have_attribute("data-shield", "green")
    page.keyboard.press("Escape")
    send(page, "Say hello.")
    expect(page.locator(".chat-assistant").last).to_contain_text(re.compile(r"\w"), timeout=ANSWER_MS)
    assert any("/api/chat/completions" in sent for sent in outgoing.requests)


def test_an_old_verdict_is_checked_again_before_the_next_message(
    context: BrowserContext, genuine_verifier: bytes, server: Server, outgoing: Outgoing
) -> None:
    """Green turns out to be over: nothing of the message leaves."""
    replace_verifier(context, genuine_verifier)
    gate(context, "block", max_age_s=2)
    page = context.new_page()
    home(page, server)
    shield(page).click()
    page.locator("#tee-trust").click()
    expect(shield(page)).to_have_attribute("data-shield", "green")
    page.keyboard.press("Escape")
    context.unroute("**/verifier*.js")
    context.route("**/api/v1/tee/quote*", lambda route: route.fulfill(status=503, json={"detail": "Gone."}))
    time.sleep(2.5)
    send(page, SECRET)
    expect(shield(page)).to_have_attribute("data-shield", "red")
    page.wait_for_timeout(WATCH_MS)
    assert outgoing.requests == [] and outgoing.tells() == []


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


def test_a_connection_that_comes_back_is_checked_before_the_next_message(
    page: Page, context: BrowserContext, server: Server
) -> None:
    """As after a restart of the server: the socket breaks, socket.io connects again."""
    rounds: list[str] = []
    page.on("request", lambda request: rounds.append(request.url) if "/tee/quote" in request.url else None)
    gate(context, "block")
    page.add_init_script(KEEP_SOCKETS)
    home(page, server)
    page.wait_for_function("() => window.sockets.some((socket) => socket.readyState === WebSocket.OPEN)")
    page.wait_for_timeout(500)
    before = len(rounds)
    send(page, SECRET)
    expect(page.locator("[data-sonner-toast]", has_text="Not sent").first).to_be_visible()
    assert len(rounds) == before, "a fresh verdict is not asked for again"
    page.evaluate("() => window.sockets.forEach((socket) => socket.close())")
    page.wait_for_timeout(500)
    page.keyboard.press("Enter")
    expect(shield(page)).to_have_attribute("data-phase", "done")
    page.wait_for_timeout(WATCH_MS)
    assert len(rounds) == before + 1


def test_a_person_may_be_stricter_than_the_server_but_not_laxer(page: Page, server: Server, outgoing: Outgoing) -> None:
    home(page, server)
    shield(page).click()
    choice = page.locator("#tee-gate")
    assert choice.locator("option").all_inner_texts() == ["Send without asking", "Ask once in every chat", "Never send"]
    choice.select_option("block")
    page.keyboard.press("Escape")
    send(page, SECRET)
    expect(page.locator("[data-sonner-toast]", has_text="Not sent").first).to_be_visible()
    assert outgoing.tells() == []


def test_the_interface_itself_needs_no_permission(page: Page, context: BrowserContext, server: Server) -> None:
    """Looking around in a blocked page refuses nothing: the gate is about content."""
    gate(context, "block")
    home(page, server)
    for path in ("/workspace/models", "/admin/settings", "/playground", "/"):
        page.goto(server.url + path)
        page.wait_for_timeout(1000)
        expect(page.locator("[data-sonner-toast]", has_text="Not sent")).to_have_count(0)


def test_the_watcher_would_notice(page: Page, context: BrowserContext, server: Server, outgoing: Outgoing) -> None:
    """The gate off, the same message: it leaves, and the watcher says so. What cannot fail proves nothing."""
    gate(context, "off")
    by_enter(page, server)
    page.wait_for_timeout(WATCH_MS)
    assert any("/api/chat/completions" in sent for sent in outgoing.requests)
    assert outgoing.tells()
