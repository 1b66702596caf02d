"""Make the test vectors from the simulator: `python tests/vectors/generate.py [FOLDER]`, by default in this folder.

Everything is fixed (time, nonce, keys; signatures are repeatable), so a second run writes the same bytes.
"""

import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from tests.vectors import (  # noqa: E402
    binding_cases,
    boot_cases,
    data_cases,
    document_cases,
    genuine_cases,
    ground,
    launch_cases,
    proof_cases,
    quote_cases,
    service_cases,
    signature_cases,
)

GROUPS: tuple[Callable[[], None], ...] = (
    quote_cases.overall_cases,
    quote_cases.format_cases,
    quote_cases.text_cases,
    signature_cases.signature_cases,
    signature_cases.below_cases,
    document_cases.document_cases,
    document_cases.collateral_cases,
    genuine_cases.genuine_cases,
    quote_cases.tcb_cases,
    quote_cases.debug_cases,
    quote_cases.service_td_cases,
    binding_cases.nonce_cases,
    binding_cases.member_cases,
    proof_cases.proof_cases,
    binding_cases.channel_cases,
    launch_cases.log_cases,
    launch_cases.release_cases,
    launch_cases.platform_cases,
    boot_cases.boot_cases,
    service_cases.service_cases,
    data_cases.data_cases,
)

if __name__ == "__main__":
    for group in GROUPS:
        group()
    ground.write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
    print(f"{len(ground.W.cases)} cases")
