"""TD attributes and XFAM, bit by bit (Intel TDX module base architecture specification, "TD attributes" and "XFAM")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from .record import FormatError


@dataclass(frozen=True)
class Bits:
    """64 bits with names; 8 bytes, little-endian, in every structure."""

    value: int
    NAMES: ClassVar[dict[int, str]] = {}

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """From 8 bytes, little-endian; FormatError for another size."""
        if len(data) != 8:
            raise FormatError(f"{cls.__name__} has 8 bytes, not {len(data)}")
        return cls(int.from_bytes(data, "little"))

    def pack(self) -> bytes:
        """The 8 bytes, little-endian."""
        return self.value.to_bytes(8, "little")

    def names(self) -> list[str]:
        """The names of the bits that are set, lowest first; `bit_N` where a bit has no name."""
        return [self.NAMES.get(bit, f"bit_{bit}") for bit in range(64) if self.value >> bit & 1]

    def has(self, name: str) -> bool:
        """Whether the bit of that name is set."""
        return name in self.names()


class TdAttributes(Bits):
    """What the TD was created with. A set `debug` bit means that the host can read its memory."""

    NAMES: ClassVar[dict[int, str]] = {
        0: "debug",
        16: "icssd",
        27: "lass",
        28: "septve_disable",
        29: "migratable",
        30: "protection_keys",
        31: "key_locker",
        62: "tpa",
        63: "perfmon",
    }

    @property
    def debug(self) -> bool:
        """Bit 0: the host can read and change the TD."""
        return self.has("debug")

    @property
    def septve_disable(self) -> bool:
        """Bit 28: no #VE for pages that the host took away."""
        return self.has("septve_disable")

    @property
    def protection_keys(self) -> bool:
        """Bit 30: supervisor protection keys."""
        return self.has("protection_keys")

    @property
    def key_locker(self) -> bool:
        """Bit 31: Key Locker."""
        return self.has("key_locker")

    @property
    def perfmon(self) -> bool:
        """Bit 63: performance monitoring."""
        return self.has("perfmon")


class Xfam(Bits):
    """The extended processor features the TD may use: the layout of XCR0 combined with IA32_XSS."""

    NAMES: ClassVar[dict[int, str]] = {
        0: "x87",
        1: "sse",
        2: "avx",
        3: "mpx_bndregs",
        4: "mpx_bndcsr",
        5: "avx512_opmask",
        6: "avx512_zmm_hi256",
        7: "avx512_hi16_zmm",
        8: "pt",
        9: "pkru",
        10: "pasid",
        11: "cet_u",
        12: "cet_s",
        13: "hdc",
        14: "uintr",
        15: "lbr",
        16: "hwp",
        17: "amx_tilecfg",
        18: "amx_tiledata",
        19: "apx",
    }
