"""Cases about the documents that Intel signs, their issuer chains, the CRLs, and the collateral object around them."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from simulator import pki
from simulator.plans.collateral import Plan, plan, svn_level
from simulator.plans.collateral import assemble as signed
from simulator.plans.quote import Plan as QuotePlan
from simulator.plans.quote import assemble, default_chain
from tests.vectors.ground import BARE, GOOD, NOW, W

Change = Callable[[Plan], None]
LATER = NOW + dt.timedelta(hours=1)


def asked(name: str, about: str, holds: bool, made: dict[str, Any], quote: bytes = GOOD) -> None:
    """A bare quote whose signature holds or does not, because of its collateral."""
    changed = {} if holds else dict.fromkeys(BARE[BARE.index("quote.signature") :], "fail")
    given = {"quote": W.quote(name, quote), "collateral": W.collateral(name, made)}
    overall = "verified" if holds else "not-genuine"
    W.add(name, about, overall, changed, bare=given, options={"test_root_is_genuine": True})


def changed(change: Change) -> dict[str, str]:
    made = plan(NOW)
    change(made)
    return signed(made)


def tcb_info(change: Callable[[Any], Any]) -> Change:
    return lambda made: change(made.tcb_info.values)


def qe_identity(change: Callable[[Any], Any]) -> Change:
    return lambda made: change(made.qe_identity.values)


def spelt(old: str, new: str) -> Change:
    def change(made: Plan) -> None:
        assert old in made.tcb_info.text()
        made.tcb_info.spell = lambda text: text.replace(old, new, 1)

    return change


def _lowest(values: Any) -> Any:
    """The last level: one that no quote of the cases comes to, so that only its shape can matter."""
    return values["tcbLevels"][-1]


def _add_unknown(values: Any) -> None:
    for holder in (values, _lowest(values), _lowest(values)["tcb"]):
        holder["surprise"] = {"of": ["the future"]}


def _unknown_members(made: Any) -> None:
    _add_unknown(made.tcb_info.values)
    _add_unknown(made.qe_identity.values)


MEMBERS: dict[str, Change] = {
    "no-tcb-type": tcb_info(lambda values: values.pop("tcbType")),
    "no-version": tcb_info(lambda values: values.pop("version")),
    "no-tcb-date": tcb_info(lambda values: _lowest(values).pop("tcbDate")),
    "no-evaluation-number": tcb_info(lambda values: values.pop("tcbEvaluationDataNumber")),
    "no-module": tcb_info(lambda values: values.pop("tdxModule")),
    "no-pce-svn": tcb_info(lambda values: _lowest(values)["tcb"].pop("pcesvn")),
    "no-tdx-components": tcb_info(lambda values: _lowest(values)["tcb"].pop("tdxtcbcomponents")),
    "no-levels": tcb_info(lambda values: values.update(tcbLevels=[])),
    "version-4": tcb_info(lambda values: values.update(version=4)),
    "version-text": tcb_info(lambda values: values.update(version="3")),
    "version-float": spelt('"version":3', '"version":3.0'),
    "tcb-type-null": tcb_info(lambda values: values.update(tcbType=None)),
    "tcb-type-minus-zero": spelt('"tcbType":0', '"tcbType":-0'),
    "duplicate-key": spelt('"tcbType":0', '"tcbType":1,"tcbType":0'),
    "evaluation-number-text": tcb_info(lambda values: values.update(tcbEvaluationDataNumber="17")),
    "evaluation-number-huge": tcb_info(lambda values: values.update(tcbEvaluationDataNumber=2**32)),
    "fmspc-not-hex": tcb_info(lambda values: values.update(fmspc=values["fmspc"] + "zz")),
    "svn-256": tcb_info(lambda values: _lowest(values)["tcb"]["sgxtcbcomponents"][15].update(svn=256)),
    "fifteen-components": tcb_info(lambda values: _lowest(values)["tcb"]["sgxtcbcomponents"].pop()),
    "status-unknown": tcb_info(lambda values: _lowest(values).update(tcbStatus="Fine")),
    "status-of-a-relaunch": tcb_info(lambda values: _lowest(values).update(tcbStatus="TDRelaunchAdvised")),
    "advisories-null": tcb_info(lambda values: _lowest(values).update(advisoryIDs=None)),
    "date-offset": tcb_info(lambda values: values.update(issueDate="2025-06-30T14:00:00+02:00")),
    "date-fraction": tcb_info(lambda values: _lowest(values).update(tcbDate="2023-08-09T00:00:00.5Z")),
    "date-lower-case": tcb_info(lambda values: _lowest(values).update(tcbDate="2023-08-09t00:00:00z")),
    "date-before-1970": tcb_info(lambda values: _lowest(values).update(tcbDate="1969-08-09T00:00:00Z")),
    "date-impossible": tcb_info(lambda values: _lowest(values).update(tcbDate="2023-02-30T00:00:00Z")),
    "levels-reversed": tcb_info(lambda values: values["tcbLevels"].reverse()),
    "module-levels-reversed": tcb_info(lambda values: values["tdxModuleIdentities"][0]["tcbLevels"].reverse()),
    "module-twice": tcb_info(lambda values: values["tdxModuleIdentities"].append(values["tdxModuleIdentities"][0])),
    "module-id": tcb_info(lambda values: values["tdxModuleIdentities"][0].update(id="tdx_01")),
    "qe-no-evaluation-number": qe_identity(lambda values: values.pop("tcbEvaluationDataNumber")),
    "qe-no-version": qe_identity(lambda values: values.pop("version")),
    "qe-version-4": qe_identity(lambda values: values.update(version=4)),
    "qe-no-tcb-date": qe_identity(lambda values: _lowest(values).pop("tcbDate")),
    "qe-no-product": qe_identity(lambda values: values.pop("isvprodid")),
    "qe-miscselect-short": qe_identity(lambda values: values.update(miscselect="000000")),
    "qe-levels-reversed": qe_identity(
        lambda values: values.update(tcbLevels=[svn_level(4, "UpToDate"), svn_level(5, "OutOfDate")])
    ),
}
HARMLESS: dict[str, Change] = {
    "unknown-members": _unknown_members,
    "lower-case": tcb_info(lambda values: values.update(fmspc=values["fmspc"].lower())),
    "qe-version-3": qe_identity(lambda values: values.update(version=3)),
    "no-other-modules": tcb_info(lambda values: values["tdxModuleIdentities"][0].update(surprise=None)),
}


def _later(crl: Any) -> None:
    crl.issued = LATER


def _crl_number(number: int) -> Change:
    return lambda made: setattr(made.pck_crl, "number", number)


CRLS: dict[str, tuple[bool, Change]] = {
    "future-root-crl": (False, lambda made: _later(made.root_crl)),
    "future-pck-crl": (False, lambda made: _later(made.pck_crl)),
    "crl-issued-now": (True, lambda made: setattr(made.pck_crl, "issued", NOW)),
    "crl-due-now": (False, lambda made: setattr(made.pck_crl, "expires", NOW)),
    "crl-due-in-a-second": (True, lambda made: setattr(made.pck_crl, "expires", NOW + dt.timedelta(seconds=1))),
    "crl-number-largest": (True, _crl_number(2**32 - 1)),
    "crl-number-too-large": (False, _crl_number(2**32)),
}


def _certificates(*names: str) -> str:
    return pki.pem_chain(*(pki.certificate(name) for name in names))


def _platform_ca(issuer_key: str = "root", name: str = pki.PLATFORM_CA_NAME, **dates: Any) -> str:
    made = pki.issue(
        name, subject_key="platform-ca", issuer=pki.ROOT_NAME, issuer_key=issuer_key, ca_path_length=0, **dates
    )
    return pki.pem_chain(made)


ROOT, CA, SIGNER, LEAF = (_certificates(name) for name in ("root", "platform-ca", "tcb-signing", "pck"))
OLD_CA = _platform_ca(not_after=dt.datetime(2021, 1, 1, tzinfo=dt.UTC))
FOREIGN_ROOT = pki.pem_chain(
    pki.issue(
        pki.ROOT_NAME, subject_key="foreign root", issuer=pki.ROOT_NAME, issuer_key="foreign root", ca_path_length=1
    )
)
# which chain, its PEM text, whether it holds
CHAINS: dict[str, tuple[str, str]] = {
    "signer-reversed": ("tcb_info_issuer_chain", ROOT + SIGNER),
    "signer-and-more": ("tcb_info_issuer_chain", SIGNER + ROOT + CA),
    "signer-twice": ("qe_identity_issuer_chain", SIGNER + SIGNER + ROOT),
    "signer-alone": ("tcb_info_issuer_chain", SIGNER),
    "qe-signer-alone": ("qe_identity_issuer_chain", SIGNER),
    "signer-other-root": ("tcb_info_issuer_chain", SIGNER + FOREIGN_ROOT),
    "crl-issuer-alone": ("pck_crl_issuer_chain", CA),
    "crl-issuer-reversed": ("pck_crl_issuer_chain", ROOT + CA),
    "crl-issuer-and-more": ("pck_crl_issuer_chain", CA + SIGNER + ROOT),
    "crl-issuer-forged": ("pck_crl_issuer_chain", _platform_ca("foreign root") + ROOT),
    "crl-issuer-expired": ("pck_crl_issuer_chain", OLD_CA + ROOT),
    "crl-issuer-of-others": ("pck_crl_issuer_chain", _platform_ca(name="Intel SGX PCK Processor CA") + ROOT),
    "crl-issuer-a-signer": ("pck_crl_issuer_chain", SIGNER + ROOT),
}
QUOTE_CHAINS = {
    "and-more": LEAF + CA + SIGNER + ROOT,
    "ca-twice": LEAF + CA + CA + ROOT,
    "reversed": LEAF + ROOT + CA,
    "expired-ca-first": LEAF + OLD_CA + CA + ROOT,
    "other-root": LEAF + CA + FOREIGN_ROOT,
}


def document_cases() -> None:
    for name, change in MEMBERS.items():
        asked(f"document-{name}", "Signed, but not as Intel specifies it", False, changed(change))
    for name, change in HARMLESS.items():
        asked(f"document-{name}", "Signed, and as Intel specifies it", True, changed(change))
    for name, (holds, change) in CRLS.items():
        asked(f"collateral-{name}", "A CRL's date or number", holds, changed(change))
    good = signed(plan(NOW))
    for name, (member, pem) in CHAINS.items():
        about = f"The {member} is not exactly its issuer's certificate and the root"
        asked(f"chain-{name}", about, False, good | {member: pem})
    for name, pem in QUOTE_CHAINS.items():
        quote = assemble(QuotePlan(chain=lambda pem=pem: pem))  # type: ignore[misc]
        about = "The quote's chain is not exactly the PCK certificate, its CA and the root"
        asked(f"chain-quote-{name}", about, False, good, quote)


def collateral_cases() -> None:
    """The object around the documents."""
    good: dict[str, Any] = dict(signed(plan(NOW)))
    member = "pck_certificate_chain"
    windows = default_chain().removesuffix("\0").replace("\n", "\r\n")
    asked("collateral-pck-chain", "With the quote's own PCK chain", True, good | {member: default_chain()})
    asked("collateral-pck-chain-crlf", "The same certificates, other line ends", True, good | {member: windows})
    for name, value in (
        ("rootless", LEAF + CA),
        ("other", CA + ROOT),
        ("null", None),
        ("empty", ""),
        ("text", "x"),
    ):
        asked(f"collateral-pck-chain-{name}", "A PCK chain that is not the quote's", False, good | {member: value})
    asked("collateral-upper-case", "Hexadecimal in upper case", True, good | {"pck_crl": good["pck_crl"].upper()})
    longer = good["tcb_info_signature"] + "00"
    asked("collateral-signature-size", "A signature of 65 bytes", False, good | {"tcb_info_signature": longer})
    asked("collateral-surprise", "A member that nobody knows", False, good | {"surprise": ""})
    asked("collateral-no-chain", "A member is missing", False, {k: v for k, v in good.items() if k != "tcb_info"})
