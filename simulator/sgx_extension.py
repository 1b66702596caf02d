"""The SGX extension of a PCK certificate, OID 1.2.840.113741.1.13.1 (Intel PCK certificate specification, 1.3.5)."""

from cryptography import x509

from . import profile

ROOT = "1.2.840.113741.1.13.1"
SGX_EXTENSION = x509.ObjectIdentifier(ROOT)


def _der(tag: int, content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(size))) + size + content


def _oid(suffix: str) -> bytes:
    arcs = [int(arc) for arc in f"{ROOT}{suffix}".split(".")]
    out = bytearray([arcs[0] * 40 + arcs[1]])
    for arc in arcs[2:]:
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        out += bytes(reversed(groups))
    return _der(0x06, bytes(out))


def _pair(suffix: str, value: bytes) -> bytes:
    return _der(0x30, _oid(suffix) + value)


def _integer(number: int) -> bytes:
    return _der(0x02, number.to_bytes(number.bit_length() // 8 + 1))


def _octets(value: bytes) -> bytes:
    return _der(0x04, value)


def _boolean(value: bool) -> bytes:
    return _der(0x01, b"\xff" if value else b"\x00")


def sgx_extension(
    *, fmspc: bytes = profile.FMSPC, cpu_svn: bytes = profile.CPU_SVN, pce_svn: int = profile.PCE_SVN
) -> bytes:
    """DER of PPID, TCB (16 components, PCESVN, CPUSVN), PCE-ID, FMSPC, SGX type 1, platform instance, configuration.

    The configuration flags (dynamic platform, cached keys, SMT) are all true, as on a multi-socket server of the kind
    that runs TDX.
    """
    components = [_pair(f".2.{i}", _integer(svn)) for i, svn in enumerate(cpu_svn, 1)]
    tcb = b"".join([*components, _pair(".2.17", _integer(pce_svn)), _pair(".2.18", _octets(cpu_svn))])
    configuration = b"".join(_pair(f".7.{i}", _boolean(True)) for i in (1, 2, 3))
    return _der(
        0x30,
        _pair(".1", _octets(profile.PPID))
        + _pair(".2", _der(0x30, tcb))
        + _pair(".3", _octets(profile.PCE_ID))
        + _pair(".4", _octets(fmspc))
        + _pair(".5", _der(0x0A, b"\x01"))
        + _pair(".6", _octets(profile.PLATFORM_INSTANCE_ID))
        + _pair(".7", _der(0x30, configuration)),
    )
