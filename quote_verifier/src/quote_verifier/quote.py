"""Layout of a TDX quote: Intel TDX DCAP Quoting Library API, appendix 3 (versions 4 and 5). Little-endian throughout.

This parser establishes nothing about who made the quote: it says which bytes mean what. dcap-qvl parses the same bytes
again, and `genuine` compares the two readings.
"""

import base64
import binascii
import re
import struct
from dataclasses import dataclass

from .errors import Malformed
from .facts import load

MAX_QUOTE_BYTES = 64 * 1024
HEADER_SIZE = 48
INTEL_QE_VENDOR_ID = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
TEE_TYPE_TDX = 0x81
KEY_TYPE_ECDSA_P256 = 2
CERTIFICATION_PCK_CHAIN = 5
MAX_CHAIN_CERTIFICATES = 5

_REPORT = load("td_report")
# name, size in bytes; each field starts where the one before it ends
TD10_FIELDS = tuple((name, int(field["size"])) for name, field in _REPORT["td_10"].items())
TD15_FIELDS = (*TD10_FIELDS, *((name, int(field["size"])) for name, field in _REPORT["td_15"].items()))
BODY_TYPES = {2: TD10_FIELDS, 3: TD15_FIELDS}

# SGX report body of the quoting enclave (Intel SDM, volume 3D, REPORT): name -> offset, size; 384 bytes in all
QE_REPORT_SIZE = 384
QE_REPORT_FIELDS = {
    "misc_select": (16, 4),
    "attributes": (48, 16),
    "mr_signer": (128, 32),
    "isv_prod_id": (256, 2),
    "isv_svn": (258, 2),
}

_PEM = re.compile(rb"\s*(?:-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)+\x00*\Z")
_PEM_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


@dataclass(frozen=True)
class Quote:
    """A parsed quote. `body` maps the specification's field names to raw bytes; `pck_chain` holds DER, leaf first.

    `signature` is r || s, `attestation_key` x || y, 32 bytes each and big-endian; both of the curve P-256. The
    signature covers the first `signed_size` bytes.
    """

    raw: bytes
    version: int
    key_type: int
    tee_type: int
    vendor_id: bytes
    user_data: bytes
    body_type: int
    body: dict[str, bytes]
    signed_size: int
    signature: bytes
    attestation_key: bytes
    qe_report: bytes
    pck_chain: tuple[bytes, ...]

    def hex(self, field: str) -> str:
        """A body field in lower-case hexadecimal."""
        return self.body[field].hex()


class _Reader:
    """Takes consecutive fields off a byte string, never past its end."""

    def __init__(self, data: bytes, what: str) -> None:
        self.data, self.what, self.offset = data, what, 0

    def take(self, size: int, field: str) -> bytes:
        end = self.offset + size
        if end > len(self.data):
            raise Malformed(f"{self.what} ends inside {field}: {len(self.data)} bytes, at least {end} needed")
        part, self.offset = self.data[self.offset : end], end
        return part

    def u16(self, field: str) -> int:
        return int(struct.unpack("<H", self.take(2, field))[0])

    def u32(self, field: str) -> int:
        return int(struct.unpack("<I", self.take(4, field))[0])


def pem_certificates(data: bytes, what: str) -> tuple[bytes, ...]:
    """DER certificates of PEM text that holds nothing but 1 to 5 CERTIFICATE blocks, white space and trailing NULs.

    Anything else is refused, because PEM parsers differ about it and could pick different first certificates.
    """
    if not _PEM.match(data):
        raise Malformed(f"{what} is not a plain sequence of PEM certificates")
    blocks = _PEM_BLOCK.findall(data)
    if len(blocks) > MAX_CHAIN_CERTIFICATES:
        raise Malformed(f"{what} has {len(blocks)} certificates, at most {MAX_CHAIN_CERTIFICATES} make sense")
    return tuple(_from_base64(b"".join(block.split()), what) for block in blocks)


def _from_base64(text: bytes, what: str) -> bytes:
    """Bytes of base64 in its one canonical spelling: bits that mean nothing would be a second one."""
    try:
        der = base64.b64decode(text, validate=True)
    except binascii.Error:
        der = b""
    if base64.b64encode(der) != text:
        raise Malformed(f"{what} holds a certificate that is not base64")
    return der


def _expect(actual: int | bytes, expected: int | bytes, field: str) -> None:
    if actual != expected:
        shown = [value.hex() if isinstance(value, bytes) else hex(value) for value in (actual, expected)]
        raise Malformed(f"{field} is {shown[0]}, expected {shown[1]}")


def _body(reader: _Reader, version: int) -> tuple[int, dict[str, bytes]]:
    body_type = 2
    if version == 5:
        body_type, size = reader.u16("the body type"), reader.u32("the body size")
        if body_type not in BODY_TYPES:
            raise Malformed(f"body type is {body_type}, expected 2 (TD 1.0) or 3 (TD 1.5)")
        _expect(size, sum(width for _, width in BODY_TYPES[body_type]), "body size")
    return body_type, {name: reader.take(width, name) for name, width in BODY_TYPES[body_type]}


def _signature_data(reader: _Reader) -> tuple[bytes, bytes, bytes, tuple[bytes, ...]]:
    """Signature, attestation key, QE report and PCK chain."""
    auth = _Reader(reader.take(reader.u32("the signature data size"), "the signature data"), "signature data")
    signature, key = auth.take(64, "the quote signature"), auth.take(64, "the attestation key")
    auth.u16("the outer certification type")  # unsigned and without meaning: never relied on
    outer = _Reader(auth.take(auth.u32("the certification data size"), "the certification data"), "certification data")
    qe_report = outer.take(QE_REPORT_SIZE, "the QE report")
    outer.take(64, "the QE report signature")
    outer.take(outer.u16("the QE authentication data size"), "the QE authentication data")
    _expect(outer.u16("the certification type"), CERTIFICATION_PCK_CHAIN, "certification type")
    chain = outer.take(outer.u32("the certificate chain size"), "the certificate chain")
    return signature, key, qe_report, pem_certificates(chain, "the quote's certificate chain")


def parse_quote(raw: bytes) -> Quote:
    """Parse a TDX quote of version 4 or 5 (at most 64 KiB); bytes after its signature data are ignored.

    Raises `Malformed`, naming the field, its value and what was expected.
    """
    if len(raw) > MAX_QUOTE_BYTES:
        raise Malformed(f"the quote has {len(raw)} bytes, at most {MAX_QUOTE_BYTES} make sense")
    reader = _Reader(raw, "the quote")
    version, key_type, tee_type = reader.u16("version"), reader.u16("key type"), reader.u32("TEE type")
    if version not in (4, 5):
        raise Malformed(f"version is {version}, expected 4 or 5")
    _expect(tee_type, TEE_TYPE_TDX, "TEE type")
    _expect(key_type, KEY_TYPE_ECDSA_P256, "attestation key type")
    reader.take(4, "the SVNs")
    vendor_id, user_data = reader.take(16, "QE vendor id"), reader.take(20, "user data")
    _expect(vendor_id, INTEL_QE_VENDOR_ID, "QE vendor id")
    body_type, body = _body(reader, version)
    signed_size = reader.offset
    header = (version, key_type, tee_type, vendor_id, user_data)
    return Quote(raw, *header, body_type, body, signed_size, *_signature_data(reader))
