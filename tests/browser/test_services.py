"""Attestation services that a person asks as well: the page asks them itself, and they can only lower the verdict."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Locator, Page, expect

from tests.browser.pages import open_panel, screenshot, shield, status_of, wait_for_round
from tests.browser.proxy import Proxy
from tests.browser.remembering import fetch_evidence, references_for, remember
from tests.browser.running import SERVICE_PORT, SERVICES_ALLOWED, Server
from tests.browser.tampering import change_answer
from tests.standins.server import StandIn
from tests.standins.tokens import private_key, public_jwk

pytestmark = [pytest.mark.browser, pytest.mark.release, pytest.mark.slow]

# Both request shapes of a Trustee may be tried, each for as long as the page waits.
SERVICE_MS = 40_000
NOWHERE = SERVICES_ALLOWED[1]
JWK = json.dumps(public_jwk("trustee"))
PEM = (
    private_key("trustee")
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()  # as a file
)


def choose(panel: Locator, kind: str, url: str = "", key: str = "") -> None:
    """Choose a service in the panel as a person does, and apply."""
    panel.locator("#tee-service").select_option(kind)
    if url:
        panel.locator("form input").fill(url)
    if key:
        panel.locator("form textarea").fill(key)
    panel.locator("form button[type=submit]").click()


def expect_token(panel: Locator, status: str, reason: str = "") -> None:
    row = panel.locator("[data-check='service.token']")
    expect(row).to_have_attribute("data-status", status, timeout=SERVICE_MS)
    expect(row).to_contain_text(reason)


def green_panel(page: Page, server: Server) -> Locator:
    page.goto(server.url)
    wait_for_round(page, "verified")
    return open_panel(page)


COLOURS = {"pass": "green", "warn": "amber", "fail": "red"}

# What a service's token makes of its check, and a word of the reason. Every fault is in tests/vectors and in the units
# of both verifiers, what cannot be asked in web/test/client/service.test.ts; here each outcome reaches the page once.
ALIBABA = {None: ("pass", ""), "wrong-signature": ("fail", "signature")}


@pytest.mark.parametrize("fault", ALIBABA)
def test_alibaba(fault: str | None, expecting: Page, server: Server) -> None:
    status, reason = ALIBABA[fault]
    with StandIn("alibaba", port=SERVICE_PORT, fault=fault) as service:
        panel = green_panel(expecting, server)
        choose(panel, "alibaba", f"{service.url}/v1/attestation")
        expect_token(panel, status, reason)
        expect(shield(expecting)).to_have_attribute("data-shield", COLOURS[status])
        assert service.requests, "the page itself asked the service"


TRUSTEE = {
    ("new", None): ("pass", ""),
    ("new", "warning"): ("warn", "warning"),
    ("old", None): ("pass", ""),
    ("old", "other-measurements"): ("fail", "mr_td"),
}


@pytest.mark.parametrize(("shape", "fault"), TRUSTEE)
def test_trustee(shape: str, fault: str | None, expecting: Page, server: Server) -> None:
    """The person pins the Trustee's key; the page speaks both generations' requests."""
    status, reason = TRUSTEE[shape, fault]
    with StandIn("trustee", port=SERVICE_PORT, shape=shape, fault=fault) as service:
        panel = green_panel(expecting, server)
        choose(panel, "trustee", service.url, JWK if shape == "new" else PEM)
        expect_token(panel, status, reason)
        expect(shield(expecting)).to_have_attribute("data-shield", COLOURS[status])
        assert ("verification_requests" in service.requests[-1]) == (shape == "new")
        panel.locator("[data-check='service.token']").scroll_into_view_if_needed()
        screenshot(expecting, f"trustee-{shape}-{fault or 'good'}")


def test_a_service_that_does_not_allow_the_page_to_ask_is_red_with_advice(expecting: Page, server: Server) -> None:
    """Without CORS headers the browser keeps the answer from the page, and tells it only that something failed."""
    with StandIn("trustee", port=SERVICE_PORT, cors=False) as service:
        panel = green_panel(expecting, server)
        choose(panel, "trustee", service.url, JWK)
        expect_token(panel, "fail", "could not be asked")
        row = panel.locator("[data-check='service.token']")
        expect(row).to_contain_text("--allowed_origin")
        expect(row).to_contain_text(server.url)
        expect(shield(expecting)).to_have_attribute("data-shield", "red")
        row.scroll_into_view_if_needed()
        screenshot(expecting, "service-without-cors")


def test_a_service_that_cannot_be_reached_is_red_and_says_so(expecting: Page, server: Server) -> None:
    panel = green_panel(expecting, server)
    choose(panel, "alibaba", NOWHERE)
    expect(shield(expecting)).to_have_attribute("data-overall", "not-acceptable", timeout=SERVICE_MS)
    expect_token(panel, "fail", "could not be asked")


def test_a_service_never_raises_a_verdict(genuine_page: Page, server: Server) -> None:
    """It vouches for everything; the platform is still not the one that this person expects."""
    references = references_for(fetch_evidence(genuine_page, server))
    other = {**references, "platforms": [{**platform, "mr_td": "ab" * 48} for platform in references["platforms"]]}
    with StandIn("trustee", port=SERVICE_PORT) as service:
        chosen = {"kind": "trustee", "url": service.url, "key": JWK}
        remember(genuine_page, references=other, service=chosen)
        genuine_page.goto(server.url)
        wait_for_round(genuine_page, "not-acceptable")
        panel = open_panel(genuine_page)
        assert status_of(panel, "service.token") == "pass"
        assert status_of(panel, "platform.match") == "fail"
        expect(shield(genuine_page)).to_have_attribute("data-shield", "red")


def test_a_service_does_not_stand_in_for_reference_values(genuine_page: Page, server: Server) -> None:
    with StandIn("trustee", port=SERVICE_PORT) as service:
        remember(genuine_page, service={"kind": "trustee", "url": service.url, "key": JWK})
        genuine_page.goto(server.url)
        wait_for_round(genuine_page, "incomplete")
        assert status_of(open_panel(genuine_page), "service.token") == "pass"
        expect(shield(genuine_page)).to_have_attribute("data-shield", "amber")


def test_the_administrator_proposes_and_the_person_decides(expecting: Page, proxy: Proxy, server: Server) -> None:
    """What TEE_SERVICE names is asked without a word from the person; it lowers the verdict; the person declines it."""
    with StandIn("alibaba", port=SERVICE_PORT, fault="other-measurements") as service:
        proposed = {"service": "alibaba", "service_url": f"{service.url}/v1/attestation"}
        change_answer(proxy, "config", lambda config: {**config, **proposed})
        expecting.goto(server.url)
        wait_for_round(expecting, "not-acceptable")
        panel = open_panel(expecting)
        expect_token(panel, "fail", "mr_td")
        expect(panel.locator("#tee-service")).to_have_value("")
        expect(panel.locator("#tee-service option:checked")).to_contain_text("Alibaba Cloud")
        asked = len(service.requests)
        assert asked
        choose(panel, "none")
        expect_token(panel, "skipped")
        expect(shield(expecting)).to_have_attribute("data-shield", "green")
        expecting.reload()
        wait_for_round(expecting, "verified")
        assert len(service.requests) == asked, "the choice is remembered"


def test_a_proposed_service_that_agrees_is_green(expecting: Page, proxy: Proxy, server: Server) -> None:
    """Its address is an origin, as the server's default is: the page adds the documented path."""
    with StandIn("alibaba", port=SERVICE_PORT) as service:
        proposed = {"service": "alibaba", "service_url": service.url}
        change_answer(proxy, "config", lambda config: {**config, **proposed})
        expecting.goto(server.url)
        wait_for_round(expecting, "verified")
        assert status_of(open_panel(expecting), "service.token") == "pass"
        (request,) = service.requests
        assert request["tee"] == "tdx"
