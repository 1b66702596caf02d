"""The SGX extension of a PCK certificate (Intel SGX PCK Certificate and CRL Profile Specification, 1.3.5)."""

from dataclasses import dataclass

from .der import (
    BOOLEAN,
    ENUMERATED,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    certificate_parts,
    content,
    elements,
    natural,
)
from .errors import Malformed

SGX_OID = bytes.fromhex("2a864886f84d010d01")  # 1.2.840.113741.1.13.1
PPID, TCB, PCE_ID, FMSPC, SGX_TYPE, INSTANCE, CONFIGURATION = range(1, 8)
PCE_SVN, CPU_SVN = 17, 18
OCTETS = {PPID: 16, PCE_ID: 2, FMSPC: 6}


@dataclass(frozen=True)
class PckExtension:
    """`cpu_svn` has 16 bytes, `pce_id` 2, `fmspc` 6; a flag is None where the certificate does not say."""

    cpu_svn: bytes
    pce_svn: int
    pce_id: bytes
    fmspc: bytes
    flags: dict[str, bool | None]


def _members(value: bytes, prefix: bytes) -> dict[int, tuple[int, bytes]]:
    """The members of a SEQUENCE of pairs of an OID and a value: the OID's last part -> tag and content."""
    members: dict[int, tuple[int, bytes]] = {}
    for tag, pair, _ in elements(value):
        parts = elements(pair) if tag == SEQUENCE else []
        if len(parts) != 2 or parts[0][0] != OID:
            raise Malformed("the SGX extension is not made of pairs of an OID and a value")
        name = parts[0][1]
        if len(name) != len(prefix) + 1 or not name.startswith(prefix) or name[-1] in members:
            raise Malformed("the SGX extension has a member twice, or one of somewhere else")
        members[name[-1]] = parts[1][0], parts[1][1]
    return members


def _typed(members: dict[int, tuple[int, bytes]], number: int, tag: int, size: int | None = None) -> bytes:
    found, value = members.get(number, (0, b""))
    if found != tag or (size is not None and len(value) != size):
        raise Malformed(f"the SGX extension's member {number} is missing, or of another type or size")
    return value


def _flags(members: dict[int, tuple[int, bytes]]) -> dict[str, bool | None]:
    names = {1: "dynamic_platform", 2: "cached_keys", 3: "smt_enabled"}
    flags: dict[str, bool | None] = dict.fromkeys(names.values())
    stated: dict[int, tuple[int, bytes]] = {}
    if CONFIGURATION in members:
        stated = _members(_typed(members, CONFIGURATION, SEQUENCE), SGX_OID + bytes([CONFIGURATION]))
    for number in stated:
        value = _typed(stated, number, BOOLEAN, 1)
        if value not in (b"\x00", b"\xff"):
            raise Malformed("a flag of the SGX extension is neither true nor false")
        if number in names:
            flags[names[number]] = value == b"\xff"
    return flags


def read_pck(certificate: bytes) -> PckExtension:
    """The extension of a PCK certificate (DER). Raises `Malformed`: missing, or not as the profile has it."""
    extension = certificate_parts(certificate).extensions.get(SGX_OID)
    if extension is None:
        raise Malformed("the PCK certificate has no SGX extension")
    members = _members(content(extension, SEQUENCE), SGX_OID)
    values = {number: _typed(members, number, OCTET_STRING, size) for number, size in OCTETS.items()}
    _typed(members, SGX_TYPE, ENUMERATED, 1)
    if INSTANCE in members:
        _typed(members, INSTANCE, OCTET_STRING, 16)
    tcb = _members(_typed(members, TCB, SEQUENCE), SGX_OID + bytes([TCB]))
    for number in range(1, 17):
        natural(_typed(tcb, number, INTEGER), 255)
    pce_svn = natural(_typed(tcb, PCE_SVN, INTEGER), 65535)
    cpu_svn = _typed(tcb, CPU_SVN, OCTET_STRING, 16)
    return PckExtension(cpu_svn, pce_svn, values[PCE_ID], values[FMSPC], _flags(members))
