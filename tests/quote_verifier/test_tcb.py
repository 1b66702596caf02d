"""Our judgement of the TCB equals dcap-qvl's wherever that gives one, over levels and SVNs drawn at random.

The simulator signs each draw, so that it gets past the signatures. Where dcap-qvl stops, ours says below which levels.
"""

import random
import re
from dataclasses import replace
from typing import Any

import pytest
from quote_verifier.collateral import Collateral, parse_collateral
from quote_verifier.errors import NotGenuine
from quote_verifier.genuine import _tcb, _try_root
from quote_verifier.intel_documents import _height
from quote_verifier.quote import Quote, parse_quote
from quote_verifier.tcb import BelowLevels, Tcb, judge_tcb

from simulator import profile
from simulator.collateral import as_datetime
from simulator.plans import collateral as collaterals
from simulator.plans import quote as quotes

from .world import NOW

STATUSES = collaterals.TCB_STATUSES
MODULE_STATUSES = ("UpToDate", "OutOfDate", "Revoked")
QE_STATUSES = ("UpToDate", "OutOfDate", "ConfigurationNeeded", "Revoked", "OutOfDateConfigurationNeeded")
BELOW = re.compile(
    r"QE ISVSVN .* is below|No matching TCB level found|TDX module TCB level check|Failed to evaluate the current"
)
SEED, DRAWS = 10, 220
"""With this seed, so few show every status once."""
GOOD = ("UpToDate",) * 8


def svn_levels(draw: random.Random, statuses: tuple[str, ...]) -> list[dict[str, Any]]:
    levels = []
    for svn in sorted(draw.sample(range(1, 9), draw.choice((1, 2, 3))), reverse=True):
        advisories = draw.choices(["INTEL-SA-00001", "INTEL-SA-00002", "INTEL-SA-00837"], k=draw.choice((0, 1, 2, 3)))
        levels.append(collaterals.svn_level(svn, draw.choice(GOOD + statuses)) | {"advisoryIDs": advisories})
    return levels


def drawn_collateral(draw: random.Random) -> Collateral:
    plan = collaterals.plan(as_datetime(NOW))
    info = plan.tcb_info.values
    levels = [
        collaterals.tcb_level(
            draw.choice(GOOD[6:] + STATUSES),
            pce_svn=draw.choice((5, profile.PCE_SVN, profile.PCE_SVN + 1)),
            microcode=draw.choice((1, 2, 3)),
            cpu=bytes(min(svn, draw.choice((1, 2, 5, 5))) for svn in profile.CPU_SVN),
        )
        for _ in range(draw.choice((1, 2, 3, 4)))
    ]
    info["tcbLevels"] = sorted(levels, key=_height, reverse=True)
    info["tcbEvaluationDataNumber"] = draw.choice((16, 17, 18))
    module: dict[str, Any] = info["tdxModule"]  # type: ignore[assignment]
    info["tdxModuleIdentities"] = [
        {"id": name, **module, "tcbLevels": svn_levels(draw, MODULE_STATUSES)} for name in ("TDX_01", "TDX_0A")
    ]
    plan.qe_identity.values["tcbLevels"] = svn_levels(draw, QE_STATUSES)
    return parse_collateral(collaterals.assemble(plan))


def drawn_plan(draw: random.Random) -> quotes.Plan:
    def svn() -> bytes:
        return bytes((draw.randrange(2, 9), draw.choice((0, 1, 1, 1, 1, 10, 2)), draw.choice((1, 2, 3, 3)))) + bytes(13)

    version = draw.choice((4, 5, 5))
    body = replace(profile.TD, tee_tcb_svn=svn(), tee_tcb_svn2=svn())
    body_type = draw.choice((quotes.BODY_TD10, *(quotes.BODY_TD15,) * 3)) if version == 5 else quotes.BODY_TD10
    return quotes.Plan(version=version, body=body, body_type=body_type, qe_isv_svn=draw.choice((1, 4, 8, 9)))


def ours(quote: Quote, collateral: Collateral) -> Tcb | str:
    """The TCB; or how it is refused."""
    try:
        return judge_tcb(quote, collateral)
    except BelowLevels as error:
        return f"below: {error}"
    except NotGenuine:
        return "not genuine"


def compare(quote: Quote, collateral: Collateral) -> str:
    """Ours and dcap-qvl's in one word; fails where they differ."""
    claims, reason = _try_root(quote, collateral.for_dcap(quote.pck_chain), "simulator", NOW)
    mine = ours(quote, collateral)
    if claims is not None:
        assert mine == _tcb(claims)
        return mine.status if isinstance(mine, Tcb) else mine
    if reason == "TCB status is invalid: Revoked":
        assert isinstance(mine, Tcb) and mine.status == "Revoked"
        return "Revoked"
    assert isinstance(mine, str) and BELOW.match(reason), reason
    return mine.split(" is below")[0]  # or not genuine: an unknown module


@pytest.mark.parametrize("draws", [DRAWS, pytest.param(1000, marks=pytest.mark.slow)])
def test_as_dcap_qvl_judges(draws: int) -> None:
    draw = random.Random(SEED)
    seen: dict[str, int] = {}
    for _ in range(draws):
        word = compare(parse_quote(quotes.assemble(drawn_plan(draw))), drawn_collateral(draw))
        seen[word] = seen.get(word, 0) + 1
    expected = {*STATUSES, "TDRelaunchAdvised", "TDRelaunchAdvisedConfigurationNeeded", "not genuine"}
    below = {f"below: the {what}" for what in ("platform", "quoting enclave", "TDX module TDX_01", "TDX module TDX_0A")}
    assert set(seen) == expected | below, seen


@pytest.mark.slow
def test_a_service_td_changes_nothing_about_the_tcb() -> None:
    """dcap-qvl's Python gives no TCB for such a TD: it is that of the same TD without it."""
    draw = random.Random(1)
    judged = 0
    for _ in range(60):
        plan, collateral = drawn_plan(draw), drawn_collateral(draw)
        plan.version, plan.body_type = 5, quotes.BODY_TD15
        bare = parse_quote(quotes.assemble(plan))
        plan.body = replace(plan.body, mr_service_td=b"\x38" * 48)
        bound = parse_quote(quotes.assemble(plan))
        assert ours(bound, collateral) == ours(bare, collateral)
        claims, _ = _try_root(bare, collateral.for_dcap(bare.pck_chain), "simulator", NOW)
        if claims is not None:
            reason = _try_root(bound, collateral.for_dcap(bound.pck_chain), "simulator", NOW)[1]
            assert reason == "Invalid MR service TD"
            judged += 1
    assert judged > 5


@pytest.mark.parametrize(
    ("member", "value", "reason"),
    [
        ("miscselect", "00000001", "miscselect"),
        ("attributes", "13000000000000000000000000000000", "attributes"),
        ("mrsigner", "00" * 32, "signer"),
        ("isvprodid", 1, "product id"),
    ],
)
def test_another_quoting_enclave(member: str, value: object, reason: str) -> None:
    """dcap-qvl refuses each before ours is asked; ours does so too, as it is asked alone where dcap-qvl stopped."""
    plan = collaterals.plan(as_datetime(NOW))
    plan.qe_identity.values[member] = value
    with pytest.raises(NotGenuine, match=reason):
        judge_tcb(parse_quote(quotes.assemble(quotes.Plan())), parse_collateral(collaterals.assemble(plan)))


@pytest.mark.parametrize(
    ("member", "value", "reason"),
    [
        ("fmspc", "000000000000", "another platform model"),
        ("tdxModuleIdentities", [], "does not know"),
    ],
)
def test_another_platform(member: str, value: object, reason: str) -> None:
    plan = collaterals.plan(as_datetime(NOW))
    plan.tcb_info.values[member] = value
    with pytest.raises(NotGenuine, match=reason):
        judge_tcb(parse_quote(quotes.assemble(quotes.Plan())), parse_collateral(collaterals.assemble(plan)))


def test_a_debuggable_quoting_enclave() -> None:
    """Even where the QE identity's mask would let it pass: anybody could have made such a quote."""
    plan = collaterals.plan(as_datetime(NOW))
    plan.qe_identity.values["attributesMask"] = "F9" + "FF" * 7 + "00" * 8
    quote = quotes.assemble(quotes.Plan(qe_attributes=bytes((0x13,)) + profile.QE_ATTRIBUTES[1:]))
    with pytest.raises(NotGenuine, match="under debug"):
        judge_tcb(parse_quote(quote), parse_collateral(collaterals.assemble(plan)))
