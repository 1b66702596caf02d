"""One release and one Chromium for all browser tests; a page of its own for each."""

from __future__ import annotations

import base64
import math
import os
import struct
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from door.tls import Certificates, draw
from scripts.machine import chromium
from tests import webbundle
from tests.browser.outgoing import Outgoing
from tests.browser.pages import enter, new_page
from tests.browser.proxy import Proxy
from tests.browser.remembering import fetch_evidence, references_for, remember
from tests.browser.running import Server, release, serve
from tests.browser.tampering import FAR, change_answer, replace_verifier, without_doubts

# As root, Chromium refuses its sandbox; the rest keeps it from calling home.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def launcher() -> Path:
    found = release()
    if found is None:
        pytest.fail("There is no release in dist/: run `make build` first.", pytrace=False)
    return found


@pytest.fixture(scope="session")
def real_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The release with the gate off, and without the encrypted channel, so that tests see what pages ask for (with it:
    test_channel.py); `OPEN_WEBUI_TDX_URL` names a server that runs already."""
    running = os.environ.get("OPEN_WEBUI_TDX_URL")
    folder = tmp_path_factory.mktemp("browser")
    if running:
        yield Server(running, folder)
        return
    with serve(request.getfixturevalue("launcher"), folder / "data", TEE_CHANNEL="off") as started:
        yield started


@pytest.fixture(scope="session")
def standing_proxy(real_server: Server) -> Iterator[Proxy]:
    """In front of the server for the whole session, so that the pages' origin, and their storage, stay the same."""
    with Proxy(real_server.url) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def server(real_server: Server, standing_proxy: Proxy) -> Server:
    """The server as pages see it: through the proxy, which changes nothing unless a test says so."""
    return Server(standing_proxy.url, real_server.data)


@pytest.fixture
def proxy(standing_proxy: Proxy) -> Iterator[Proxy]:
    """The proxy, for the changes of one test: afterwards it passes everything on again."""
    yield standing_proxy
    wrong = standing_proxy.reset()
    assert wrong == [], "a change that was not made proves nothing"


def _spoken(path: Path) -> Path:
    """A sound file: a second of tone, then silence, which ends an utterance."""
    rate = 16_000
    tone = [int(12_000 * math.sin(2 * math.pi * 440 * i / rate)) for i in range(rate)]
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(struct.pack(f"<{len(tone)}h", *tone) + bytes(2 * 8 * rate))
    return path


@pytest.fixture(scope="session")
def certificate() -> Certificates:
    """A TLS key that is in no TD, with a certificate that the browser trusts."""
    made = Certificates(draw(), ("127.0.0.1", FAR), "drawn")
    made.self_sign()
    return made


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, certificate: Certificates) -> Iterator[Browser]:
    """Chromium with a microphone that speaks for a second."""
    program = chromium.find()
    sound = _spoken(tmp_path_factory.mktemp("sound") / "spoken.wav")
    microphone = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    microphone.append(f"--host-resolver-rules=MAP {FAR} 127.0.0.1")
    trusted = base64.b64encode(bytes.fromhex(certificate.spki_sha256)).decode()
    microphone.append(f"--ignore-certificate-errors-spki-list={trusted}")
    microphone.append(f"--use-file-for-fake-audio-capture={sound}")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=[*ARGUMENTS, *microphone])
        yield started
        started.close()


@pytest.fixture(scope="module")
def signed_in(browser: Browser, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The storage of a browser that has signed up: a file that new pages can start from."""
    path = tmp_path_factory.mktemp("session") / "storage.json"
    page = new_page(browser)
    enter(page, server.url)
    page.context.storage_state(path=path)
    page.context.close()
    return path


@pytest.fixture
def context(browser: Browser, signed_in: Path) -> Iterator[BrowserContext]:
    page = new_page(browser, storage_state=signed_in)
    page.close()
    yield page.context
    page.context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page of somebody who is signed in, before it goes anywhere."""
    return context.new_page()


@pytest.fixture
def outgoing(context: BrowserContext) -> Outgoing:
    """What leaves the page's browser."""
    return Outgoing(context)


@pytest.fixture(scope="session")
def genuine_verifier() -> bytes:
    """The verifier of a test build: it takes the simulator's root for Intel's, so that green can be seen."""
    return (webbundle.folder() / "test-root" / "verifier.js").read_bytes()


@pytest.fixture
def genuine_page(page: Page, proxy: Proxy, genuine_verifier: bytes) -> Page:
    """A page whose verifier takes the simulator for real hardware."""
    replace_verifier(proxy, genuine_verifier)
    change_answer(proxy, "quote", without_doubts)
    return page


@pytest.fixture
def expecting(genuine_page: Page, server: Server) -> Page:
    """A page of a person who holds reference values for this server: everything would be green."""
    remember(genuine_page, references=references_for(fetch_evidence(genuine_page, server)))
    return genuine_page
