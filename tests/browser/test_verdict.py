"""Every check of the verdict fails in the browser for its own reason, and all of them pass together only once.

The verifier here is that of a test build, which takes the simulator's root for Intel's: so each test starts from green
and changes exactly one thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from simulator.collateral import collateral
from tests.browser.pages import open_panel, screenshot, status_of, wait_for_round
from tests.browser.proxy import Document, Proxy
from tests.browser.remembering import fetch_evidence, references_for, remember
from tests.browser.running import SERVICE_PORT, Server
from tests.browser.tampering import (
    Edit,
    change_answer,
    far,
    flip,
    of_another,
    remade,
    replace_verifier,
    with_origin,
    without_doubts,
)
from tests.standins.server import StandIn
from tests.vectors import boot_cases
from tests.vectors.ground import CHECKS

pytestmark = [pytest.mark.browser, pytest.mark.release, pytest.mark.slow]


def test_green_only_when_everything_passes(expecting: Page, server: Server) -> None:
    expecting.goto(server.url)
    found = wait_for_round(expecting, "verified")
    assert_looks(found, "verified")
    screenshot(expecting, "verified")
    panel = open_panel(expecting)
    statuses = {check: status_of(panel, check) for check in CHECKS}
    assert statuses == dict.fromkeys(CHECKS, "pass") | {"service.token": "skipped"}
    expect(panel.locator("#tee-summary")).to_contain_text("of this test")
    screenshot(expecting, "panel")


def test_without_reference_values_it_is_amber(genuine_page: Page, server: Server) -> None:
    genuine_page.goto(server.url)
    found = wait_for_round(genuine_page, "incomplete")
    assert_looks(found, "incomplete")
    screenshot(genuine_page, "incomplete")


def other_log(evidence: Document) -> Document:
    return {**evidence, "event_log": evidence["event_log"] + 'open-webui-tdx tool {"id":"x"}\n'}


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
    quote: Edit | None = None
    collateral: Edit | None = None
    references: Edit | None = None
    service: str | None = None  # the fault of the service that the person has chosen
    genuine: bool = True  # false: the verifier of the release
    far: bool = False  # the login page at an address that is not loopback
    also: tuple[str, ...] = ()  # other checks that the same change makes fail


def other_event(references: Document) -> Document:
    return {**references, "events": [line.replace('"sha384":"', '"sha384":"f') for line in references["events"]]}


def other_platform(references: Document) -> Document:
    return {**references, "platforms": [{**platform, "mr_td": "ab" * 48} for platform in references["platforms"]]}


def other_shape(references: Document) -> Document:
    """Of a machine that differs in its memory alone, with what its boot measured."""
    told = boot_cases.platform(boot_cases.changed(boot_cases.HOB), 0)
    other = {name: told[name] for name in ("rtmr_0", "boot_events")}
    return {**references, "platforms": [{**platform, **other} for platform in references["platforms"]]}


DEBUG = (0x10000001).to_bytes(8, "little")
CASES = {
    "format": Case("quote.format", "not-genuine", "version", quote=flip(0, 2)),
    "signature": Case("quote.signature", "not-genuine", "not genuine", quote=flip(48 + 584 + 4)),
    "tcb": Case("quote.tcb", "not-acceptable", "OutOfDate", collateral=lambda _: dict(collateral(fault="out-of-date"))),
    "debug": Case(
        "quote.debug",
        "not-acceptable",
        "under debug",
        quote=lambda e: remade(e, td_attributes=DEBUG),
        also=("quote.tcb", "platform.match"),
    ),
    "real": Case("tee.real", "simulated", "simulator", genuine=False),
    "nonce": Case("binding.nonce", "not-genuine", "nonce", quote=Replay()),
    "channel": Case("binding.channel", "not-genuine", "elsewhere.example", quote=with_origin, far=True),
    "eventlog": Case("eventlog.replay", "not-genuine", "RTMR 3", quote=other_log),
    "release": Case("release.match", "not-acceptable", "reference values", references=other_event),
    "platform": Case("platform.match", "not-acceptable", "mr_td", references=other_platform),
    "shape": Case(
        "platform.match", "not-acceptable", "rtmr_0 differs in the memory map (TD HOB)", references=other_shape
    ),
    "service": Case("service.token", "not-acceptable", "signature", service="wrong-signature"),
    "data": Case("data.protected", "not-acceptable", "said to be encrypted for AAAA", quote=of_another),
}
# What the shield says and shows for each status overall.
LOOKS = {
    "verified": ("green", "check", "Verified"),
    "incomplete": ("amber", "exclamation", "Incomplete"),
    "simulated": ("amber", "exclamation", "Simulated"),
    "not-acceptable": ("red", "cross", "Not acceptable"),
    "not-genuine": ("red", "cross", "Not genuine"),
}


def test_the_table_names_every_check() -> None:
    assert {case.check for case in CASES.values()} == set(CHECKS)


@pytest.fixture
def service(name: str) -> Iterator[StandIn | None]:
    """The service of the case, if it has one."""
    fault = CASES[name].service
    with StandIn("alibaba", port=SERVICE_PORT, fault=fault) if fault else nullcontext() as service:
        yield service


@pytest.mark.parametrize("name", CASES)
def test_each_check_fails_for_its_own_reason(
    name: str, service: StandIn | None, page: Page, proxy: Proxy, server: Server, request: pytest.FixtureRequest
) -> None:
    case = CASES[name]
    change: Edit = case.references or (lambda references: references)
    chosen = service and {"kind": "alibaba", "url": f"{service.url}/v1/attestation", "key": ""}
    remember(page, references=change(references_for(fetch_evidence(page, server))), service=chosen)
    change_answer(proxy, "quote", without_doubts)
    if case.genuine:
        replace_verifier(proxy, request.getfixturevalue("genuine_verifier"))
    if case.quote:
        change_answer(proxy, "quote", case.quote)
    if case.collateral:
        change_answer(proxy, "collateral", case.collateral)
    page.goto(far(server) if case.far else server.url)
    wait_for_round(page)
    if isinstance(case.quote, Replay):
        page.locator("#new-chat-button").click()
    found = wait_for_round(page, case.overall)
    assert_looks(found, case.overall)
    panel = open_panel(page)
    failed = [check for check in CHECKS if status_of(panel, check) == "fail"]
    assert [check for check in failed if check not in case.also][:1] == [case.check], failed
    earlier = {check: "pass" for check in CHECKS[: CHECKS.index(case.check)] if check not in case.also}
    earlier |= {"service.token": "skipped"} if "service.token" in earlier else {}
    assert {check: status_of(panel, check) for check in earlier} == earlier
    for check in set(failed) - {case.check, *case.also}:
        expect(panel.locator(f"[data-check='{check}']")).to_contain_text("could not be checked because")
    expect(panel.locator("#tee-summary")).to_have_attribute("data-shield", LOOKS[case.overall][0])
    row = panel.locator(f"[data-check='{case.check}']")
    expect(row).to_contain_text(case.reason)
    expect(row).to_contain_text("Failed")
    row.scroll_into_view_if_needed()
    screenshot(page, f"failed-{name}")


def assert_looks(found: Locator, overall: str) -> None:
    """Colour, shape and text: three signals of one status."""
    colour, shape, label = LOOKS[overall]
    expect(found).to_have_attribute("data-shield", colour)
    expect(found.locator("svg")).to_have_attribute("data-shape", shape)
    expect(found).to_have_attribute("aria-label", f"Attestation: {label}")
    expect(found.locator("span")).to_have_text(label)


def test_plain_http_works_and_is_at_best_amber(expecting: Page, server: Server) -> None:
    expecting.goto(far(server))
    assert expecting.evaluate("() => window.isSecureContext") is False
    found = wait_for_round(expecting, "incomplete")
    expect(found).to_have_attribute("data-shield", "amber")
    panel = open_panel(expecting)
    assert status_of(panel, "binding.channel") == "warn"
    assert [check for check in CHECKS if status_of(panel, check) == "fail"] == []
    expect(panel.locator("[data-check='binding.channel']")).to_contain_text("plain http")


def test_no_release_carries_the_flag_that_makes_the_test_root_genuine(launcher: Path, genuine_verifier: bytes) -> None:
    source = (Path(__file__).resolve().parents[2] / "web/src/verifier/roots.ts").read_text()
    marker = re.search(r"MARKER = '([^']+)'", source)
    assert marker, "web/src/verifier/roots.ts names no marker"
    text = marker.group(1).encode()
    assert text in genuine_verifier, "a test build shows the marker"
    scripts = list(launcher.parent.glob("backend/open_webui/frontend/**/*.js"))
    assert len(scripts) > 100
    assert not [path for path in scripts if text in path.read_bytes()]
