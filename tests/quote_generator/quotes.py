"""Quotes and TD reports made here, byte by byte and independently of the parser, for its tests."""

from __future__ import annotations

import random
import struct


def make_body(version15: bool = False, seed: int = 0) -> bytes:
    generator = random.Random(seed)
    return generator.randbytes(648 if version15 else 584)


def make_certification(kind: int = 5, data: bytes = b"-----BEGIN CERTIFICATE-----\n", auth: bytes = bytes(32)) -> bytes:
    inner = random.Random(1).randbytes(384) + bytes(64) + struct.pack("<H", len(auth)) + auth
    inner += struct.pack("<HI", kind, len(data)) + data
    return struct.pack("<HI", 6, len(inner)) + inner


def make_quote(
    version: int = 4, td15: bool = False, body_type: int | None = None, padding: int = 0, seed: int = 0, **tail: object
) -> bytes:
    header = struct.pack("<HHI4s16s20s", version, 2, 0x81, b"\1\2\3\4", b"v" * 16, b"u" * 20)
    body = make_body(td15, seed)
    descriptor = b"" if version == 4 else struct.pack("<HI", body_type or (3 if td15 else 2), len(body))
    signature_data = b"s" * 64 + b"k" * 64 + make_certification(**tail)  # type: ignore[arg-type]
    return header + descriptor + body + struct.pack("<I", len(signature_data)) + signature_data + bytes(padding)


QUOTES = {
    "version 4, TD 1.0": make_quote(4),
    "version 5, TD 1.0": make_quote(5),
    "version 5, TD 1.5": make_quote(5, td15=True),
    "version 4 in a larger buffer": make_quote(4, padding=70),
}


def make_report(version: int = 1, seed: int = 0) -> bytes:
    return bytes([0x81, 0, version, 0]) + random.Random(seed).randbytes(1020)
