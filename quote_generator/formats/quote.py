"""TDX quotes, versions 4 and 5 (Intel TDX DCAP Quoting Library API, appendix 3).

Version 4: header (48 bytes), TD 1.0 body (584), size of the signature data (4), signature data.
Version 5: header (48), body type (2), body size (4), body (584 or 648), size of the signature data (4), signature data.
Devices return the quote in a larger buffer: zero bytes after it are kept as `padding`, anything else is refused.
Parsing says nothing about genuineness: that is the relying party's question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from .bodies import TdBody10, TdBody15
from .certification import SignatureData
from .record import FormatError, Reader, Record, raw, uint

TEE_TYPE_SGX = 0x00
TEE_TYPE_TDX = 0x81
ATT_KEY_ECDSA_P256 = 2
BODY_TYPE_SGX = 1
BODY_TYPES: dict[int, type[TdBody10]] = {2: TdBody10, 3: TdBody15}
SIZE_LIMIT = 1 << 20  # bytes; a real quote has about 5,000


@dataclass(frozen=True)
class QuoteHeader(Record):
    """The first 48 bytes."""

    TITLE: ClassVar[str] = "a quote header"

    version: int = uint(0, 2)  # 4 or 5
    att_key_type: int = uint(2, 2)  # 2: ECDSA-256 with P-256
    tee_type: int = uint(4, 4)  # 0x81: TDX
    reserved: bytes = raw(8, 4)
    qe_vendor_id: bytes = raw(12, 16)
    user_data: bytes = raw(28, 20)


@dataclass(frozen=True)
class Quote:
    """A parsed quote; `pack` gives back the bytes it was parsed from."""

    header: QuoteHeader
    body: TdBody10
    signature_data: SignatureData
    padding: int = 0

    def signed_part(self) -> bytes:
        """What the attestation key signs: the header, version 5's body type and size, the body."""
        return self.header.pack() + self._descriptor() + self.body.pack()

    def pack(self) -> bytes:
        """The same bytes again."""
        tail = self.signature_data.pack()
        return self.signed_part() + len(tail).to_bytes(4, "little") + tail + bytes(self.padding)

    def _descriptor(self) -> bytes:
        if self.header.version == 4:
            return b""
        return self._body_type().to_bytes(2, "little") + self.body.size().to_bytes(4, "little")

    def _body_type(self) -> int:
        return next(number for number, cls in BODY_TYPES.items() if cls is type(self.body))

    def fields(self) -> dict[str, Any]:
        """The document's `quote_parse`: integers of the header, the rest lower-case hex of the raw bytes.

        Version 5 has `body_type` besides (2: TD 1.0, 3: TD 1.5), and a TD 1.5 body its two further fields.
        """
        header = self.header
        numbers = {"version": header.version, "att_key_type": header.att_key_type, "tee_type": header.tee_type}
        if header.version != 4:
            numbers["body_type"] = self._body_type()
        values = {**header.raw_fields(), **self.body.raw_fields()}
        return {**numbers, **{name: value.hex() for name, value in values.items() if name != "reserved"}}


def parse_quote(data: bytes) -> Quote:
    """The quote in `data`, strictly. Raises FormatError, and nothing else, for whatever is wrong with the bytes."""
    data = bytes(data)
    if len(data) > SIZE_LIMIT:
        raise FormatError(f"a quote of {len(data)} bytes is over the limit of {SIZE_LIMIT}")
    reader = Reader(data, "the quote")
    header = _header(reader.take(QuoteHeader.size(), "the header"))
    body_type = TdBody10 if header.version == 4 else _body_type(reader)
    body = body_type.unpack(reader.take(body_type.size(), "the body"))
    tail = reader.take(reader.take_uint(4, "the size of the signature data"), "the signature data")
    signature_data = SignatureData.unpack(tail)
    padding = reader.rest()
    if any(padding):
        raise FormatError(f"the quote is followed by {len(padding)} bytes that are not zero padding")
    return Quote(header, body, signature_data, len(padding))


def _header(data: bytes) -> QuoteHeader:
    header = QuoteHeader.unpack(data)
    if header.version not in (4, 5):
        raise FormatError(f"quote version {header.version} is not a TDX version (4 or 5)")
    if header.tee_type != TEE_TYPE_TDX:
        name = "SGX" if header.tee_type == TEE_TYPE_SGX else f"{header.tee_type:#x}"
        raise FormatError(f"the quote's TEE type is {name}, not TDX (0x81)")
    if header.att_key_type != ATT_KEY_ECDSA_P256:
        raise FormatError(f"attestation key type {header.att_key_type} is not known (2 is ECDSA with P-256)")
    return header


def _body_type(reader: Reader) -> type[TdBody10]:
    kind = reader.take_uint(2, "the body type")
    size = reader.take_uint(4, "the body size")
    if kind == BODY_TYPE_SGX:
        raise FormatError("the quote's body is an SGX enclave report, not a TD")
    body_type = BODY_TYPES.get(kind)
    if body_type is None:
        raise FormatError(f"quote body type {kind} is not known (2 is TD 1.0, 3 is TD 1.5)")
    if size != body_type.size():
        raise FormatError(f"{body_type.TITLE} has {body_type.size()} bytes, the quote says {size}")
    return body_type
