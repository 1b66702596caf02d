"""The TD quote bodies and the enclave report (Intel TDX DCAP Quoting Library API, appendix 3).

Sizes and offsets in bytes; integers little-endian; measurements are SHA-384 (48 bytes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .attributes import TdAttributes, Xfam
from .record import Record, raw, uint


@dataclass(frozen=True)
class TdBody10(Record):
    """What a TDX 1.0 quote says about the TD: 584 bytes."""

    TITLE: ClassVar[str] = "a TD 1.0 quote body"

    tee_tcb_svn: bytes = raw(0, 16)  # security versions of the TDX module (bytes 0, 1) and the SEAM loader
    mr_seam: bytes = raw(16, 48)  # measurement of the TDX module
    mr_signer_seam: bytes = raw(64, 48)  # signer of the TDX module; zeros for Intel's
    seam_attributes: bytes = raw(112, 8)  # zeros for a TDX 1.x module
    td_attributes: bytes = raw(120, 8)  # see TdAttributes
    xfam: bytes = raw(128, 8)  # see Xfam
    mr_td: bytes = raw(136, 48)  # the TD's initial contents: firmware
    mr_config_id: bytes = raw(184, 48)
    mr_owner: bytes = raw(232, 48)
    mr_owner_config: bytes = raw(280, 48)
    rtmr_0: bytes = raw(328, 48)  # firmware configuration
    rtmr_1: bytes = raw(376, 48)  # kernel, boot loader
    rtmr_2: bytes = raw(424, 48)  # kernel command line, initrd
    rtmr_3: bytes = raw(472, 48)  # the running system's: our event log
    report_data: bytes = raw(520, 64)  # chosen by who asked for the quote

    @property
    def attributes(self) -> TdAttributes:
        """`td_attributes`, by name."""
        return TdAttributes.unpack(self.td_attributes)

    @property
    def features(self) -> Xfam:
        """`xfam`, by name."""
        return Xfam.unpack(self.xfam)


@dataclass(frozen=True)
class TdBody15(TdBody10):
    """TDX 1.5 adds two fields at the end: 648 bytes."""

    TITLE: ClassVar[str] = "a TD 1.5 quote body"

    tee_tcb_svn2: bytes = raw(584, 16)  # the TDX module that is running now, after an update without a reboot
    mr_service_td: bytes = raw(600, 48)  # service TDs bound to this one; zeros for none


@dataclass(frozen=True)
class EnclaveReport(Record):
    """An SGX report body, here the quoting enclave's: 384 bytes (Intel SDM volume 3D, REPORT)."""

    TITLE: ClassVar[str] = "an enclave report"

    cpu_svn: bytes = raw(0, 16)
    misc_select: int = uint(16, 4)
    reserved_1: bytes = raw(20, 28)
    attributes: bytes = raw(48, 16)
    mr_enclave: bytes = raw(64, 32)
    reserved_2: bytes = raw(96, 32)
    mr_signer: bytes = raw(128, 32)
    reserved_3: bytes = raw(160, 96)
    isv_prod_id: int = uint(256, 2)
    isv_svn: int = uint(258, 2)
    reserved_4: bytes = raw(260, 60)
    report_data: bytes = raw(320, 64)  # SHA-256(attestation key || QE authentication data) || 32 zero bytes
