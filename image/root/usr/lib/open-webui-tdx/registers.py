"""Where there is no TDX but a TPM: the simulated TD's registers begin with what this machine measured while it booted.

They come from the TPM's event log, never from what a build predicted, so that the simulation shows what a TD would.
The file is the simulator's (simulator/src/state.c): magic (8), boot id (36), MRTD and RTMR 0 to 3 (48 each), and the
SHA-256 of all before. Beside it lies the log that leads to these registers, as a TD would have it (quote_generator's
boot_log.py serves it).
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

RELEASE = Path("/opt/open-webui-tdx")
LOG = Path("/sys/kernel/security/tpm0/binary_bios_measurements")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
STATE = Path("/var/lib/open-webui-tdx/tdx-simulator")
MAGIC = b"TDXSIM1\n"


def state_file(boot_id: str, mr_td: bytes, registers: tuple[bytes, ...]) -> bytes:
    """The simulator's file for these registers, each 48 bytes."""
    content = MAGIC + boot_id.encode("ascii") + mr_td + b"".join(registers)
    return content + hashlib.sha256(content).digest()


def main() -> int:
    """Write the file for this boot."""
    sys.path[:0] = [str(Path(__file__).parent), str(RELEASE), str(RELEASE / "site-packages")]
    from measured_boot.boot_log import from_tpm, replay

    from simulator import boot
    from simulator.profile import TD

    boot_id = BOOT_ID.read_text().strip()
    events = from_tpm(LOG.read_bytes())
    registers = replay(events)
    folder = STATE / boot_id
    folder.mkdir(mode=0o700, parents=True)
    (folder / "registers").write_bytes(state_file(boot_id, TD.mr_td, registers))
    (folder / "boot_log").write_bytes(
        boot.log([boot.Event(item.register, item.kind, item.digest, item.data) for item in events])
    )
    for number, value in enumerate(registers[:3]):
        print(f"open-webui-tdx image: simulated RTMR {number} is {value.hex()}")
    for event in events:
        print(f"open-webui-tdx image: event {event.register} {event.kind:#x} {event.digest.hex()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
