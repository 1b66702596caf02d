"""Acceptable? The quote's security versions, attributes and platform measurements against the relying party's policy.

Says nothing about genuineness: call only with claims whose signature was proven. Every mismatch names the field, its
actual and its expected value.
"""

from .genuine import REVOKED, Genuine, Tcb
from .policy import PLATFORM_SIZES, Policy
from .quote import Quote
from .references import References
from .verdict import Check

# TD attributes, Intel TDX module ABI specification, table 3.23: bit -> what it opens
_TD_UNDER_DEBUG = 0xFF
_RESERVED = 0x3FFF_FFFF_0780_FF00  # bits 8-15, 23-26, 32-61
_SERVTD_EXT, _SEPT_VE_DISABLE, _MIGRATABLE = 17, 28, 29


def check_tcb(genuine: Genuine, quote: Quote, policy: Policy) -> Check:
    """`quote.tcb`: status, advisories and minimums."""
    if genuine.refusal == REVOKED:
        return Check(
            "quote.tcb", "fail", "TCB status is Revoked, expected UpToDate: the platform's keys are not to be trusted"
        )
    if genuine.tcb is None:
        return Check("quote.tcb", "fail", f"Not asked: no TCB status is given for such a TD ({genuine.refusal}).")
    fault = _tcb_fault(genuine.tcb, quote, policy)
    if fault:
        return Check("quote.tcb", "fail", fault)
    statuses = [status for status in (genuine.tcb.status, genuine.tcb.qe_status) if status != "UpToDate"]
    if statuses:
        return Check(
            "quote.tcb",
            "warn",
            f"TCB status is {statuses[0]}, accepted by the policy{_listing(genuine.tcb.advisories)}",
        )
    unknown = [name for name in genuine.tcb.advisories if name not in policy.accepted_advisories]
    if unknown:
        return Check("quote.tcb", "warn", f"TCB status is UpToDate, with advisories{_listing(tuple(unknown))}")
    return Check("quote.tcb", "pass", f"UpToDate (TCB evaluation data number {genuine.tcb.evaluation_data_number})")


def _listing(advisories: tuple[str, ...]) -> str:
    return f": {', '.join(advisories[:16])}" if advisories else ""


def _tcb_fault(tcb: Tcb, quote: Quote, policy: Policy) -> str | None:
    for what, status in (("TCB status", tcb.status), ("TCB status of the QE", tcb.qe_status)):
        if status != "UpToDate" and status not in policy.accepted_statuses:
            expected = " or ".join(("UpToDate", *policy.accepted_statuses))
            return f"{what} is {status}, expected {expected}{_listing(tcb.advisories)}"
    refused = [name for name in tcb.advisories if name in policy.refused_advisories]
    if refused:
        return f"advisory {refused[0]} applies, and the policy refuses it"
    return _minimum_fault(tcb, quote, policy) or _flag_fault(tcb, policy)


def _minimum_fault(tcb: Tcb, quote: Quote, policy: Policy) -> str | None:
    minimums = (
        ("TCB evaluation data number", tcb.evaluation_data_number, policy.min_tcb_evaluation_data_number),
        ("PCE SVN", tcb.pce_svn, policy.min_pce_svn),
        ("QE ISV SVN", tcb.qe_isv_svn, policy.min_qe_isv_svn),
    )
    for name, actual, least in minimums:
        if actual < least:
            return f"{name} is {actual}, expected at least {least}"
    for field in ("tee_tcb_svn", "tee_tcb_svn2"):
        actual_svn = quote.body.get(field, policy.min_tee_tcb_svn)
        if any(have < need for have, need in zip(actual_svn, policy.min_tee_tcb_svn, strict=True)):
            return f"{field} is {actual_svn.hex()}, expected at least {policy.min_tee_tcb_svn.hex()} in each byte"
    return None


def _flag_fault(tcb: Tcb, policy: Policy) -> str | None:
    allowed = {
        "dynamic_platform": policy.allow_dynamic_platform,
        "cached_keys": policy.allow_cached_keys,
        "smt_enabled": policy.allow_smt,
    }
    for name, allow in allowed.items():
        if not allow and tcb.flags[name] is not False:
            stated = {True: "true", None: "not stated"}[tcb.flags[name]]
            return f"the PCK certificate's {name} is {stated}, expected false"
    return None


def check_debug(quote: Quote) -> Check:
    """`quote.debug`: TD attributes that let anybody outside look in or move the TD elsewhere."""
    attributes = int.from_bytes(quote.body["td_attributes"], "little")
    shown = quote.hex("td_attributes")
    faults = (
        (attributes & _TD_UNDER_DEBUG, "the TD is under debug: the host can read its memory"),
        (attributes >> _MIGRATABLE & 1, "the TD can be migrated to another platform"),
        (attributes >> _SERVTD_EXT & 1, "the TD has extended service TDs"),
        (not attributes >> _SEPT_VE_DISABLE & 1, "SEPT_VE_DISABLE is not set: the host can inject exceptions"),
        (attributes & _RESERVED, "reserved bits are set"),
        (any(quote.body.get("mr_service_td", b"")), "a service TD is bound to it"),
    )
    for fault, sentence in faults:
        if fault:
            return Check("quote.debug", "fail", f"{sentence} (td_attributes {shown})")
    return Check("quote.debug", "pass", f"td_attributes {shown}: not debuggable, not migratable")


def check_platform(quote: Quote, references: References, policy: Policy) -> Check:
    """`platform.match`: firmware, kernel and module measurements against reference values and the policy's lists."""
    for field, allowed in policy.platform.items():
        if quote.hex(field) not in allowed:
            return Check(
                "platform.match", "fail", f"{field} is {quote.hex(field)}, the policy expects {' or '.join(allowed)}"
            )
    if not references.platforms and set(policy.platform) != set(PLATFORM_SIZES):
        return Check(
            "platform.match", "warn", f"No reference values for a platform are held; mr_td is {quote.hex('mr_td')}"
        )
    if not references.platforms:
        return Check("platform.match", "pass", "All platform measurements are in the policy's lists")
    differences = [
        [(field, expected) for field, expected in platform.items() if quote.hex(field) != expected]
        for platform in references.platforms
    ]
    closest = min(differences, key=len)
    if not closest:
        return Check("platform.match", "pass", "Firmware, kernel and TDX module equal the reference values")
    sentences = "; ".join(f"{field} is {quote.hex(field)}, expected {expected}" for field, expected in closest)
    return Check("platform.match", "fail", sentences)
