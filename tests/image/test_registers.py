"""The simulated TD of the image begins with what its machine measured."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from quote_generator.formats import parse_quote
from quote_generator.nonces import base64url
from scripts.image import measured_boot
from simulator import boot
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


def test_the_log_that_is_served_leads_to_the_registers_that_the_machine_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured_boot.events({}, None)  # puts the package in place that the image has as a folder
    registers = program("registers")
    pcrs = [boot.Event(pcr - 1, 0xD, bytes([pcr]) * 48, b"") for pcr in (1, 4, 7, 9, 11)]
    (tmp_path / "tpm").write_bytes(boot.log(pcrs))
    (tmp_path / "boot_id").write_text(BOOT_ID + "\n")
    for name, value in (("LOG", "tpm"), ("BOOT_ID", "boot_id"), ("STATE", "state")):
        monkeypatch.setattr(registers, name, tmp_path / value)
    assert registers.main() == 0
    folder = tmp_path / "state" / BOOT_ID
    told = base64url((folder / "boot_log").read_bytes())
    state = (folder / "registers").read_bytes()
    held = {f"rtmr_{number}": state[92 + 48 * number : 140 + 48 * number].hex() for number in range(3)}
    assert {name: len(events) for name, events in measured_boot.events(held, told).items()} == {
        "rtmr_0": 2, "rtmr_1": 1, "rtmr_2": 2,
    }  # fmt: skip
