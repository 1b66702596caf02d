"""Certificates, chains and CRLs of the simulator's PKI with something odd in them, properly signed."""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import utils
from cryptography.hazmat.primitives.serialization import Encoding

from simulator import pki, profile
from simulator.sgx_extension import sgx_extension
from tests.vectors.ground import NOW

Changes = dict[str, Any]


def odd_leaf(rng: Random) -> Changes:
    """Arguments of `pki.issue` for a PCK certificate that is odd in one way."""
    cpu = bytearray(profile.CPU_SVN)
    cpu[rng.randrange(16)] = rng.choice((0, 1, 2, 3, 4, 255))
    moment = NOW + dt.timedelta(seconds=rng.choice((-1, 0, 1)))
    extension = sgx_extension()
    at = rng.randrange(len(extension))
    return rng.choice(
        (
            {"sgx": sgx_extension(cpu_svn=bytes(cpu))},
            {"sgx": sgx_extension(pce_svn=rng.choice((0, 4, 5, 7, 12, 13, 14, 255, 256, 65535)))},
            {"sgx": sgx_extension(fmspc=rng.randbytes(6))},
            {"sgx": extension[:at] + rng.randbytes(1) + extension[at + 1 :]},
            {"sgx": extension[:at]},
            {"sgx": extension + b"\0"},
            {"sgx": None},
            {"issuer": rng.choice(("Intel SGX PCK Processor CA", pki.ROOT_NAME, pki.PCK_NAME))},
            {"ca_path_length": 0},
            {"not_before": moment},
            {"not_after": moment},
        )
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def odd_chain(rng: Random, names: tuple[str, ...]) -> str:
    """PEM of these certificates in another order, with too many, too few, others, or as another text."""
    order = list(names)
    kind = rng.randrange(6)
    if kind == 0:
        rng.shuffle(order)
    elif kind == 1:
        del order[rng.randrange(len(order))]
    elif kind == 2:
        order.insert(rng.randrange(len(order) + 1), rng.choice(pki.CERTIFICATES))
    elif kind == 3:
        order[rng.randrange(len(order))] = rng.choice(pki.CERTIFICATES)
    blocks = [_pem(pki.certificate(name)) for name in order]
    if kind == 4:
        blocks += blocks
    return odd_pem(rng, "".join(blocks)) if kind == 5 else "".join(blocks)


def odd_pem(rng: Random, text: str) -> str:
    """PEM written in another way, or with something else in it."""
    at = rng.randrange(len(text) + 1)
    char = rng.choice((" ", "\n", "\t", "\r", "\0", "\x0b", "\x0c", "\x1c", "\x85", "=", "A", "-", "é", "\u00a0"))
    return rng.choice(
        (
            text.replace("\n", "\r\n"),
            text.replace("\n", ""),
            text.replace("\n", "\n\n"),
            text.rstrip("\n"),
            text + "\0",
            text + "\0\0\n",
            "\n " + text,
            text + "# text\n",
            text.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
            text.replace("=", ""),
            text[:at] + char + text[at:],
            text[:at] + char + text[at + 1 :],
        )
    )


def _tlv(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the DER element at `at` begins and ends."""
    size, start = der[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        size, start = int.from_bytes(der[start : start + count]), start + count
    return start, start + size


def _sequence(content: bytes) -> bytes:
    size = len(content)
    head = bytes((size,)) if size < 128 else bytes((0x82,)) + size.to_bytes(2)
    return b"\x30" + head + content


def edited_der(rng: Random, der: bytes, signer: str) -> bytes:
    """A certificate or CRL (DER) with one byte of its signed part changed, signed anew by the key of that name."""
    start, _ = _tlv(der, 0)
    begin, stop = _tlv(der, start)
    signed = bytearray(der[start:stop])
    signed[rng.randrange(begin - start, stop - start)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return resigned(der, bytes(signed), signer)


def resigned(der: bytes, signed: bytes, signer: str) -> bytes:
    """A certificate or CRL (DER) with another signed part, of the same size, signed by the key of that name."""
    start, end = _tlv(der, 0)
    stop = _tlv(der, start)[1]
    after = _tlv(der, stop)[1]
    raw = pki.sign(signer, signed)
    signature = b"\0" + utils.encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    bits = b"\x03" + bytes((len(signature),)) + signature
    return _sequence(signed + der[stop:after] + bits) + der[end:]


def edited_chain(rng: Random, name: str, signer: str, above: tuple[str, ...]) -> str:
    """The certificate of that name with one byte changed and signed anew, and those above it, as PEM."""
    from quote_verifier.collateral import pem

    edited = edited_der(rng, pki.certificate(name).public_bytes(Encoding.DER), signer)
    return pem((edited,)) + pki.pem_chain(*(pki.certificate(one) for one in above))
