"""DER (ITU-T X.690) as far as Intel's certificates use it, and the parts of a certificate (RFC 5280) that decide.

Strict, so that there is one reading: definite lengths in their shortest form, single-byte tags, nothing left over.
General readers disagree about what is not needed here (an odd distribution point, a second spelling of true), and could
be played against each other.
"""

import re
from dataclasses import dataclass

from .errors import Malformed

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OID, ENUMERATED = 1, 2, 3, 4, 6, 10
SEQUENCE, SET, EXTENSIONS = 0x30, 0x31, 0xA3
UTF8_STRING, PRINTABLE_STRING = 0x0C, 0x13
CRL_EXTENSIONS = 0xA0
KEY_USAGE, BASIC_CONSTRAINTS = b"\x55\x1d\x0f", b"\x55\x1d\x13"  # 2.5.29.15 and .19: all that may be critical
CRL_NUMBER = b"\x55\x1d\x14"  # 2.5.29.20
# CN, O, L, ST and C (2.5.4.3, .10, .7, .8, .6): what a name of Intel's is made of, in letters of PrintableString
NAME_PARTS = tuple(bytes((0x55, 4, number)) for number in (3, 10, 7, 8, 6))
_LETTERS = re.compile(rb"[A-Za-z0-9 '()+,\-./:=?]+\Z")
VERSION_3 = bytes.fromhex("a003020102")
# SubjectPublicKeyInfo of a P-256 key (RFC 5480) as far as its uncompressed point, which 64 bytes follow
P256_KEY = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def _length(data: bytes, at: int) -> tuple[int, int]:
    """The length at `at`, and where it ends."""
    first = data[at]
    if first < 0x80:
        return first, at + 1
    end = at + 1 + (first & 0x7F)
    size = int.from_bytes(data[at + 1 : end], "big")
    if first in (0x80, 0xFF) or end > len(data) or size < 0x80 or data[at + 1] == 0:
        raise Malformed("it has a length that is not DER")
    return size, end


def elements(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Tag, content and whole encoding of each element of `data`, which is nothing but elements. Raises `Malformed`."""
    found, at = [], 0
    while at < len(data):
        if data[at] & 0x1F == 0x1F or at + 1 >= len(data):
            raise Malformed("it has a tag that is not known, or ends inside an element")
        size, start = _length(data, at + 1)
        if start + size > len(data):
            raise Malformed("it ends inside an element")
        found.append((data[at], data[start : start + size], data[at : start + size]))
        at = start + size
    return found


def content(data: bytes, tag: int) -> bytes:
    """The content of the one element that `data` is. Raises `Malformed` if it is anything else."""
    found = elements(data)
    if len(found) != 1 or found[0][0] != tag:
        raise Malformed(f"it is not one element of type {tag:#x}")
    return found[0][1]


def natural(value: bytes, most: int) -> int:
    """The number that an INTEGER's content is, 0 to `most`. Raises `Malformed`."""
    if not value or value[0] & 0x80 or (len(value) > 1 and value[0] == 0 and not value[1] & 0x80):
        raise Malformed("a number in it is negative or not DER")
    number = int.from_bytes(value, "big")
    if number > most:
        raise Malformed(f"a number in it is {number if number < 2**64 else 'huge'}, expected at most {most}")
    return number


@dataclass(frozen=True)
class CertificateParts:
    """DER of a certificate's issuer, subject and key, and its extensions' contents by the content of their OID."""

    issuer: bytes
    subject: bytes
    key: bytes
    extensions: dict[bytes, bytes]


ARCS = b"\x78"  # an OID's first byte from here on: 2.40 is 120


def _extension(data: bytes) -> tuple[bytes, bytes]:
    parts = elements(data)
    tags = [tag for tag, _, _ in parts]
    if tags == [OID, BOOLEAN, OCTET_STRING]:
        if parts.pop(1)[1] != b"\xff" or parts[0][1] not in (KEY_USAGE, BASIC_CONSTRAINTS):
            raise Malformed("a critical extension is not known, or its critical is not DER")
    elif tags != [OID, OCTET_STRING]:
        raise Malformed("an extension is not an OID and its content")
    if parts[0][1][:1] >= ARCS:
        raise Malformed("an extension's OID has an arc beyond 2.39, which not every reader takes")
    return parts[0][1], parts[1][1]


def _extensions(data: bytes) -> dict[bytes, bytes]:
    """The contents of a SEQUENCE of extensions by the content of their OID."""
    extensions: dict[bytes, bytes] = {}
    for tag, value, _ in elements(content(data, SEQUENCE)):
        name, held = _extension(value)
        if tag != SEQUENCE or name in extensions:
            raise Malformed("an extension is there twice, or is none")
        extensions[name] = held
    return extensions


def _name(data: bytes) -> bytes:
    """A name, if it is one as Intel's are: sets of one part each, of which readers make the same text. Raises
    `Malformed`."""
    for tag, one, _ in elements(content(data, SEQUENCE)):
        pairs = elements(one) if tag == SET else []
        parts = elements(pairs[0][1]) if len(pairs) == 1 and pairs[0][0] == SEQUENCE else []
        texts = [OID, UTF8_STRING], [OID, PRINTABLE_STRING]
        known = [kind for kind, _, _ in parts] in texts and parts[0][1] in NAME_PARTS
        if not known or not _LETTERS.match(parts[1][1]):
            raise Malformed("a name in it is not made as Intel's are")
    return data


def certificate_parts(certificate: bytes) -> CertificateParts:
    """The parts of an X.509 version 3 certificate (DER). Raises `Malformed`."""
    outer = elements(content(certificate, SEQUENCE))
    fields = elements(outer[0][1]) if outer and outer[0][0] == SEQUENCE else []
    if len(fields) != 8 or fields[0][2] != VERSION_3 or fields[7][0] != EXTENSIONS:
        raise Malformed("it is no X.509 version 3 certificate with extensions")
    extensions = _extensions(fields[7][1])
    return CertificateParts(_name(fields[3][2]), _name(fields[5][2]), fields[6][2], extensions)


def crl_extensions(crl: bytes) -> dict[bytes, bytes]:
    """The contents of a CRL's extensions (DER) by the content of their OID. Raises `Malformed`."""
    outer = elements(content(crl, SEQUENCE))
    fields = elements(outer[0][1]) if outer and outer[0][0] == SEQUENCE else []
    if not fields or fields[-1][0] != CRL_EXTENSIONS:
        raise Malformed("it is no CRL with extensions")
    return _extensions(fields[-1][1])
