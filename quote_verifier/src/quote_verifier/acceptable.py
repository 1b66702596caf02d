"""Acceptable? The quote's security versions, attributes and platform measurements against the relying party's policy.

Says nothing about genuineness: call only with claims whose signature was proven. Every mismatch names the field, its
actual and its expected value.
"""

from collections.abc import Sequence
from typing import Any

from .boot_events import Explaining
from .genuine import Genuine
from .policy import NO_SERVICE_TD, PLATFORM_SIZES, Policy
from .quote import Quote
from .references import Platform, References
from .site import NEWER
from .tcb import Tcb
from .verdict import Check

# TD attributes, Intel TDX module ABI specification, table 3.23: bit -> what it opens
_TD_UNDER_DEBUG = 0xFF
_RESERVED = 0x3FFF_FFFF_0780_FF00  # bits 8-15, 23-26, 32-61
_SERVTD_EXT, _SEPT_VE_DISABLE, _MIGRATABLE = 17, 28, 29


def check_tcb(genuine: Genuine, quote: Quote, policy: Policy) -> Check:
    """`quote.tcb`: status, advisories and minimums."""
    if genuine.tcb is None:
        return Check("quote.tcb", "fail", f"{genuine.missing}; nothing accepts that, the platform must be updated")
    if genuine.tcb.status == "Revoked":
        return Check(
            "quote.tcb", "fail", "TCB status is Revoked, expected UpToDate: the platform's keys are not to be trusted"
        )
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


def service_td(quote: Quote) -> str:
    """The quote's MR_SERVICE_TD in hexadecimal; zeros where none is bound, or a TD 1.0 can have none."""
    return quote.hex("mr_service_td") if "mr_service_td" in quote.body else NO_SERVICE_TD


def _attribute_faults(attributes: int, policy: Policy) -> str | None:
    faults = (
        (attributes & _TD_UNDER_DEBUG, "the TD is under debug: the host can read its memory"),
        (
            attributes >> _MIGRATABLE & 1 and not policy.allow_migration,
            "the TD can be migrated to another platform; the policy's allow_migration would accept it",
        ),
        (attributes >> _SERVTD_EXT & 1, "the TD has extended service TDs"),
        (not attributes >> _SEPT_VE_DISABLE & 1, "SEPT_VE_DISABLE is not set: the host can inject exceptions"),
        (attributes & _RESERVED, "reserved bits are set"),
    )
    return next((sentence for fault, sentence in faults if fault), None)


def check_debug(quote: Quote, references: References, policy: Policy) -> Check:
    """`quote.debug`: what lets anybody outside look into the TD or move it elsewhere: its attributes, a service TD."""
    attributes = int.from_bytes(quote.body["td_attributes"], "little")
    shown, bound = quote.hex("td_attributes"), service_td(quote)
    fault = _attribute_faults(attributes, policy)
    if fault:
        return Check("quote.debug", "fail", f"{fault} (td_attributes {shown})")
    named = bound == NO_SERVICE_TD or any(item.values.get("mr_service_td") == bound for item in references.platforms)
    if not named and bound not in policy.mr_service_td:
        return Check(
            "quote.debug",
            "fail",
            f"a service TD is bound to it: another TD, of the cloud's choosing, which may reach into this one. "
            f"mr_service_td is {bound}, expected none; whoever trusts it names it in the policy "
            f"(platform.mr_service_td) or in the reference values",
        )
    if not named:
        return Check("quote.debug", "warn", f"the policy accepts service TD {bound}, which may reach into the TD")
    if attributes >> _MIGRATABLE & 1:
        return Check("quote.debug", "warn", f"the policy accepts that the TD can be migrated (td_attributes {shown})")
    also = "" if bound == NO_SERVICE_TD else f"; service TD {bound} is in the reference values"
    return Check("quote.debug", "pass", f"td_attributes {shown}: not debuggable, not migratable{also}")


def _differences(quote: Quote, platform: Platform, policy: Policy) -> list[tuple[str, str, str]]:
    """Field, actual and expected value of what differs. A platform that names no service TD expects none, but for one
    that the policy accepts."""
    actual = {field: quote.hex(field) for field in PLATFORM_SIZES} | {"mr_service_td": service_td(quote)}
    expected = {"mr_service_td": NO_SERVICE_TD} | platform.values
    if "mr_service_td" not in platform.values and actual["mr_service_td"] in policy.mr_service_td:
        del expected["mr_service_td"]
    return [(field, actual[field], value) for field, value in expected.items() if actual[field] != value]


def _programs(established: str, equal: Sequence[Platform], policy: Policy) -> Check:
    """What measured the programs that measure the rest: a root file system that the kernel's command line covers, or
    nobody but whoever administers the machine."""
    verity = [platform for platform in equal if platform.verity]
    newer = next((name for platform in verity or equal for name in platform.newer), None)
    if newer is not None:
        sentence = NEWER.replace("this server says", "the reference values say").format(f"platform {newer[:40]}")
        return Check("platform.match", "warn", f"{established}, but {sentence}")
    if verity:
        return Check("platform.match", "pass", f"{established}, and they cover every program")
    if policy.trust_administrator:
        return Check("platform.match", "pass", f"{established}; you trust whoever administers its machine")
    doubt = "but whoever administers its machine could have changed the programs, and nothing would show it"
    return Check("platform.match", "warn", f"{established}, {doubt}")


def check_platform(quote: Quote, references: References, policy: Policy, boot_log: Any = None) -> Check:
    """`platform.match`: firmware, kernel and module measurements against reference values and the policy's lists.

    `boot_log`, the evidence's member of that name, decides nothing: it says what differs in a register.
    """
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
        return _programs("All platform measurements are in the policy's lists", (), policy)
    differences = [(_differences(quote, platform, policy), platform) for platform in references.platforms]
    equal = [platform for found, platform in differences if not found]
    if equal:
        return _programs("Firmware, kernel and TDX module equal the reference values", equal, policy)
    closest, platform = min(differences, key=lambda one: len(one[0]))
    explaining = Explaining(boot_log if platform.events else None)
    return Check("platform.match", "fail", "; ".join(explaining.of(*one, platform.events) for one in closest))
