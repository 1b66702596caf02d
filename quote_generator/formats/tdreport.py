"""TDREPORT, what `get_report` returns: 1,024 bytes (Intel TDX module ABI specification, TDREPORT_STRUCT).

Integers little-endian. The report is protected by a MAC that only the same machine can check.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .attributes import TdAttributes, Xfam
from .record import FormatError, Record, raw, record, uint

REPORT_TYPE_TDX = 0x81


@dataclass(frozen=True)
class ReportMac(Record):
    """REPORTMACSTRUCT: 256 bytes."""

    TITLE: ClassVar[str] = "a REPORTMACSTRUCT"

    report_type: int = uint(0, 1)  # 0x81: TDX
    report_subtype: int = uint(1, 1)  # 0
    report_version: int = uint(2, 1)  # 0: no service TD; 1: servtd_hash is used
    reserved_type: int = uint(3, 1)
    reserved_1: bytes = raw(4, 12)
    cpu_svn: bytes = raw(16, 16)
    tee_tcb_info_hash: bytes = raw(32, 48)  # SHA-384 of TEE_TCB_INFO
    tee_info_hash: bytes = raw(80, 48)  # SHA-384 of TDINFO
    report_data: bytes = raw(128, 64)
    reserved_2: bytes = raw(192, 32)
    mac: bytes = raw(224, 32)


@dataclass(frozen=True)
class TeeTcbInfo(Record):
    """TEE_TCB_INFO: 239 bytes. `valid` is a bit map of the fields that hold something."""

    TITLE: ClassVar[str] = "a TEE_TCB_INFO"

    valid: int = uint(0, 8)
    tee_tcb_svn: bytes = raw(8, 16)
    mr_seam: bytes = raw(24, 48)
    mr_signer_seam: bytes = raw(72, 48)
    seam_attributes: bytes = raw(120, 8)
    tee_tcb_svn2: bytes = raw(128, 16)  # TDX 1.5; zeros before
    reserved: bytes = raw(144, 95)


@dataclass(frozen=True)
class TdInfo(Record):
    """TDINFO: 512 bytes."""

    TITLE: ClassVar[str] = "a TDINFO"

    td_attributes: bytes = raw(0, 8)
    xfam: bytes = raw(8, 8)
    mr_td: bytes = raw(16, 48)
    mr_config_id: bytes = raw(64, 48)
    mr_owner: bytes = raw(112, 48)
    mr_owner_config: bytes = raw(160, 48)
    rtmr_0: bytes = raw(208, 48)
    rtmr_1: bytes = raw(256, 48)
    rtmr_2: bytes = raw(304, 48)
    rtmr_3: bytes = raw(352, 48)
    servtd_hash: bytes = raw(400, 48)  # TDX 1.5; zeros before
    reserved: bytes = raw(448, 64)

    @property
    def attributes(self) -> TdAttributes:
        """`td_attributes`, by name."""
        return TdAttributes.unpack(self.td_attributes)

    @property
    def features(self) -> Xfam:
        """`xfam`, by name."""
        return Xfam.unpack(self.xfam)


@dataclass(frozen=True)
class TdReport(Record):
    """The whole TDREPORT."""

    TITLE: ClassVar[str] = "a TDREPORT"

    report_mac: ReportMac = record(0, ReportMac)
    tee_tcb_info: TeeTcbInfo = record(256, TeeTcbInfo)
    reserved: bytes = raw(495, 17)
    td_info: TdInfo = record(512, TdInfo)

    def fields(self) -> dict[str, str]:
        """The measurements by the names a quote has for them, lower-case hex."""
        info = {name: value.hex() for name, value in self.td_info.raw_fields().items() if name != "reserved"}
        tcb = {name: value.hex() for name, value in self.tee_tcb_info.raw_fields().items() if name != "reserved"}
        return {**tcb, **info, "report_data": self.report_mac.report_data.hex()}


def parse_report(data: bytes) -> TdReport:
    """Raises FormatError unless `data` is a TDREPORT of a TD, subtype 0, version 0 or 1."""
    report = TdReport.unpack(bytes(data))
    mac = report.report_mac
    if mac.report_type != REPORT_TYPE_TDX:
        raise FormatError(f"a TDREPORT has type 0x81, not {mac.report_type:#x}")
    if mac.report_subtype != 0 or mac.report_version not in (0, 1):
        raise FormatError(f"a TDREPORT of subtype {mac.report_subtype}, version {mac.report_version} is not known")
    return report
