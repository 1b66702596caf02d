"""Quotes that are wrong in exactly one way, by name. Each says what a verifier must make of it."""

import dataclasses
import datetime as dt
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from cryptography import x509

from . import pki, profile
from .quotes import BODY_TD10, HEADER_SIZE, QE_REPORT_SIZE, Plan, default_chain
from .sgx_extension import sgx_extension

Apply = Callable[[Plan], None]


@dataclass(frozen=True)
class Fault:
    """`verdict`: "refuse", "harmless" (accepted, every claim unchanged), or the TCB status that must be reported."""

    name: str
    summary: str
    verdict: str
    apply: Apply
    versions: tuple[int, ...] = (4, 5)


FAULTS: dict[str, Fault] = {}


def fault(
    name: str, summary: str, verdict: str = "refuse", versions: tuple[int, ...] = (4, 5)
) -> Callable[[Apply], Apply]:
    """Register a change of the plan as the fault of that name."""

    def register(function: Apply) -> Apply:
        FAULTS[name] = Fault(name, summary, verdict, function, versions)
        return function

    return register


def apply(name: str, plan: Plan) -> None:
    """Change the plan; ValueError if there is no such fault or not for this quote version."""
    if name not in FAULTS:
        raise ValueError(f"no quote fault is called {name!r}; known: {', '.join(sorted(FAULTS))}")
    found = FAULTS[name]
    if plan.version not in found.versions:
        raise ValueError(f"the fault {name!r} needs a quote of version {found.versions[0]}")
    found.apply(plan)


def simple(
    name: str, summary: str, verdict: str = "refuse", versions: tuple[int, ...] = (4, 5), **values: object
) -> None:
    """A fault that only replaces fields of the plan (`body_...`: fields of its TD body)."""

    def change(plan: Plan) -> None:
        body = {key.removeprefix("body_"): value for key, value in values.items() if key.startswith("body_")}
        body.pop("type", None)
        plan.body = dataclasses.replace(plan.body, **body)  # type: ignore[arg-type]
        for key, value in values.items():
            if not key.startswith("body_"):
                setattr(plan, key, value)

    fault(name, summary, verdict, versions)(change)


def edit(name: str, summary: str, verdict: str = "refuse") -> Callable[[Callable[[bytearray, int], None]], None]:
    """A fault that changes bytes after signing; the function gets the quote and where its signed part ends."""

    def register(function: Callable[[bytearray, int], None]) -> None:
        def change(plan: Plan) -> None:
            plan.edits.append(lambda quote: function(quote, plan.signed_size))

        fault(name, summary, verdict)(change)

    return register


# --- format ------------------------------------------------------------------------------------------------------
simple("bad-version", "the header says version 6", version=6)
simple("wrong-tee-type", "the header says SGX (TEE type 0)", tee_type=0)
simple("wrong-key-type", "the header says ECDSA P-384 (key type 3)", key_type=3)
simple("wrong-qe-vendor", "the QE vendor is not Intel", vendor_id=b"not Intel's id!!")
simple("body-type", "the descriptor says TD 1.0 over a TD 1.5 body", versions=(5,), declared_body_type=BODY_TD10)
simple("body-size", "the descriptor says 584 bytes over a TD 1.5 body", versions=(5,), declared_body_size=584)
simple(
    "outer-certification-type",
    "the outer certification data says type 5; verifiers do not look",
    "harmless",
    outer_type=5,
)
simple("inner-certification-type", "the inner certification data says type 4, encrypted PPID", inner_type=4)


@edit("truncated", "the last quarter is missing")
def _(quote: bytearray, signed: int) -> None:
    del quote[len(quote) * 3 // 4 :]


@edit("truncated-header", "only 40 bytes are left")
def _(quote: bytearray, signed: int) -> None:
    del quote[40:]


@edit("trailing-bytes", "16 bytes follow the quote", "harmless")
def _(quote: bytearray, signed: int) -> None:
    quote += b"\xa5" * 16


@edit("signature-size", "the signature section's size says one byte more than there is")
def _(quote: bytearray, signed: int) -> None:
    struct.pack_into("<I", quote, signed, len(quote) - signed - 4 + 1)


# --- signatures --------------------------------------------------------------------------------------------------
@edit("corrupt-header", "one bit of the header's user data is flipped")
def _(quote: bytearray, signed: int) -> None:
    quote[HEADER_SIZE - 1] ^= 1


@edit("corrupt-body", "one bit of the body's last field is flipped")
def _(quote: bytearray, signed: int) -> None:
    quote[signed - 1] ^= 1


@edit("corrupt-signature", "one bit of the quote's signature is flipped")
def _(quote: bytearray, signed: int) -> None:
    quote[signed + 4] ^= 1


@edit("corrupt-attestation-key", "one bit of the attestation key is flipped")
def _(quote: bytearray, signed: int) -> None:
    quote[signed + 4 + 64] ^= 1


@edit("corrupt-qe-report", "one bit of the QE report's MRENCLAVE is flipped")
def _(quote: bytearray, signed: int) -> None:
    quote[signed + 4 + 128 + 6 + 64] ^= 1


@edit("corrupt-qe-signature", "one bit of the QE report's signature is flipped")
def _(quote: bytearray, signed: int) -> None:
    quote[signed + 4 + 128 + 6 + QE_REPORT_SIZE] ^= 1


@edit("high-s", "s is replaced by n - s, which every ECDSA verifier accepts", "harmless")
def _(quote: bytearray, signed: int) -> None:
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


simple("debug", "a debuggable TD (attribute bit 0)", body_td_attributes=_attributes(1))
simple("profiled", "a TD under profiling (attribute bit 4)", body_td_attributes=_attributes(1 << 4))
simple("reserved-attribute", "a reserved attribute bit (32) is set", body_td_attributes=_attributes(1 << 32))
simple("migratable", "a migratable TD (attribute bit 29)", body_td_attributes=_attributes(1 << 29))
simple("sept-ve", "SEPT_VE_DISABLE is not set", body_td_attributes=bytes(8))
simple("wrong-seam-signer", "the TDX module's signer is not Intel", body_mr_signer_seam=b"\x01" * 48)
simple("seam-attributes", "the TDX module has attributes (debug bit)", body_seam_attributes=b"\x01" + bytes(7))
simple("unknown-module", "a TDX module version that TCB info does not list", body_tee_tcb_svn=_svn(i1=9))
simple(
    "module-out-of-date",
    "a TDX module of an out-of-date level",
    "OutOfDate",
    body_tee_tcb_svn=_svn(i0=4),
    body_tee_tcb_svn2=_svn(i0=4),
)
simple("module-below-levels", "a TDX module SVN below every level", body_tee_tcb_svn=_svn(i0=1))
simple(
    "out-of-date",
    "TDX microcode that matches only an out-of-date level",
    "OutOfDate",
    body_tee_tcb_svn=_svn(i2=2),
    body_tee_tcb_svn2=_svn(i2=2),
)
simple(
    "relaunch-advised",
    "launched out of date, up to date now (TD 1.5)",
    "TDRelaunchAdvised",
    (5,),
    body_tee_tcb_svn=_svn(i2=2),
)
simple("tcb-below-levels", "TDX microcode below every level", body_tee_tcb_svn=_svn(i2=0))
simple("wrong-tee-tcb-svn2", "the current TCB matches no level (TD 1.5)", versions=(5,), body_tee_tcb_svn2=_svn(i2=0))
simple("service-td", "a TD bound to a service TD (TD 1.5)", versions=(5,), body_mr_service_td=b"\x01" * 48)


# --- certificates ------------------------------------------------------------------------------------------------
def _leaf(**changes: object) -> x509.Certificate:
    options: dict[str, object] = {
        "subject_key": "pck",
        "issuer": pki.PLATFORM_CA_NAME,
        "issuer_key": "platform-ca",
        "sgx": sgx_extension(),
    } | changes
    return pki.issue(pki.PCK_NAME, **options)  # type: ignore[arg-type]


def chain_fault(name: str, summary: str, verdict: str = "refuse") -> Callable[[Callable[[], str]], None]:
    """A fault that replaces the certificate chain."""

    def register(function: Callable[[], str]) -> None:
        cached = cache(function)
        fault(name, summary, verdict)(lambda plan: setattr(plan, "chain", cached))

    return register


def _main(*names: str) -> list[x509.Certificate]:
    return [pki.certificate(name) for name in names]


@chain_fault("other-fmspc", "the PCK is of another platform model")
def _() -> str:
    return pki.pem_chain(_leaf(sgx=sgx_extension(fmspc=profile.OTHER_FMSPC)), *_main("platform-ca", "root"))


@chain_fault("pck-out-of-date", "the PCK's PCESVN matches only an out-of-date level", "OutOfDate")
def _() -> str:
    return pki.pem_chain(_leaf(sgx=sgx_extension(pce_svn=7)), *_main("platform-ca", "root"))


@chain_fault("expired-pck", "the PCK certificate has expired")
def _() -> str:
    end = dt.datetime(2021, 1, 1, tzinfo=dt.UTC)
    return pki.pem_chain(_leaf(not_after=end), *_main("platform-ca", "root"))


@chain_fault("future-pck", "the PCK certificate is not valid yet")
def _() -> str:
    start = dt.datetime(2049, 1, 1, tzinfo=dt.UTC)
    return pki.pem_chain(_leaf(not_before=start), *_main("platform-ca", "root"))


@chain_fault("expired-ca", "the platform CA's certificate has expired")
def _() -> str:
    ca = pki.issue(
        pki.PLATFORM_CA_NAME,
        subject_key="platform-ca",
        issuer=pki.ROOT_NAME,
        issuer_key="root",
        ca_path_length=0,
        not_after=dt.datetime(2021, 1, 1, tzinfo=dt.UTC),
    )
    return pki.pem_chain(*_main("pck"), ca, *_main("root"))


@fault("pck-issued-by-pck", "the leaf was issued by a PCK leaf, which is no CA")
def _(plan: Plan) -> None:
    plan.qe_report_signer = "pck below a pck"
    plan.chain = _pck_below_pck


@cache
def _pck_below_pck() -> str:
    leaf = _leaf(subject_key="pck below a pck", issuer=pki.PCK_NAME, issuer_key="pck")
    return pki.pem_chain(leaf, *_main("pck", "platform-ca", "root"))


@chain_fault("issuer-name", "the leaf names an issuer other than the CA that signed it")
def _() -> str:
    return pki.pem_chain(_leaf(issuer="Intel SGX PCK Processor CA"), *_main("platform-ca", "root"))


@fault("foreign-root", "the whole chain lies under another root of the same name")
def _(plan: Plan) -> None:
    plan.chain = _foreign


@cache
def _foreign() -> str:
    root = pki.issue(
        pki.ROOT_NAME, subject_key="foreign root", issuer=pki.ROOT_NAME, issuer_key="foreign root", ca_path_length=1
    )
    ca = pki.issue(
        pki.PLATFORM_CA_NAME,
        subject_key="foreign platform-ca",
        issuer=pki.ROOT_NAME,
        issuer_key="foreign root",
        ca_path_length=0,
    )
    return pki.pem_chain(_leaf(issuer_key="foreign platform-ca"), ca, root)


@chain_fault("no-sgx-extension", "the leaf has no SGX extension")
def _() -> str:
    return pki.pem_chain(_leaf(sgx=None), *_main("platform-ca", "root"))


@chain_fault("no-intermediate", "the chain lacks the platform CA")
def _() -> str:
    return pki.pem_chain(*_main("pck", "root"))


@chain_fault("leaf-only", "the chain is the leaf alone")
def _() -> str:
    return pki.pem_chain(*_main("pck"))


@chain_fault("no-root", "the chain ends with the platform CA; the root is the verifier's own anyway", "harmless")
def _() -> str:
    return pki.pem_chain(*_main("pck", "platform-ca"))


@chain_fault("crlf", "the PEM has CR LF line ends", "harmless")
def _() -> str:
    return default_chain().replace("\n", "\r\n")


@chain_fault("garbage-chain", "the certificate data is no PEM")
def _() -> str:
    return "no certificate"


simple("td10-in-v5", "a TD 1.0 body in a version 5 quote, which is legal", "harmless", (5,), body_type=BODY_TD10)
