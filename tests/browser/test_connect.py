"""The release's pages through `quote-verifier connect`, before a server that requires the channel."""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from playwright.sync_api import Browser, Page, expect

from door.tls import Certificates
from tests.browser.pages import (
    ANSWER_MS,
    EMAIL,
    PASSWORD,
    fill_in,
    new_page,
    open_panel,
    pictures,
    send,
    status_of,
    wait_for_round,
)
from tests.browser.proxy import Answer, Proxy
from tests.browser.running import Server, serve
from tests.browser.shown import shown_files
from tests.browser.tampering import FAR
from tests.browser.wire import Wire
from tests.ports import free_port
from tests.release.connecting import connected, hold

pytestmark = [pytest.mark.browser, pytest.mark.release, pytest.mark.slow]
QUESTION = "Where does the grey heron nest?"
#: What nobody on the way may read of a session, in any spelling that it would have there.
SECRETS = (QUESTION, "heron", EMAIL, PASSWORD, "Bearer ey", "/api/v1/auths", "/api/chat", "socket.io", "eyJhbGci")

#: What a page of another origin gets of a port of this machine.
ELSEWHERE = """async (here) => [
    await fetch(`${here}/connect/verdict`).then((answer) => answer.text(), () => 'no answer'),
    await new Promise((resolve) => {
        const script = Object.assign(document.createElement('script'), { src: `${here}/connect/page.js` });
        Object.assign(script, { onload: () => resolve('a script'), onerror: () => resolve('no script') });
        document.head.append(script);
    }),
    await new Promise((resolve) => {
        const socket = new WebSocket(`${here.replace('http', 'ws')}/ws/socket.io/?EIO=4&transport=websocket`);
        Object.assign(socket, { onopen: () => resolve('a socket'), onerror: () => resolve('no socket') });
    })
]"""


@pytest.fixture(scope="module")
def required(launcher: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("required")
    with serve(launcher, folder / "data", free_port(), TEE_CHANNEL="require") as made:
        yield made


@pytest.fixture(scope="module")
def held(required: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hold(required, tmp_path_factory.mktemp("held") / "held.json")


def opened(browser: Browser, link: str) -> Page:
    page = new_page(browser)
    page.goto(link)
    page.wait_for_url(lambda url: "/connect" not in url)
    return page


def administrator_key(log: Path) -> str:
    """What stands in the link that the launcher prints, soon after everything answers."""
    end = time.monotonic() + 60
    while not (found := re.findall(r"/auth#administrator=(\S+)", log.read_text())):
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)
    return str(found[0])


def signed_in(page: Page) -> None:
    fill_in(page)
    page.click("form button[type=submit]")
    expect(page.locator("#chat-input")).to_be_visible(timeout=30_000)


def test_a_whole_session_of_which_the_network_reads_nothing(
    browser: Browser, required: Server, held: Path, launcher: Path, tmp_path: Path
) -> None:
    with Wire(required.url) as wire:
        more = ("--accept", "simulated", "--pages", str(launcher.parent))
        with connected(wire.url, held, tmp_path, *more) as running:
            running.said()
            link = running.said()["link"]
            page = opened(browser, link)
            signed_in(page)
            wait_for_round(page, "simulated")
            send(page, QUESTION)
            answer = page.locator(".chat-assistant").last
            expect(answer).to_contain_text(re.compile(r"\w"), timeout=ANSWER_MS)
            panel = open_panel(page)
            assert status_of(panel, "binding.channel") == "pass"
            assert status_of(panel, "tee.real") == "fail" and status_of(panel, "release.match") == "pass"
            pictures(page, panel.locator("[data-check='binding.channel']"), "connect")
            page.set_viewport_size({"width": 1280, "height": 800})
            page.keyboard.press("Escape")
            page.reload()  # the session, and the token of the link, are this browser's
            expect(page.locator("#chat-input")).to_be_visible(timeout=30_000)
            assert page.context.cookies() == []
            again = new_page(browser)
            again.goto(link)
            expect(again.locator("#said")).to_contain_text("used before")
            again.context.close()
            page.context.close()
            assert running.said()["different"] == []
        seen = wire.seen
    assert len(seen) > 100_000
    assert [word for word in SECRETS if word.encode() in seen] == []


SPYING = b"<script>document.documentElement.dataset.spied = 'yes'</script>"


def with_a_spy(answer: Answer) -> Answer:
    """A page that runs what whoever ends TLS likes."""
    headers = {name: text for name, text in answer.headers.items() if name.lower() != "content-security-policy"}
    return replace(answer, headers=headers, body=answer.body.replace(b"<head>", b"<head>" + SPYING))


@pytest.mark.attack
def test_a_changed_page_of_the_server_is_not_what_one_sees(
    browser: Browser, required: Server, held: Path, launcher: Path, tmp_path: Path, certificate: Certificates
) -> None:
    """Whoever ends TLS delivers another page, with a certificate that all believe. With the service's own page the
    shield warns, as far as that page lets it; through connect the page is the release's."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(certificate._chain[0].public_bytes(Encoding.PEM))
    with Proxy(required.url, certificate.context) as proxy:
        for path in ("/", "/auth"):
            proxy.change(path, with_a_spy)
        page = new_page(browser)
        page.goto(f"{proxy.url.replace('127.0.0.1', FAR)}/auth")
        wait_for_round(page)
        assert page.evaluate("document.documentElement.dataset.spied") == "yes"
        assert status_of(open_panel(page), "binding.channel") == "warn"
        page.context.close()
        more = ("--accept", "simulated", "--pages", str(launcher.parent), "--ca-file", str(ca))
        with connected(proxy.url, held, tmp_path, *more) as running:
            running.said()
            page = opened(browser, running.said()["link"])
            expect(page.locator("input[type=email]").or_(page.get_by_text("Get started")).first).to_be_visible(
                timeout=30_000
            )
            assert page.evaluate("document.documentElement.dataset.spied") is None
            assert "/" in (told := running.said())["different"] and "another page" in told["message"]
            page.context.close()


@pytest.mark.attack
def test_without_the_link_nobody_gets_in(
    browser: Browser, required: Server, held: Path, launcher: Path, tmp_path: Path
) -> None:
    more = ("--accept", "simulated", "--pages", str(launcher.parent))
    with connected(required.url, held, tmp_path, *more) as running:
        running.said()
        link = running.said()["link"]
        here = link.partition("/connect")[0]
        page = new_page(browser)
        page.goto(here)
        expect(page.locator("#said")).to_contain_text("Open the link")
        page.goto("about:blank")
        assert page.evaluate(ELSEWHERE, here) == ["no answer", "no script", "no socket"]
        page.context.close()


@pytest.mark.attack
def test_the_first_administrators_key_goes_sealed(browser: Browser, launcher: Path, tmp_path: Path) -> None:
    """The launcher's link leads to a page; its key is no cookie there, and no address that travels."""
    settings = {"HOST": "0.0.0.0", "TEE_CHANNEL": "require"}
    with serve(launcher, tmp_path / "data", free_port(), **settings) as server, Wire(server.url) as wire:
        key = administrator_key(tmp_path / "data.log")
        more = ("--accept", "simulated", "--pages", str(launcher.parent))
        with connected(wire.url, hold(server, tmp_path / "held.json"), tmp_path, *more) as running:
            running.said()
            link = running.said()["link"]
            page = opened(browser, link)
            fill_in(page)
            page.click("form button[type=submit]")
            expect(page.get_by_text("only the link that its launcher printed")).to_be_visible(timeout=30_000)
            page.goto("about:blank")
            page.goto(f"{link.partition('/connect')[0]}/auth#administrator={key}")
            signed_in(page)
            assert key not in page.url
            page.context.close()
        assert key.encode() not in wire.seen


@pytest.mark.attack
def test_pages_of_another_release_are_not_shown(required: Server, held: Path, launcher: Path, tmp_path: Path) -> None:
    other = tmp_path / "release.json"
    text = (launcher.parent / "release.json").read_text()
    other.write_text(text + "\n")
    with connected(required.url, held, tmp_path, "--accept", "simulated", "--pages", str(other)) as running:
        assert "another release" in running.said()["message"]


@pytest.mark.parametrize("kind", ["archive", "manifest"])
def test_pictures_and_pdfs_of_a_chat_by_an_archive_or_the_manifest_alone(
    kind: str, browser: Browser, required: Server, held: Path, launcher: Path, tmp_path: Path
) -> None:
    pages = archived(launcher.parent, tmp_path) if kind == "archive" else launcher.parent / "release.json"
    with connected(required.url, held, tmp_path, "--accept", "simulated", "--pages", str(pages)) as running:
        running.said()
        page = opened(browser, running.said()["link"])
        signed_in(page)
        assert shown_files(page) == [1, "blob:", "blob:", True]
        page.context.close()
        assert running.said()["different"] == []


def archived(release: Path, folder: Path) -> Path:
    """The archive of a release, as far as pages need it."""
    path = folder / "release.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name in ("release.json", "backend/open_webui/frontend", "backend/open_webui/static"):
            archive.add(release / name, f"{release.name}/{name}")
    return path


def test_beyond_loopback_nobody_signs_in_by_another_provider(launcher: Path, tmp_path: Path) -> None:
    """There the channel is required unless somebody says otherwise, and the way back would lead outside of it."""
    settings = {"HOST": "0.0.0.0", "DATA_DIR": str(tmp_path), "TDX": "simulated", "OAUTH_CLIENT_ID": "x"}
    ended = subprocess.run([launcher], env={**os.environ, **settings}, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2 and "OAUTH_CLIENT_ID lets people sign in with another provider" in ended.stderr


def test_the_first_administrator_signs_up_by_the_link_in_the_services_own_page(
    browser: Browser, launcher: Path, tmp_path: Path
) -> None:
    """Its page seals what it sends, and has no cookie to send along, so it keeps the key when it is loaded anew. Nobody
    asked for the channel: beyond loopback it is required."""
    with serve(launcher, tmp_path / "data", free_port(), HOST="0.0.0.0") as server, Wire(server.url) as wire:
        assert httpx.get(f"{server.url}/api/v1/tee/config").json()["channel"] == "require"
        assert httpx.get(f"{server.url}/api/config").status_code == 403
        key = administrator_key(tmp_path / "data.log")
        page = new_page(browser)
        page.goto(f"{wire.url}/auth#administrator={key}")
        page.reload()
        signed_in(page)
        assert key not in page.url and key.encode() not in wire.seen
        assert [word for word in SECRETS if word.encode() in wire.seen] == []
        page.context.close()
