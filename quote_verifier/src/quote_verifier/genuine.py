"""Genuine? Whether Intel's chain of trust, or the simulator's published one, signs a quote as of a time.

Establishes: the quote's body was made by a quoting enclave that the collateral describes, on a platform whose PCK chain
ends at the named root, nothing on the way revoked or out of date. Does not establish that the body is acceptable, nor
who holds the TD: that is for the other checks. The cryptography is dcap-qvl's; this module picks the root, keeps roles
apart, and reads dcap-qvl's answers.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

import dcap_qvl  # type: ignore[import-untyped]
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from .collateral import Collateral, Seen
from .crls import crl_fault, crl_number
from .errors import Malformed, NotGenuine
from .quote import Quote
from .reasons import explain
from .roles import role_fault
from .tcb import BelowLevels, Tcb, judge_tcb

RootName = Literal["intel", "simulator"]
NOTHING_SEEN = Seen()
FOREIGN_CRL = "Failed to parse root CA CRL"
# Some of dcap-qvl's errors say "not acceptable", not "forged", and come after both certificate chains, both documents
# and the QE's report have been verified. Then our own judgement is asked: see `_judged`.
# (tests/quote_verifier/test_genuine.py holds this order: each of them together with something forged is refused.)
SERVICE_TD = "Invalid MR service TD"
MIGRATABLE = "TD migration is enabled"
ATTRIBUTE_REFUSALS = {
    "Debug mode is enabled",
    "TD profiling is enabled",
    "Reserved bits in TD attributes are set",
    MIGRATABLE,
    "SERVTD_EXT is enabled",
    "SEPT_VE_DISABLE is not enabled",
    SERVICE_TD,
}
_TCB_REFUSALS = re.compile(
    r"TCB status is invalid: Revoked|No matching TCB level found|TDX module TCB level check"
    r"|Failed to evaluate the current TDX TCB \(TEE_TCB_SVN2\)"
    r"|QE ISVSVN \d{1,5} is below minimum required \d{1,5} from QE Identity"
)
_FLAGS = {"True": True, "False": False, "Undefined": None}  # as dcap-qvl writes them into its JSON
# dcap-qvl's name of a body field -> ours, where they differ
_DCAP_NAMES = {"rt_mr0": "rtmr_0", "rt_mr1": "rtmr_1", "rt_mr2": "rtmr_2", "rt_mr3": "rtmr_3"}


@dataclass(frozen=True)
class Genuine:
    """The root that verified; the TCB, or in `missing` why there is none: below which levels it is; in `refusal` what
    dcap-qvl has against the TD's attributes; how new the collateral is, by its numbers and by the day (ISO 8601) that
    the older of TCB info and QE identity is of."""

    root: RootName
    tcb: Tcb | None
    missing: str
    refusal: str
    collateral: Seen
    issued: str


@lru_cache
def root_certificate(name: RootName) -> bytes:
    """A known root in DER: Intel SGX Root CA, or the simulator's published test root (whose key is public)."""
    return resources.files(__package__).joinpath("roots", f"{name}.der").read_bytes()


def _claims(quote: Quote, collateral_json: str, root: RootName, now: int) -> dict[str, Any]:
    verifier = dcap_qvl.QuoteVerifier(root_certificate(root))
    parsed = dcap_qvl.QuoteCollateralV3.from_json(collateral_json)
    policy = dcap_qvl.QuotePolicy.claims_only(now)
    claims: dict[str, Any] = json.loads(verifier.verify_with_policy(quote.raw, parsed, now, policy).to_json())
    return claims


def _try_root(quote: Quote, collateral_json: str, root: RootName, now: int) -> tuple[dict[str, Any] | None, str]:
    try:
        return _claims(quote, collateral_json, root, now), ""
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # dcap-qvl's own errors, and Rust panics, which are no Exception
        return None, str(error).removeprefix("Verification failed: ") or type(error).__name__


def _body_of(report: dict[str, Any]) -> dict[str, str]:
    """dcap-qvl's report, flattened to our field names."""
    (body,) = report.values()
    flat = {**body.get("base", {}), **{key: value for key, value in body.items() if key != "base"}}
    return {_DCAP_NAMES.get(key, key): value for key, value in flat.items()}


def _tcb(claims: dict[str, Any]) -> Tcb:
    pck, qe = claims["platform"]["pck"], claims["qe"]
    flags = {name: _FLAGS[pck[name]] for name in ("dynamic_platform", "cached_keys", "smt_enabled")}
    return Tcb(
        status=claims["tcb"]["status"],
        qe_status=qe["tcb_level"]["tcbStatus"],
        advisories=tuple(claims["tcb"]["advisory_ids"]),
        evaluation_data_number=claims["tcb"]["eval_data_number"],
        pce_svn=pck["pce_svn"],
        qe_isv_svn=qe["report"]["isv_svn"],
        flags=flags,
    )


def _age_of(collateral: Collateral) -> Seen:
    numbers = [document.get("tcbEvaluationDataNumber") for document in collateral.documents.values()]
    return Seen(
        tcb_evaluation_data_number=min(number if isinstance(number, int) else 0 for number in numbers),
        root_ca_crl_number=crl_number(collateral.members["root_ca_crl"]),
        pck_crl_number=crl_number(collateral.members["pck_crl"]),
    )


def verify_quote(
    quote: Quote, collateral: Collateral, now: int, seen: Seen | Mapping[RootName, Seen] = NOTHING_SEEN
) -> Genuine:
    """Verify as of `now` (Unix seconds), Intel's root first, then the simulator's.

    Raises `NotGenuine` if neither root signs the quote, if a certificate is used outside its role, or if the collateral
    is older than `seen` (one memory, or one for each root, so that simulated collateral cannot age Intel's).
    """
    text = collateral.for_dcap(quote.pck_chain)
    reasons: dict[RootName, str] = {}
    for root in ("intel", "simulator"):
        claims, reason = _try_root(quote, text, root, now)
        if claims is not None or reason in ATTRIBUTE_REFUSALS or _TCB_REFUSALS.fullmatch(reason):
            floor = seen if isinstance(seen, Seen) else seen.get(root, Seen())
            return _accept(quote, collateral, root, claims, reason, floor, now)
        reasons[root] = reason
    # the root's CRL tells under which root the collateral claims to be
    claimed: RootName = "simulator" if reasons["intel"] == FOREIGN_CRL != reasons["simulator"] else "intel"
    raise NotGenuine(f"neither Intel's chain of trust nor the simulator's signs it: {explain(reasons[claimed])}")


def _signature_holds(quote: Quote) -> bool:
    """Whether the attestation key signed header and body. dcap-qvl stops at a QE below all levels before it looks."""
    r, s = (int.from_bytes(half, "big") for half in (quote.signature[:32], quote.signature[32:]))
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + quote.attestation_key)
        key.verify(encode_dss_signature(r, s), quote.raw[: quote.signed_size], ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def _body_again(quote: Quote) -> dict[str, str]:
    """The body as dcap-qvl's parser reads it."""
    report = dcap_qvl.parse_quote(quote.raw).report
    ours = {name: dcap for dcap, name in _DCAP_NAMES.items()}
    return {name: getattr(report, ours.get(name, name)).hex() for name in quote.body}


def _judged(quote: Quote, collateral: Collateral, claims: dict[str, Any] | None) -> Tcb:
    """The TCB, where both judgements agree or dcap-qvl gave none. Raises as `judge_tcb` does."""
    body = _body_again(quote) if claims is None else _body_of(claims["report"])
    if body != {name: value.hex() for name, value in quote.body.items()}:
        raise NotGenuine("two parsers read the quote differently")
    if claims is None and not _signature_holds(quote):
        raise NotGenuine("the quote's signature is wrong")
    tcb = judge_tcb(quote, collateral)
    if claims is not None and tcb != _tcb(claims):
        raise NotGenuine(f"dcap-qvl and this verifier judge the TCB differently: {_tcb(claims)} and {tcb}")
    return tcb


def _accept(
    quote: Quote,
    collateral: Collateral,
    root: RootName,
    claims: dict[str, Any] | None,
    reason: str,
    seen: Seen,
    now: int,
) -> Genuine:
    root_der = root_certificate(root)
    fault = role_fault(quote, collateral, root_der, now) or collateral.fault(quote.pck_chain)
    try:
        fault = fault or crl_fault(collateral, root_der, now)
        age = _age_of(collateral)
    except Malformed as error:
        fault, age = str(error), seen
    fault = fault or seen.refusal(age)
    if fault:
        raise NotGenuine(fault)
    refusal = reason if reason in ATTRIBUTE_REFUSALS else ""
    issued = min(str(document["issueDate"]) for document in collateral.documents.values())[: len("2025-07-01")]
    try:
        return Genuine(root, _judged(quote, collateral, claims), "", refusal, age, issued)
    except BelowLevels as error:
        if claims is not None:
            raise NotGenuine(f"dcap-qvl and this verifier judge the TCB differently: {error}") from None
        return Genuine(root, None, str(error), refusal, age, issued)
