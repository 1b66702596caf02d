"""Every check of the verdict fails in the browser for its own reason, and all of them pass together only once.

The verifier here is that of a test build, which takes the simulator's root for Intel's: so each test starts from green
and changes exactly one thing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from simulator.collateral import collateral
from tests.browser.pages import open_panel, screenshot, shield, status_of, wait_for_round
from tests.browser.running import Server
from tests.browser.tampering import FAR, Change, Document, change_answer, platform_of, remade, without_doubts
from tests.standins.server import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.release, pytest.mark.slow]

CHECKS = [
    "quote.format",
    "quote.signature",
    "quote.tcb",
    "quote.debug",
    "tee.real",
    "binding.nonce",
    "binding.channel",
    "eventlog.replay",
    "release.match",
    "platform.match",
    "service.token",
]


def fetch_evidence(page: Page, server: Server) -> Document:
    answer = page.request.get(f"{server.url}/api/v1/tee/quote")
    return without_doubts(answer.json())


def references_for(evidence: Document) -> Document:
    """Reference values that the server's own evidence meets."""
    events = [line for line in evidence["event_log"].splitlines() if not line.startswith("INIT ")]
    platforms = [platform_of(evidence["quote"])]
    return {"v": 1, "name": "of this test", "events": events, "platforms": platforms}


def remember(page: Page, **memory: Any) -> None:
    """What the browser remembers of this server from the next page on."""
    text = json.dumps(json.dumps({"v": 1, **memory}))
    page.add_init_script(
        f"if (!sessionStorage.remembered) {{ sessionStorage.remembered = 1; localStorage['tee-memory'] = {text}; }}"
    )


@pytest.fixture
def expecting(genuine_page: Page, server: Server) -> Page:
    """A page of a person who holds reference values for this server: everything would be green."""
    remember(genuine_page, references=references_for(fetch_evidence(genuine_page, server)))
    return genuine_page


def test_green_only_when_everything_passes(expecting: Page, server: Server) -> None:
    expecting.goto(server.url)
    found = wait_for_round(expecting, "verified")
    expect(found).to_have_attribute("data-shield", "green")
    expect(found.locator("svg")).to_have_attribute("data-shape", "check")
    expect(found).to_have_attribute("aria-label", re.compile("Verified"))
    screenshot(expecting, "verified")
    panel = open_panel(expecting)
    statuses = {check: status_of(panel, check) for check in CHECKS}
    assert statuses == dict.fromkeys(CHECKS, "pass") | {"service.token": "skipped"}
    expect(panel.locator("#tee-summary")).to_contain_text("of this test")
    screenshot(expecting, "panel")


def test_without_reference_values_it_is_amber(genuine_page: Page, server: Server) -> None:
    genuine_page.goto(server.url)
    found = wait_for_round(genuine_page, "incomplete")
    expect(found).to_have_attribute("data-shield", "amber")
    expect(found.locator("svg")).to_have_attribute("data-shape", "exclamation")
    screenshot(genuine_page, "incomplete")


def edit(at: int, mask: int = 1) -> Change:
    """Flip bits of one byte of the quote."""

    def change(evidence: Document) -> Document:
        quote = bytearray.fromhex(evidence["quote"])
        quote[at] ^= mask
        return {**evidence, "quote": quote.hex()}

    return change


def with_origin(evidence: Document) -> Document:
    return remade(evidence, runtime_data={**evidence["runtime_data"], "origin": "https://elsewhere.example"})


def other_log(evidence: Document) -> Document:
    return {**evidence, "event_log": evidence["event_log"].replace('"sha384":"', '"sha384":"00', 1)}


class Replay:
    """Every answer is the first one."""

    def __init__(self) -> None:
        self.first: Document | None = None

    def __call__(self, evidence: Document) -> Document:
        self.first = self.first or evidence
        return self.first


@dataclass(frozen=True)
class Case:
    """One change, the check that must fail for it, the status overall, and a word of the reason."""

    check: str
    overall: str
    reason: str
    quote: Change | None = None
    collateral: Change | None = None
    references: Change | None = None
    also: tuple[str, ...] = ()  # earlier checks that the same change makes fail


def other_event(references: Document) -> Document:
    return {**references, "events": [line.replace('"sha384":"', '"sha384":"f') for line in references["events"]]}


def other_platform(references: Document) -> Document:
    return {**references, "platforms": [{**platform, "mr_td": "ab" * 48} for platform in references["platforms"]]}


DEBUG = (0x10000001).to_bytes(8, "little")
CASES = {
    "format": Case("quote.format", "not-genuine", "version", quote=edit(0, 2)),
    "signature": Case("quote.signature", "not-genuine", "not genuine", quote=edit(48 + 584 + 4)),
    "measurement": Case("quote.signature", "not-genuine", "not genuine", quote=edit(48 + 136)),
    "collateral": Case(
        "quote.signature", "not-genuine", "expired", collateral=lambda _: dict(collateral(fault="expired"))
    ),
    "tcb": Case("quote.tcb", "not-acceptable", "OutOfDate", collateral=lambda _: dict(collateral(fault="out-of-date"))),
    "debug": Case(
        "quote.debug",
        "not-acceptable",
        "under debug",
        quote=lambda e: remade(e, td_attributes=DEBUG),
        also=("quote.tcb",),
    ),
    "nonce": Case("binding.nonce", "not-genuine", "nonce", quote=Replay()),
    "eventlog": Case("eventlog.replay", "not-genuine", "RTMR 3", quote=other_log),
    "release": Case("release.match", "not-acceptable", "reference values", references=other_event),
    "platform": Case("platform.match", "not-acceptable", "mr_td", references=other_platform),
}


@pytest.mark.parametrize("name", CASES)
def test_each_check_fails_for_its_own_reason(
    name: str, genuine_page: Page, context: BrowserContext, server: Server
) -> None:
    case, page = CASES[name], genuine_page
    change: Callable[[Document], Document] = case.references or (lambda references: references)
    remember(page, references=change(references_for(fetch_evidence(page, server))))
    if case.quote:
        change_answer(context, "quote", case.quote)
    if case.collateral:
        change_answer(context, "collateral", case.collateral)
    page.goto(server.url)
    wait_for_round(page)
    if isinstance(case.quote, Replay):
        page.locator("#new-chat-button").click()
    found = wait_for_round(page, case.overall)
    expect(found).to_have_attribute("data-shield", "red")
    expect(found.locator("svg")).to_have_attribute("data-shape", "cross")
    panel = open_panel(page)
    failed = [check for check in CHECKS if status_of(panel, check) == "fail"]
    assert [check for check in failed if check not in case.also][:1] == [case.check], failed
    earlier = [check for check in CHECKS[: CHECKS.index(case.check)] if check not in case.also]
    assert all(status_of(panel, check) == "pass" for check in earlier)
    expect(panel.locator(f"[data-check='{case.check}']")).to_contain_text(case.reason)
    screenshot(page, f"failed-{name}")


def far(server: Server) -> str:
    """The login page at an address that is not loopback, over plain http: no WebCrypto there."""
    return f"{server.url.replace('127.0.0.1', FAR)}/auth"


def test_a_server_bound_to_another_origin_is_red(genuine_page: Page, context: BrowserContext, server: Server) -> None:
    change_answer(context, "quote", with_origin)
    genuine_page.goto(far(server))
    found = wait_for_round(genuine_page, "not-genuine")
    expect(found).to_have_attribute("data-shield", "red")
    panel = open_panel(genuine_page)
    assert [check for check in CHECKS if status_of(panel, check) == "fail"] == ["binding.channel"]
    expect(panel.locator("[data-check='binding.channel']")).to_contain_text("elsewhere.example")
    screenshot(genuine_page, "failed-channel")


def test_plain_http_works_and_is_at_best_amber(expecting: Page, server: Server) -> None:
    expecting.goto(far(server))
    assert expecting.evaluate("() => window.isSecureContext") is False
    found = wait_for_round(expecting, "incomplete")
    expect(found).to_have_attribute("data-shield", "amber")
    panel = open_panel(expecting)
    assert status_of(panel, "binding.channel") == "warn"
    assert [check for check in CHECKS if status_of(panel, check) == "fail"] == []
    expect(panel.locator("[data-check='binding.channel']")).to_contain_text("plain http")


def test_the_simulator_is_never_green_in_a_release(page: Page, context: BrowserContext, server: Server) -> None:
    """The release's own verifier, with reference values that match: still amber, and only tee.real fails."""
    change_answer(context, "quote", without_doubts)
    remember(page, references=references_for(fetch_evidence(page, server)))
    page.goto(server.url)
    found = wait_for_round(page, "simulated")
    expect(found).to_have_attribute("data-shield", "amber")
    panel = open_panel(page)
    assert [check for check in CHECKS if status_of(panel, check) == "fail"] == ["tee.real"]
    assert not [check for check in CHECKS if status_of(panel, check) == "warn"]


def test_no_release_carries_the_flag_that_makes_the_test_root_genuine(launcher: Path, genuine_verifier: bytes) -> None:
    source = (Path(__file__).resolve().parents[2] / "web-verifier/src/roots.ts").read_text()
    marker = re.search(r"MARKER = '([^']+)'", source)
    assert marker, "web-verifier/src/roots.ts names no marker"
    text = marker.group(1).encode()
    assert text in genuine_verifier, "a test build shows the marker"
    scripts = list(launcher.parent.glob("backend/open_webui/frontend/**/*.js"))
    assert len(scripts) > 100
    assert not [path for path in scripts if text in path.read_bytes()]


def test_trust_what_was_seen_then_green_then_a_change_is_red_until_accepted(
    genuine_page: Page, context: BrowserContext, server: Server
) -> None:
    page = genuine_page
    page.goto(server.url)
    wait_for_round(page, "incomplete")
    panel = open_panel(page)
    panel.locator("#tee-trust").click()
    expect(shield(page)).to_have_attribute("data-overall", "verified")
    expect(panel.locator("#tee-summary")).to_contain_text("the same as you trusted on")
    page.keyboard.press("Escape")

    change_answer(context, "quote", lambda evidence: remade(evidence, mr_td=b"\x07" * 48))
    page.reload()
    wait_for_round(page, "not-acceptable")
    panel = open_panel(page)
    assert status_of(panel, "platform.match") == "fail"
    changed = panel.locator("#tee-changes [data-changed='mr_td']")
    expect(changed.locator("ins")).to_have_text("07" * 48)
    screenshot(page, "changed")
    panel.locator("#tee-trust").click()
    expect(shield(page)).to_have_attribute("data-overall", "verified")
    panel.locator("#tee-forget").click()
    expect(shield(page)).to_have_attribute("data-overall", "incomplete")


def test_nothing_can_be_trusted_while_the_binding_fails(
    genuine_page: Page, context: BrowserContext, server: Server
) -> None:
    change_answer(context, "quote", with_origin)
    genuine_page.goto(far(server))
    wait_for_round(genuine_page, "not-genuine")
    expect(open_panel(genuine_page).locator("#tee-trust")).to_be_disabled()


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

    bundle["evidence"]["quote"] = edit(48 + 136)(bundle["evidence"])["quote"]
    path.write_text(json.dumps(bundle))
    panel.locator("#tee-load-bundle").set_input_files(path)
    expect(panel.locator("#tee-summary")).to_have_attribute("data-shield", "red")
    assert status_of(panel, "quote.signature") == "fail"
    expect(shield(page)).to_have_attribute("data-shield", "green")
    path.write_text("{}")
    panel.locator("#tee-load-bundle").set_input_files(path)
    expect(panel.get_by_role("alert")).to_contain_text("bundle")


SERVICE_FAULTS = {"wrong-signature": "fail", "other-nonce": "fail", "expired": "fail", "other-measurements": "fail"}


@pytest.mark.parametrize("fault", [None, *SERVICE_FAULTS])
def test_a_service_can_lower_the_verdict(fault: str | None, expecting: Page, server: Server) -> None:
    page = expecting
    with StandIn("alibaba", fault=fault) as service:
        page.goto(server.url)
        wait_for_round(page, "verified")
        panel = open_panel(page)
        panel.locator("#tee-service").select_option("alibaba")
        panel.locator("form input").fill(f"{service.url}/v1/attestation")
        panel.locator("form button[type=submit]").click()
        wanted = SERVICE_FAULTS[fault] if fault else "pass"
        expect(panel.locator("[data-check='service.token']")).to_have_attribute("data-status", wanted, timeout=20_000)
        expect(shield(page)).to_have_attribute("data-shield", "red" if fault else "green")
        assert service.requests, "the page itself asked the service"


def test_a_service_that_cannot_be_reached_is_amber_and_says_so(expecting: Page, server: Server) -> None:
    page = expecting
    page.goto(server.url)
    wait_for_round(page, "verified")
    panel = open_panel(page)
    panel.locator("#tee-service").select_option("alibaba")
    panel.locator("form input").fill("http://127.0.0.1:9/v1/attestation")
    panel.locator("form button[type=submit]").click()
    expect(shield(page)).to_have_attribute("data-overall", "incomplete", timeout=20_000)
    expect(panel.locator("[data-check='service.token']")).to_contain_text("could not be asked")
