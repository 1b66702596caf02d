"""The plan of a TDX quote and its bytes (layout: Intel TDX DCAP Quoting Library API, appendix A).

offset        size    field (integers little-endian)
0             48      header: version u16, attestation key type u16, TEE type u32, 4 reserved, QE vendor id 16,
                      user data 20
48            584     version 4: the TD 1.0 body
48            6 + n   version 5: body type u16 (2 = TD 1.0, 3 = TD 1.5), size u32, the body (584 or 648)
signed ends   4       size of what follows
              64      ECDSA signature by the attestation key over everything before the size, r || s
              64      the attestation key, x || y
              6 + m   certification data: type u16 = 6, size u32, then the QE report (384), its signature by the PCK
                      (64), auth data (u16 size and bytes), and within: type u16 = 5, size u32, PEM chain, leaf first
"""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from .. import pki, profile
from ..profile import TdBody

HEADER_SIZE = 48
SIGNATURE_SIZE = 64
QE_REPORT_SIZE = 384
TDX_TEE_TYPE = 0x81
ECDSA_P256 = 2
BODY_TD10, BODY_TD15 = 2, 3


@cache
def default_chain() -> str:
    """PCK leaf, platform CA, root; the trailing zero byte is what genuine quotes carry."""
    return pki.pem_chain(*(pki.certificate(name) for name in ("pck", "platform-ca", "root"))) + "\0"


@dataclass
class Plan:
    """Everything that decides a quote's bytes. A fault changes some of it before the quote is made."""

    version: int = 4
    body: TdBody = profile.TD
    body_type: int = BODY_TD10
    declared_body_type: int | None = None  # version 5, where it lies about the body
    declared_body_size: int | None = None
    key_type: int = ECDSA_P256
    tee_type: int = TDX_TEE_TYPE
    vendor_id: bytes = profile.QE_VENDOR_ID
    signer: str = "attestation"
    qe_attributes: bytes = profile.QE_ATTRIBUTES
    qe_mr_signer: bytes = profile.QE_MR_SIGNER
    qe_isv_prod_id: int = profile.QE_ISV_PROD_ID
    qe_isv_svn: int = profile.QE_ISV_SVN
    qe_auth_data: bytes = profile.QE_AUTH_DATA
    qe_report_data: bytes | None = None  # None: what binds the attestation key
    qe_report_signer: str = "pck"
    chain: Callable[[], str] = default_chain
    outer_type: int = 6
    inner_type: int = 5
    edits: list[Callable[[bytearray], None]] = field(default_factory=list)  # after signing

    @property
    def signed_size(self) -> int:
        """How many bytes the quote's signature covers."""
        return len(signed_part(self))


def signed_part(plan: Plan) -> bytes:
    """Header and body, with the body descriptor between them in version 5."""
    header = struct.pack("<HHI4x", plan.version, plan.key_type, plan.tee_type) + plan.vendor_id + profile.QE_USER_DATA
    body = plan.body.td15() if plan.body_type == BODY_TD15 else plan.body.td10()
    if plan.version < 5:
        return header + body
    declared_type = plan.body_type if plan.declared_body_type is None else plan.declared_body_type
    size = len(body) if plan.declared_body_size is None else plan.declared_body_size
    return header + struct.pack("<HI", declared_type, size) + body


def qe_report(plan: Plan) -> bytes:
    """The quoting enclave's 384-byte SGX report."""
    bound = hashlib.sha256(pki.public_bytes("attestation") + plan.qe_auth_data).digest() + bytes(32)
    report = b"".join(
        (
            profile.CPU_SVN,
            bytes(4),  # MISCSELECT
            bytes(28),
            plan.qe_attributes,
            profile.QE_MR_ENCLAVE,
            bytes(32),
            plan.qe_mr_signer,
            bytes(96),
            struct.pack("<HH", plan.qe_isv_prod_id, plan.qe_isv_svn),
            bytes(60),
            bound if plan.qe_report_data is None else plan.qe_report_data,
        )
    )
    if len(report) != QE_REPORT_SIZE:
        raise ValueError(f"the QE report has {len(report)} bytes instead of {QE_REPORT_SIZE}")
    return report


def certification(plan: Plan) -> bytes:
    """What follows the quote's signature: attestation key, QE report, its signature, auth data, certificates.

    It does not depend on the TD, so the library carries it ready-made.
    """
    report = qe_report(plan)
    chain = plan.chain().encode()
    inner = b"".join(
        (
            report,
            pki.sign(plan.qe_report_signer, report),
            struct.pack("<H", len(plan.qe_auth_data)) + plan.qe_auth_data,
            struct.pack("<HI", plan.inner_type, len(chain)) + chain,
        )
    )
    return pki.public_bytes("attestation") + struct.pack("<HI", plan.outer_type, len(inner)) + inner


def assemble(plan: Plan) -> bytes:
    """The quote that the plan describes."""
    signed = signed_part(plan)
    signature = pki.sign(plan.signer, signed) + certification(plan)
    quote = bytearray(signed + struct.pack("<I", len(signature)) + signature)
    for edit in plan.edits:
        edit(quote)
    return bytes(quote)
