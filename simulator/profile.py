"""The platform and TD that the simulator pretends to be: every constant that quotes, certificates and collateral share.

Sizes and byte orders are those of Intel's TDX DCAP Quoting Library API (quote versions 4 and 5) and of the TDX module
ABI specification. Every value is fixed, so that two machines simulate the same platform.
"""

import hashlib
from dataclasses import dataclass, field

from . import boot

# --- the platform, as its PCK certificate describes it (Intel PCK certificate specification, section 1.3) -----------
FMSPC = b"SIM\x00\x00\x00"  # 6 bytes; no platform of Intel's has it
OTHER_FMSPC = b"SIM\x00\x00\x01"
PCE_ID = bytes(2)
PPID = hashlib.sha256(b"simulated PPID").digest()[:16]
PLATFORM_INSTANCE_ID = hashlib.sha256(b"simulated platform instance").digest()[:16]
CPU_SVN = bytes.fromhex("03030202040100050000000000000000")  # 16 components, one byte each
PCE_SVN = 13

# --- the quoting enclave -----------------------------------------------------------------------------------------
QE_VENDOR_ID = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")  # Intel's: verifiers know no other
QE_USER_DATA = hashlib.sha256(b"simulated QE id").digest()[:16] + bytes(4)  # 20 bytes
QE_MR_ENCLAVE = hashlib.sha256(b"simulated TD QE").digest()
QE_MR_SIGNER = bytes.fromhex("dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5")  # Intel's TD QE signer
QE_ATTRIBUTES = bytes.fromhex("1500000000000000e700000000000000")  # initialised, 64-bit, provision key; not debug
QE_ISV_PROD_ID = 2
QE_ISV_SVN = 6
QE_AUTH_DATA = bytes(range(32))  # what Intel's TD QE sends

# --- the TDX module and the TD -----------------------------------------------------------------------------------
TEE_TCB_SVN = bytes.fromhex("06010300000000000000000000000000")  # module SVN 6, module version 1, microcode SVN 3
SEPT_VE_DISABLE = bytes.fromhex("0000001000000000")  # bit 28, the only attribute a production TD needs
XFAM = bytes.fromhex("e702060000000000")  # x87, SSE, AVX, AVX-512, PKRU, AMX


def measurement(label: str) -> bytes:
    """A 48-byte stand-in for a measurement, the same on every machine."""
    return hashlib.sha384(b"open-webui-tdx simulator: " + label.encode()).digest()


@dataclass(frozen=True)
class TdBody:
    """The fields of a TD quote body in the order of the wire format; all bytes are raw.

    The first fifteen make the TD 1.0 body (584 bytes); the last two follow in the TD 1.5 body (648 bytes).
    """

    tee_tcb_svn: bytes = TEE_TCB_SVN
    mr_seam: bytes = measurement("TDX module")
    mr_signer_seam: bytes = bytes(48)
    seam_attributes: bytes = bytes(8)
    td_attributes: bytes = SEPT_VE_DISABLE
    xfam: bytes = XFAM
    mr_td: bytes = measurement("MRTD")
    mr_config_id: bytes = bytes(48)
    mr_owner: bytes = bytes(48)
    mr_owner_config: bytes = bytes(48)
    rtmrs: tuple[bytes, bytes, bytes, bytes] = field(default=boot.registers())
    report_data: bytes = bytes(64)
    tee_tcb_svn2: bytes = TEE_TCB_SVN
    mr_service_td: bytes = bytes(48)

    def td10(self) -> bytes:
        """The 584-byte TD 1.0 body."""
        body = b"".join(
            (
                self.tee_tcb_svn,
                self.mr_seam,
                self.mr_signer_seam,
                self.seam_attributes,
                self.td_attributes,
                self.xfam,
                self.mr_td,
                self.mr_config_id,
                self.mr_owner,
                self.mr_owner_config,
                *self.rtmrs,
                self.report_data,
            )
        )
        if len(body) != 584:
            raise ValueError(f"the TD 1.0 body has {len(body)} bytes instead of 584: a field has the wrong size")
        return body

    def td15(self) -> bytes:
        """The 648-byte TD 1.5 body."""
        body = self.td10() + self.tee_tcb_svn2 + self.mr_service_td
        if len(body) != 648:
            raise ValueError(f"the TD 1.5 body has {len(body)} bytes instead of 648: a field has the wrong size")
        return body


TD = TdBody()

# --- the simulated CPU's key over TDREPORTs; a real one never leaves the CPU -------------------------------------
REPORT_MAC_KEY = hashlib.sha256(b"simulated TDREPORT key").digest()
