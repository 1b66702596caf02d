"""The encrypted channel in a browser: who ends TLS, with a certificate that the browser trusts, reads nothing, and what
they try besides is noticed.

The release runs with `TEE_CHANNEL=require`, so that whatever page or guard would forget is refused outside.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from door.tls import Certificates
from sealed_http import varint
from sealed_http.outside import KEY_PROBLEM, PATH, REQUEST_TYPE
from tests.browser.eavesdropper import Eavesdropper, sealed
from tests.browser.pages import (
    ANSWER_MS,
    EMAIL,
    PASSWORD,
    chat_of,
    enter,
    home,
    new_page,
    open_panel,
    pictures,
    send,
    wait_for_round,
)
from tests.browser.running import Server, serve
from tests.browser.shown import shown_files
from tests.browser.tampering import FAR, change_answer, with_origin
from tests.browser.ways import SECRET
from tests.ports import free_port
from tests.standins.elsewhere import Elsewhere

pytestmark = [pytest.mark.browser, pytest.mark.release, pytest.mark.slow]

NONCE, TAG = 32, 16  # bytes
FILE = "heron-notes.txt"
EVIDENCE = {f"/api/v1/tee/{name}" for name in ("config", "quote", "collateral", "boot-log")}
WORDS = "The heron that stands at the ford"


@pytest.fixture(scope="module")
def requiring(launcher: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The release, which takes nothing but sealed requests."""
    with serve(launcher, tmp_path_factory.mktemp("channel") / "data", TEE_CHANNEL="require") as started:
        yield started


@pytest.fixture(scope="module")
def standing(requiring: Server, certificate: Certificates) -> Iterator[Eavesdropper]:
    with Eavesdropper(requiring.url, certificate.context) as proxy:
        yield proxy


@pytest.fixture
def eve(standing: Eavesdropper) -> Iterator[Eavesdropper]:
    """Who ends TLS, for one test."""
    standing.heard.clear()
    standing.requests.clear()
    yield standing
    standing.attack = standing.frames = None
    assert standing.reset() == []


@pytest.fixture(scope="module")
def known(browser: Browser, standing: Eavesdropper, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The storage of a browser that has signed up, through the channel."""
    path = tmp_path_factory.mktemp("channel-session") / "storage.json"
    page = new_page(browser)
    standing.heard.clear()
    enter(page, standing.url)
    assert standing.tells(EMAIL, PASSWORD, '"Ada"', page.evaluate("localStorage.token")) == [], "signing up is heard"
    page.context.storage_state(path=path)
    page.context.close()
    return path


@pytest.fixture
def person(browser: Browser, known: Path) -> Iterator[Page]:
    """A page of somebody who is signed in."""
    page = new_page(browser, storage_state=known)
    yield page
    page.context.close()


def toast(page: Page, text: str) -> Locator:
    return page.locator("[data-sonner-toast]", has_text=text).first


def here(eve: Eavesdropper) -> Server:
    return Server(eve.url, Path())


def answered(page: Page) -> str:
    """What the model answered, once it is whole."""
    answer = page.locator(".chat-assistant").last
    expect(answer).to_contain_text(re.compile(r"\w"), timeout=ANSWER_MS)
    expect(page.locator("#voice-input-button")).to_be_visible(timeout=ANSWER_MS)
    return answer.inner_text()


def sign_out(page: Page) -> None:
    page.get_by_label("User Menu").first.click()
    page.get_by_text("Sign Out").click()
    expect(page.locator("input[type=email]")).to_be_visible(timeout=30_000)


def test_a_whole_session_tells_nothing(browser: Browser, known: Path, eve: Eavesdropper) -> None:
    """Signing in, a file, a streamed answer, signing out: no word, token, address, file or name of it is heard."""
    page = new_page(browser)
    enter(page, eve.url)
    wait_for_round(page)
    token = page.evaluate("localStorage.token")
    file: Any = {"name": FILE, "mimeType": "text/plain", "buffer": WORDS.encode()}
    page.locator("input[type=file][multiple]").first.set_input_files(file)
    shown = page.locator("button", has_text=FILE).first
    expect(shown).to_be_visible()
    expect(shown.locator(".spinner_ajPY")).to_have_count(0, timeout=30_000)  # it was taken in, and may be sent
    send(page, SECRET)
    answer = answered(page)
    chat = page.url.rpartition("/")[2]
    assert re.fullmatch(r"[0-9a-f-]{36}", chat)
    told = re.findall(r"\w+ \w+ \w+", answer)
    sign_out(page)
    assert (
        eve.tells(SECRET, SECRET.replace(" ", "%20"), WORDS, FILE, EMAIL, PASSWORD, '"Ada"', token, chat, *told) == []
    )
    assert eve.tells(base64.b64encode(WORDS.encode()).decode(), "/api/v1/chats", "/api/v1/files", "completions") == []
    paths = {path for path, _ in eve.requests if path.startswith(("/api/", "/ws/", "/ollama/", "/openai/", "/cache/"))}
    assert PATH in paths and paths <= {PATH, *EVIDENCE}
    httpx.post(f"{eve.url}/api/v1/auths/signin", json={"email": EMAIL, "password": PASSWORD}, verify=False)
    assert eve.tells(EMAIL, PASSWORD) == [EMAIL, PASSWORD], "what is not sealed would have been heard"
    page.context.close()


def test_a_picture_of_the_chat_is_fetched_inside(person: Page, eve: Eavesdropper) -> None:
    """As a tool puts one into its answer: `<img>` passes no `fetch`."""
    home(person, here(eve))
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
    made = person.evaluate(
        """async ([pixel, name]) => {
            const bytes = Uint8Array.from(atob(pixel), (char) => char.charCodeAt(0));
            const form = new FormData();
            form.append('file', new File([bytes], name, {type: 'image/png'}));
            const headers = {Authorization: `Bearer ${localStorage.token}`};
            const sent = await fetch('/api/v1/files/?process=false', {method: 'POST', headers, body: form});
            const file = await sent.json();
            const image = document.createElement('img');
            document.body.append(image);
            image.src = `/api/v1/files/${file.id}/content`;
            await image.decode().catch(() => new Promise((resolve) => (image.onload = resolve)));
            const written = document.createElement('div');
            written.innerHTML = `<img src="/api/v1/files/${file.id}/content">`;
            document.body.append(written);
            const second = written.firstChild;
            await new Promise((resolve) => (second.onload = resolve));
            return [file.id, image.naturalWidth, image.src.slice(0, 5), second.naturalWidth];
        }""",
        [pixel, FILE],
    )
    assert made[1:] == [1, "blob:", 1]
    assert eve.tells(str(made[0]), FILE) == []


@pytest.mark.attack
@pytest.mark.parametrize("what", ['app.launchURL("URL/a", WINDOW)', 'this.submitForm("URL/a")', "URI"])
def test_a_pdf_is_shown_and_reaches_nothing(what: str, person: Page, eve: Eavesdropper) -> None:
    """It has no sandbox, in which Chromium would not show it."""
    with Elsewhere() as elsewhere:
        script = what.replace("URL", elsewhere.url).replace("WINDOW", "true")
        action = f"<</S/JavaScript/JS({script})>>" if what != "URI" else f"<</S/URI/URI({elsewhere.url}/a)>>"
        home(person, here(eve))
        assert shown_files(person, action) == [1, "blob:", "blob:", True]
        person.wait_for_timeout(1000)
        assert elsewhere.requests == [] and person.url.startswith(eve.url) and len(person.context.pages) == 1
    assert eve.tells("HERON", "heron.pdf") == []


@pytest.mark.attack
def test_a_made_up_picture_carries_no_words_outside(person: Page, eve: Eavesdropper) -> None:
    """As a model's answer names one, which a document told it to."""
    home(person, here(eve))
    words = ("heron-by-the-ford", "herons-in-a-query", "herons-in-a-name")
    person.evaluate(
        """async ([path, query, name]) => {
            for (const address of [`/${path}`, `/static/favicon.png?${query}`, `/static/${name}.png`]) {
                const image = document.createElement('img');
                document.body.append(image);
                await new Promise((resolve) => {
                    image.onload = image.onerror = resolve;
                    image.src = address;
                });
            }
        }""",
        list(words),
    )
    assert eve.tells(*words) == [] and herons(eve) == []


@pytest.mark.attack
def test_html_of_an_answer_carries_no_words_outside(person: Page, eve: Eavesdropper) -> None:
    """By what HTML, besides `src`, has a browser ask for; it is written into the page as upstream does."""
    home(person, here(eve))
    html = """
        <img srcset="/heron-set 1x"><video poster="/heron-poster"></video><table background="/heron-table"></table>
        <video><track default src="/heron-track"></video><input type="image" src="/heron-button">
        <div style="background: url(/heron-style)">a</div><div style="background: u\\72l(/heron-escape)">b</div>
        <svg width="9" height="9"><image href="/heron-image" width="9" height="9"></image></svg>
        <style>body { background-image: url(/heron-sheet) }</style>"""
    person.evaluate(
        """async (html) => {
            const place = document.createElement('div');
            document.body.append(place);
            place.innerHTML = html;
            const sheet = document.createElement('style');
            sheet.innerHTML = 'body { list-style: url(/heron-alone); cursor: url(/heron-cursor), auto }';
            document.body.append(sheet);
            await new Promise((resolve) => setTimeout(resolve, 1000));
        }""",
        html,
    )
    assert herons(eve) == []


KEEP = """async (chat) => {
    const headers = {Authorization: `Bearer ${localStorage.token}`, 'Content-Type': 'application/json'};
    const made = await fetch('/api/v1/chats/new', {method: 'POST', headers, body: JSON.stringify({chat})});
    return (await made.json()).id;
}"""
MODEL = """async () => {
    const headers = {Authorization: `Bearer ${localStorage.token}`};
    return (await (await fetch('/api/models', {headers})).json()).data[0].id;
}"""


def show(page: Page, eve: Eavesdropper, answer: str) -> None:
    """Open a chat whose answer is this text."""
    home(page, here(eve))
    chat = page.evaluate(KEEP, chat_of(page.evaluate(MODEL), answer_text=answer))
    home(page, here(eve), f"/c/{chat}")


def herons(eve: Eavesdropper) -> list[str]:
    return [path for path, _ in eve.requests if "heron" in path]


DIAGRAMS = """```mermaid
classDiagram
    class Heron
    style Heron fill:url(/heron-style)
```

```mermaid
C4Context
    Person(a, "A", "x")
    Person(b, "B", "y")
    UpdateElementStyle(a, $bgColor="url(/heron-fill)", $borderColor="url(/heron-stroke)")
```"""


@pytest.mark.attack
def test_a_diagram_of_an_answer_carries_no_words_outside(person: Page, eve: Eavesdropper) -> None:
    """It stands in the page while it is drawn, with styles that a model wrote."""
    show(person, eve, DIAGRAMS)
    expect(person.locator(".chat-assistant svg[id^='mermaid']")).to_have_count(2)
    person.wait_for_timeout(500)
    assert herons(eve) == []


PYTHON = """```python
import js, numpy
scripts = [
    "fetch('PLACE')",
    "import('PLACE')",
    "(async () => importScripts('PLACE'))()",
    "new Promise((resolve, reject) => { const asked = new XMLHttpRequest(); asked.open('GET', 'PLACE');"
    " Object.assign(asked, { onload: resolve, onerror: () => reject(new Error('x')) }); asked.send(); })",
    "new Promise((resolve, reject) => { const script = `fetch('PLACE').then(() => postMessage(1), close)`;"
    " const other = new Worker(URL.createObjectURL(new Blob([script])));"
    " other.onmessage = resolve; setTimeout(() => reject(new Error('x')), 1000); })",
]
refused = 0
for place in ("/pyodide/heron-by-name.js", "/pyodide/pyodide.mjs?heron-query", "/_app/immutable/workers/heron.js"):
    for script in scripts:
        try:
            await js.eval(script.replace("PLACE", "SERVER" + place))
        except Exception:
            refused += 1
print("refused", refused, "and", int(numpy.arange(4).sum()) * 7)
```"""


@pytest.mark.attack
def test_python_of_an_answer_carries_no_words_outside(person: Page, eve: Eavesdropper) -> None:
    """Not by the addresses of files that everybody may read, either; Python's own come by the page."""
    show(person, eve, PYTHON.replace("SERVER", eve.url))
    person.get_by_role("button", name="Run", exact=True).first.click()
    output = person.locator("#stdout-output, .chat-assistant").filter(has_text="and 42").last
    expect(output).to_contain_text("refused 15 and 42", timeout=60_000)
    own = [path for path, _ in eve.requests if path.startswith("/pyodide/")]
    assert eve.tells("heron-by-name", "heron-query", "workers/heron") == [] and len(own) == len(set(own))


@pytest.mark.attack
def test_a_session_outlives_a_connection_that_is_cut_off(person: Page, eve: Eavesdropper) -> None:
    """Whoever stands on the way would otherwise sign everybody out."""
    home(person, here(eve))
    token = person.evaluate("localStorage.token")
    passed: list[bytes] = []

    def cut(_: bytes, answer: bytes) -> tuple[int, str, bytes]:
        """The configuration comes, the session that is asked for next does not."""
        passed.append(answer)
        return sealed(answer) if len(passed) == 1 else (200, "text/html", b"")

    eve.attack = cut
    person.reload()
    expect(toast(person, REFUSED)).to_be_visible(timeout=30_000)
    person.wait_for_timeout(500)
    assert person.evaluate("localStorage.token") == token
    eve.attack = None
    home(person, here(eve))
    expect(person.locator("#chat-input")).to_be_visible(timeout=30_000)


def test_a_key_that_the_quote_does_not_bind_is_not_used(person: Page, eve: Eavesdropper) -> None:
    """Who ends TLS puts a key of their own into the evidence: nothing is sealed to it, and nothing goes outside."""
    other = base64.urlsafe_b64encode(b"\1\0\x20" + bytes(range(32)) + b"\0\4\0\1\0\2").decode().rstrip("=")

    def swap(evidence: dict[str, Any]) -> dict[str, Any]:
        return {**evidence, "runtime_data": {**evidence["runtime_data"], "channel": other}}

    change_answer(eve, "quote", swap)
    person.goto(eve.url)
    expect(toast(person, "Nothing was sent")).to_be_visible(timeout=30_000)
    assert {path for path, _ in eve.requests if path.startswith(("/api/", "/ws/"))} <= EVIDENCE
    assert eve.tells(person.evaluate("localStorage.token")) == []


def test_a_server_that_says_that_it_has_no_channel(person: Page, eve: Eavesdropper) -> None:
    """What `config` says is anybody's word: the key that the evidence proves is used all the same."""
    change_answer(eve, "config", lambda config: {**config, "channel": "offer"})
    home(person, here(eve))
    send(person, SECRET)
    answered(person)
    assert eve.tells(SECRET, person.evaluate("localStorage.token")) == []


def test_a_recorded_request_is_taken_once(person: Page, eve: Eavesdropper) -> None:
    home(person, here(eve))
    bodies = [body for path, body in eve.requests if path == PATH and body]
    assert bodies
    again = httpx.post(f"{eve.upstream}{PATH}", content=bodies[-1], headers={"Content-Type": REQUEST_TYPE})
    assert again.status_code == 409


@pytest.mark.attack
def test_a_session_is_good_on_its_own_side_alone(person: Page, eve: Eavesdropper, requiring: Server) -> None:
    """One of inside is used outside; one of outside, which whoever ends TLS could have read, inside."""
    home(person, here(eve))
    own = str(person.evaluate("localStorage.token"))
    for headers in ({"Authorization": f"Bearer {own}"}, {"Cookie": f"token={own}"}):
        for path in ("/api/v1/chats/?page=1", "/ws/socket.io/?EIO=4&transport=polling"):
            assert httpx.get(f"{eve.url}{path}", headers=headers, verify=False).status_code == 403
    key = (requiring.data / "secret_key_inside").read_bytes().strip()
    claims = jwt.decode(own, key, algorithms=["HS256"])
    assert claims.pop("channel") == "inside"
    for more, status in (({"channel": "inside"}, 200), ({}, 401)):  # signed as well: the claim alone decides
        other = jwt.encode(claims | more, key, algorithm="HS256")
        person.evaluate("(token) => localStorage.setItem('token', token)", other)
        assert fetch(person)[0] == status
    person.reload()
    expect(person.locator("input[type=email]")).to_be_visible(timeout=30_000)
    assert eve.tells(other) == []


def fetch(page: Page) -> Any:
    """One request of the page's, after it was loaded: its status and text, or how it failed."""
    return page.evaluate(
        """async () => {
            const headers = {Authorization: `Bearer ${localStorage.token}`};
            try {
                const answer = await fetch('/api/v1/chats/?page=1', {headers});
                return [answer.status, await answer.text()];
            } catch (error) {
                return [0, String(error)];
            }
        }"""
    )


def chunks(answer: bytes) -> list[bytes]:
    """The nonce, then each framed chunk."""
    found, at = [answer[:NONCE]], NONCE
    while at < len(answer):
        length, start = varint.require(answer, at, "a chunk")
        end = start + length if length else len(answer)
        found.append(answer[at:end])
        at = end
    return found


BROKEN_OFF = "The answer broke off before its end"
UNBELIEVED = "The answer cannot be believed"
REFUSED = "The server, or somebody before it, refused"


def _reordered(_: bytes, answer: bytes) -> tuple[int, str, bytes]:
    nonce, head, *rest = chunks(answer)
    return sealed(b"".join([nonce, *rest[:1], head, *rest[1:]]))


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        (lambda _, answer: sealed(b"".join(chunks(answer)[:-1])), BROKEN_OFF),
        (lambda _, answer: sealed(answer[:-1]), UNBELIEVED),
        (_reordered, UNBELIEVED),
        (lambda _, answer: sealed(answer[:60] + bytes([answer[60] ^ 1]) + answer[61:]), UNBELIEVED),
        (lambda _, answer: sealed(bytes(len(answer))), UNBELIEVED),
        (lambda *_: (200, "application/json", b"[]"), REFUSED),
        (lambda *_: (200, "text/html", b"<script>alert(1)</script>"), REFUSED),
    ],
    ids=["cut off", "cut in the last chunk", "reordered", "changed", "garbage", "answered instead", "a page instead"],
)
def test_a_tampered_answer_is_none(attack: Any, said: str, person: Page, eve: Eavesdropper) -> None:
    home(person, here(eve))
    person.wait_for_timeout(500)  # what the page asks for itself
    eve.attack = attack
    status, text = fetch(person)
    assert status in (0, 502)
    expect(toast(person, said)).to_be_visible()
    assert "[]" not in text
    eve.attack = None
    assert fetch(person)[0] == 200, "the next one is well again"


def test_the_answer_to_another_request_is_none(person: Page, eve: Eavesdropper) -> None:
    home(person, here(eve))
    person.wait_for_timeout(500)
    kept: list[bytes] = []

    def earlier(_: bytes, answer: bytes) -> tuple[int, str, bytes]:
        kept.append(answer)
        return sealed(kept[0])

    eve.attack = earlier
    assert fetch(person)[0] == 200
    assert fetch(person)[0] in (0, 502)
    expect(toast(person, UNBELIEVED)).to_be_visible()


def test_a_key_that_is_said_to_be_gone_makes_the_page_look_again(person: Page, eve: Eavesdropper) -> None:
    """A lie: the evidence still names the same key. Nothing is sent a second time."""
    home(person, here(eve))
    person.wait_for_timeout(500)
    eve.requests.clear()
    eve.attack = lambda *_: (400, "application/problem+json", json.dumps({"type": KEY_PROBLEM}).encode())
    assert fetch(person)[0] == 502
    expect(toast(person, "is said not to hold the key")).to_be_visible()
    assert [path for path, _ in eve.requests].count("/api/v1/tee/quote") >= 1


def test_a_key_that_is_gone_leads_to_the_next_one(launcher: Path, tmp_path: Path, browser: Browser) -> None:
    """As after a restart: the page that is open goes on, and so does its socket."""
    port = free_port()
    page = new_page(browser)
    with Eavesdropper(f"http://127.0.0.1:{port}") as proxy:
        with serve(launcher, tmp_path / "data", port, TEE_CHANNEL="require"):
            enter(page, proxy.url)
            wait_for_round(page)
        with serve(launcher, tmp_path / "data", port, TEE_CHANNEL="require"):
            assert fetch(page)[0] == 200
            send(page, SECRET)
            answered(page)
            assert proxy.tells(SECRET, page.evaluate("localStorage.token")) == []
    page.context.close()


CHATS = """async (count) => {
    const headers = {Authorization: `Bearer ${localStorage.token}`, 'Content-Type': 'application/json'};
    const statuses = [];
    for (let number = 0; number < count; number++) {
        const body = JSON.stringify({chat: {title: `chat ${number}`, messages: [], history: {messages: {}}}});
        statuses.push((await fetch('/api/v1/chats/new', {method: 'POST', headers, body})).status);
        await new Promise((resolve) => setTimeout(resolve, 250));
    }
    const kept = await (await fetch('/api/v1/chats/all', {headers})).json();
    return [statuses, kept.map(({title}) => title)];
}"""


def hurried(launcher: Path, folder: Path) -> Path:
    """What starts the release with a door that has a new key every few seconds, as others have one every day."""
    release = folder / "release"
    shutil.copytree(launcher.parent, release, copy_function=os.link)
    keys = release / "door/channel/keys.py"
    text = keys.read_text().replace("86_400.0", "4.0").replace("OVERLAP_S = 300.0", "OVERLAP_S = 1.0")
    keys.unlink()
    keys.write_text(text)
    start = folder / "start"
    start.write_text(f'#!/bin/sh\nexec "{release / launcher.name}" run --allow-modified\n')
    start.chmod(0o755)
    return start


def test_new_keys_lose_nothing_and_repeat_nothing(launcher: Path, tmp_path: Path, browser: Browser) -> None:
    page = new_page(browser)
    start, port = hurried(launcher, tmp_path), free_port()
    with (
        serve(start, tmp_path / "data", port, TEE_CHANNEL="require"),
        Eavesdropper(f"http://127.0.0.1:{port}") as proxy,
    ):
        enter(page, proxy.url)
        wait_for_round(page)
        statuses, titles = page.evaluate(CHATS, 60)
        assert set(statuses) == {200} and sorted(titles) == sorted(f"chat {number}" for number in range(60))
        assert len({body[0] for path, body in proxy.requests if path == PATH and body}) >= 3
        send(page, SECRET)
        answered(page)
        page.context.close()


def test_a_socket_whose_messages_are_repeated_is_closed(person: Page, eve: Eavesdropper) -> None:
    """The answers of the page's chats come that way."""
    last: list[bytes] = []

    def repeated(frame: bytes) -> bytes:
        last.append(frame)
        return last[-2] if len(last) == 4 else frame

    eve.frames = repeated
    home(person, here(eve))
    send(person, SECRET)
    expect(toast(person, "A message of the server cannot be believed")).to_be_visible(timeout=ANSWER_MS)


def test_a_clock_that_is_wrong_is_said_with_how_much(person: Page, eve: Eavesdropper) -> None:
    person.add_init_script("{const now = Date.now; Date.now = () => now() + 600000;}")
    person.add_init_script(
        "{const utc = Date.prototype.toUTCString;"
        "Date.prototype.toUTCString = function () { return utc.call(new Date(this.getTime() + 600000)); };}"
    )
    person.goto(eve.url)
    expect(toast(person, "clock is 10 minutes ahead")).to_be_visible(timeout=30_000)


def test_the_own_page_of_a_service_says_that_it_could_have_been_changed(browser: Browser, eve: Eavesdropper) -> None:
    """By the name of a service, a page cannot know who else answers for that name. The pictures in docs/images."""
    page, url = new_page(browser), eve.url.replace("127.0.0.1", FAR)
    change_answer(eve, "quote", lambda evidence: with_origin(evidence, url))  # as if it were launched for that name
    page.goto(f"{url}/auth")
    wait_for_round(page)
    check = open_panel(page).locator("[data-check='binding.channel']")
    expect(check).to_have_attribute("data-status", "warn")
    expect(check).to_contain_text("whoever controls that name could have changed this page")
    pictures(page, check, "channel")
    page.context.close()


def test_by_plain_http_nothing_is_heard_and_the_panel_says_who_could_have_changed_the_page(
    browser: Browser, known: Path, requiring: Server
) -> None:
    """There the browser has no cryptography of its own, and anybody on the way could have sent another page."""
    page = new_page(browser)
    with Eavesdropper(requiring.url) as eve:
        enter(page, eve.url.replace("127.0.0.1", FAR))
        wait_for_round(page)
        send(page, SECRET)
        answered(page)
        assert eve.tells(SECRET, EMAIL, PASSWORD, page.evaluate("localStorage.token")) == []
        panel = open_panel(page)
        check = panel.locator("[data-check='binding.channel']")
        expect(check).to_have_attribute("data-status", "warn")
        expect(check).to_contain_text("anybody on the way could have changed this page")
    page.context.close()
