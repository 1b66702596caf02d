"""The simulated TD of the image begins with what its machine measured."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from quote_generator.formats import parse_quote
from tests.image.program import program

BOOT_ID = "01234567-89ab-cdef-0123-456789abcdef"
MR_TD = b"m" * 48
REGISTERS = (b"0" * 48, b"1" * 48, b"2" * 48, bytes(48))


@pytest.mark.parametrize("boot_id", [BOOT_ID, BOOT_ID.replace("0", "f")])
def test_the_simulator_reads_the_registers_of_this_boot_alone(
    simulator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, boot_id: str
) -> None:
    (tmp_path / "td" / "registers").write_bytes(program("registers").state_file(BOOT_ID, MR_TD, REGISTERS))
    monkeypatch.setenv("TDX_SIM_BOOT_ID", boot_id)
    fields = parse_quote(simulator.generate_quote(bytes(64))).fields()
    taken = (fields["mr_td"], *(fields[f"rtmr_{number}"] for number in range(4))) == tuple(
        value.hex() for value in (MR_TD, *REGISTERS)
    )
    assert taken is (boot_id == BOOT_ID)
