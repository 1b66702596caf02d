"""Quotes that are wrong in exactly one way, by name. Each says what a verifier must make of it."""

import dataclasses
import struct
from collections.abc import Callable, Mapping

from .. import pki, profile
from ..plans.quote import BODY_TD10, HEADER_SIZE, QE_REPORT_SIZE, Plan
from . import BOTH, Faults, chain, name_of, summary_of

FAULTS: Faults[Plan] = Faults("quote")
FAULTS.update(chain.FAULTS)
Edit = Callable[[bytearray, int], None]


def apply(name: str, plan: Plan) -> None:
    """Change the plan; ValueError if there is no such fault or not for this quote version."""
    found = FAULTS.find(name)
    if plan.version not in found.versions:
        raise ValueError(f"the fault {name!r} needs a quote of version {found.versions[0]}")
    found.apply(plan)


def simple(
    name: str,
    summary: str,
    verdict: str = "refuse",
    versions: tuple[int, ...] = BOTH,
    *,
    td: Mapping[str, bytes] | None = None,
    **values: object,
) -> None:
    """A fault that only replaces fields of the plan, and of its TD body (`td`)."""

    def change(plan: Plan) -> None:
        plan.body = dataclasses.replace(plan.body, **(td or {}))  # type: ignore[arg-type]
        for key, value in values.items():
            setattr(plan, key, value)

    FAULTS.add(name, summary, change, verdict, versions)


def edit(verdict: str = "refuse") -> Callable[[Edit], Edit]:
    """A fault that changes bytes after signing; the function gets the quote and where its signed part ends."""

    def register(function: Edit) -> Edit:
        def change(plan: Plan) -> None:
            plan.edits.append(lambda quote: function(quote, plan.signed_size))

        FAULTS.add(name_of(function), summary_of(function), change, verdict)
        return function

    return register


# --- format ------------------------------------------------------------------------------------------------------
simple("bad-version", "the header says version 6", version=6)
simple("wrong-tee-type", "the header says SGX (TEE type 0)", tee_type=0)
simple("wrong-key-type", "the header says ECDSA P-384 (key type 3)", key_type=3)
simple("wrong-qe-vendor", "the QE vendor is not Intel", vendor_id=b"not Intel's id!!")
simple("td10-in-v5", "a TD 1.0 body in a version 5 quote, which is legal", "harmless", (5,), body_type=BODY_TD10)
simple("body-type", "the descriptor says TD 1.0 over a TD 1.5 body", versions=(5,), declared_body_type=BODY_TD10)
simple("body-size", "the descriptor says 584 bytes over a TD 1.5 body", versions=(5,), declared_body_size=584)
simple(
    "outer-certification-type",
    "the outer certification data says type 5; verifiers do not look",
    "harmless",
    outer_type=5,
)
simple("inner-certification-type", "the inner certification data says type 4, encrypted PPID", inner_type=4)


@edit()
def truncated(quote: bytearray, signed: int) -> None:
    """The last quarter is missing."""
    del quote[len(quote) * 3 // 4 :]


@edit()
def truncated_header(quote: bytearray, signed: int) -> None:
    """Only 40 bytes are left."""
    del quote[40:]


@edit("harmless")
def trailing_bytes(quote: bytearray, signed: int) -> None:
    """16 bytes follow the quote."""
    quote += b"\xa5" * 16


@edit()
def signature_size(quote: bytearray, signed: int) -> None:
    """The signature section's size says one byte more than there is."""
    struct.pack_into("<I", quote, signed, len(quote) - signed - 4 + 1)


# --- signatures --------------------------------------------------------------------------------------------------
@edit()
def corrupt_header(quote: bytearray, signed: int) -> None:
    """One bit of the header's user data is flipped."""
    quote[HEADER_SIZE - 1] ^= 1


@edit()
def corrupt_body(quote: bytearray, signed: int) -> None:
    """One bit of the body's last field is flipped."""
    quote[signed - 1] ^= 1


@edit()
def corrupt_signature(quote: bytearray, signed: int) -> None:
    """One bit of the quote's signature is flipped."""
    quote[signed + 4] ^= 1


@edit()
def corrupt_attestation_key(quote: bytearray, signed: int) -> None:
    """One bit of the attestation key is flipped."""
    quote[signed + 4 + 64] ^= 1


@edit()
def corrupt_qe_report(quote: bytearray, signed: int) -> None:
    """One bit of the QE report's MRENCLAVE is flipped."""
    quote[signed + 4 + 128 + 6 + 64] ^= 1


@edit()
def corrupt_qe_signature(quote: bytearray, signed: int) -> None:
    """One bit of the QE report's signature is flipped."""
    quote[signed + 4 + 128 + 6 + QE_REPORT_SIZE] ^= 1


@edit("harmless")
def high_s(quote: bytearray, signed: int) -> None:
    """S is replaced by n - s, which every ECDSA verifier accepts."""
    start = signed + 4 + 32
    s = int.from_bytes(quote[start : start + 32])
    quote[start : start + 32] = (pki.ORDER - s).to_bytes(32)


simple(
    "wrong-attestation-key", "signed by a key other than the one the QE vouches for", signer="another attestation key"
)
simple("qe-report-data", "the QE report binds no attestation key", qe_report_data=bytes(64))
simple("qe-report-signer", "the QE report is signed by a key other than the PCK's", qe_report_signer="another PCK")
simple("qe-auth-data-size", "the QE authentication data has 33 bytes", qe_auth_data=bytes(range(33)))


# --- the quoting enclave -----------------------------------------------------------------------------------------
simple("wrong-qe-identity", "the QE's product id is not the TD QE's", qe_isv_prod_id=1)
simple("wrong-qe-signer", "the QE's MRSIGNER is not the TD QE's", qe_mr_signer=bytes(32))
simple(
    "qe-debug",
    "the QE is a debug enclave",
    qe_attributes=bytes([profile.QE_ATTRIBUTES[0] | 2]) + profile.QE_ATTRIBUTES[1:],
)
simple("qe-out-of-date", "the QE's SVN matches only an out-of-date level", "OutOfDate", qe_isv_svn=4)
simple("qe-below-levels", "the QE's SVN is below every level", qe_isv_svn=1)


# --- the TD and its module ---------------------------------------------------------------------------------------
def _attributes(bits: int) -> bytes:
    return (int.from_bytes(profile.SEPT_VE_DISABLE, "little") | bits).to_bytes(8, "little")


def _svn(**at: int) -> bytes:
    svn = bytearray(profile.TEE_TCB_SVN)
    for index, value in at.items():
        svn[int(index.removeprefix("i"))] = value
    return bytes(svn)


simple("debug", "a debuggable TD (attribute bit 0)", td={"td_attributes": _attributes(1)})
simple("profiled", "a TD under profiling (attribute bit 4)", td={"td_attributes": _attributes(1 << 4)})
simple("reserved-attribute", "a reserved attribute bit (32) is set", td={"td_attributes": _attributes(1 << 32)})
simple("migratable", "a migratable TD (attribute bit 29)", td={"td_attributes": _attributes(1 << 29)})
simple("sept-ve", "SEPT_VE_DISABLE is not set", td={"td_attributes": bytes(8)})
simple("wrong-seam-signer", "the TDX module's signer is not Intel", td={"mr_signer_seam": b"\x01" * 48})
simple("seam-attributes", "the TDX module has attributes (debug bit)", td={"seam_attributes": b"\x01" + bytes(7)})
simple("unknown-module", "a TDX module version that TCB info does not list", td={"tee_tcb_svn": _svn(i1=9)})
simple(
    "module-out-of-date",
    "a TDX module of an out-of-date level",
    "OutOfDate",
    td={"tee_tcb_svn": _svn(i0=4), "tee_tcb_svn2": _svn(i0=4)},
)
simple("module-below-levels", "a TDX module SVN below every level", td={"tee_tcb_svn": _svn(i0=1)})
simple(
    "out-of-date",
    "TDX microcode that matches only an out-of-date level",
    "OutOfDate",
    td={"tee_tcb_svn": _svn(i2=2), "tee_tcb_svn2": _svn(i2=2)},
)
simple(
    "relaunch-advised",
    "launched out of date, up to date now (TD 1.5)",
    "TDRelaunchAdvised",
    (5,),
    td={"tee_tcb_svn": _svn(i2=2)},
)
simple("tcb-below-levels", "TDX microcode below every level", td={"tee_tcb_svn": _svn(i2=0)})
simple(
    "wrong-tee-tcb-svn2", "the current TCB matches no level (TD 1.5)", versions=(5,), td={"tee_tcb_svn2": _svn(i2=0)}
)
simple("service-td", "a TD bound to a service TD (TD 1.5)", versions=(5,), td={"mr_service_td": b"\x01" * 48})
