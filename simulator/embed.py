"""What the library carries, made once from the Python side and committed, so that a build needs no cryptography.

pki/embedded/*.bin                  the profile's fields and the attestation key (DER)
pki/embedded/certification/*.bin    what follows a quote's signature: one for each way it can be wrong
boot_log.bin                        the boot event log, which lies beside the library for whoever serves it
"""

from pathlib import Path

from cryptography.hazmat.primitives import serialization

from . import boot, pki, profile
from .faults.library import CERTIFICATION
from .faults.quote import apply
from .plans.quote import Plan, certification

FOLDER = pki.FOLDER / "embedded"
BOOT_LOG = Path(__file__).resolve().with_name("boot_log.bin")


def contents() -> dict[str, bytes]:
    """Every embedded file by its path inside the folder."""
    files = {
        "attestation_key.bin": pki.key("attestation").private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        "cpu_svn.bin": profile.CPU_SVN,
        "mr_td.bin": profile.TD.mr_td,
        "qe_user_data.bin": profile.QE_USER_DATA,
        "qe_vendor_id.bin": profile.QE_VENDOR_ID,
        "report_mac_key.bin": profile.REPORT_MAC_KEY,
        "rtmrs.bin": b"".join(profile.TD.rtmrs),
        "td_body.bin": profile.TD.td15(),
    }
    for fault in (None, *CERTIFICATION):
        plan = Plan()
        if fault:
            apply(fault, plan)
        files[f"certification/{fault or 'default'}.bin"] = certification(plan)
    return files


def write(folder: Path = FOLDER) -> None:
    """Write them all."""
    for name, data in contents().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def write_boot_log(path: Path = BOOT_LOG) -> None:
    """Write the boot event log."""
    path.write_bytes(boot.log())
