"""The signed tail of a quote: signature, attestation key, the quoting enclave's report, the PCK certificates.

Intel TDX DCAP Quoting Library API, appendix 3: "ECDSA 256-bit quote signature data structure", version 4. Lengths are
little-endian. Signatures are r || s, keys x || y, 32 bytes each part.
"""

from __future__ import annotations

from dataclasses import dataclass

from .bodies import EnclaveReport
from .record import FormatError, Reader

TYPE_QE_REPORT = 6
CERTIFICATION_TYPES = {
    1: "PPID in plain text, CPUSVN and PCESVN",
    2: "PPID encrypted with RSA-2048, CPUSVN and PCESVN",
    3: "PPID encrypted with RSA-3072, CPUSVN and PCESVN",
    4: "PCK leaf certificate",
    5: "PCK certificate chain",
    7: "platform manifest",
}
TYPE_PCK_CHAIN = 5


@dataclass(frozen=True)
class CertificationData:
    """type: 2 bytes; size: 4 bytes; data. For type 5: the PEM chain, PCK leaf first."""

    type: int
    data: bytes

    def pack(self) -> bytes:
        """Type (u16), size (u32), data; integers little-endian."""
        return self.type.to_bytes(2, "little") + len(self.data).to_bytes(4, "little") + self.data


@dataclass(frozen=True)
class QeCertification:
    """QE report (384 bytes), its signature by the PCK (64), size (2) and authentication data, certification data."""

    qe_report: EnclaveReport
    qe_report_signature: bytes
    auth_data: bytes
    certification: CertificationData

    @classmethod
    def unpack(cls, data: bytes) -> QeCertification:
        """From the data of certification type 6; FormatError if it does not fit."""
        reader = Reader(data, "the QE report certification data")
        report = EnclaveReport.unpack(reader.take(EnclaveReport.size(), "the QE report"))
        signature = reader.take(64, "the QE report's signature")
        auth_size = reader.take_uint(2, "the size of the QE authentication data")
        auth_data = reader.take(auth_size, "the QE authentication data")
        kind = reader.take_uint(2, "the type of the certification data")
        if kind not in CERTIFICATION_TYPES:
            raise FormatError(f"certification data of type {kind} is not known")
        inner = reader.take(reader.take_uint(4, "the size of the certification data"), "the certification data")
        reader.finish()
        return cls(report, signature, auth_data, CertificationData(kind, inner))

    def pack(self) -> bytes:
        """The same bytes again."""
        size = len(self.auth_data).to_bytes(2, "little")
        return self.qe_report.pack() + self.qe_report_signature + size + self.auth_data + self.certification.pack()


@dataclass(frozen=True)
class SignatureData:
    """Signature over header and body (64 bytes), attestation key (64 bytes), certification data of type 6."""

    signature: bytes
    attestation_key: bytes
    qe: QeCertification

    @classmethod
    def unpack(cls, data: bytes) -> SignatureData:
        """From a quote's signature section; FormatError if it does not fit."""
        reader = Reader(data, "the signature data")
        signature = reader.take(64, "the signature")
        key = reader.take(64, "the attestation key")
        kind = reader.take_uint(2, "the type of the certification data")
        if kind != TYPE_QE_REPORT:
            raise FormatError(f"a TDX quote has certification data of type {TYPE_QE_REPORT}, not {kind}")
        qe = reader.take(reader.take_uint(4, "the size of the certification data"), "the certification data")
        reader.finish()
        return cls(signature, key, QeCertification.unpack(qe))

    def pack(self) -> bytes:
        """The same bytes again."""
        return self.signature + self.attestation_key + CertificationData(TYPE_QE_REPORT, self.qe.pack()).pack()
