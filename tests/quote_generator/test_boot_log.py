"""The boot event log that an attester gives: it replays as the machine's own, without the texts that nobody needs."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from quote_verifier.boot_events import name_of, read
from quote_verifier.boot_log import MAX_BYTES, parse_ccel, replay

from quote_generator import boot_log
from quote_generator.formats import FormatError
from simulator import boot

LOGS = sorted((Path(__file__).parents[1] / "quote_verifier" / "boot_logs").glob("ccel-*.bin"))
AREA = 64 * 1024  # of which a log fills the beginning


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
@pytest.mark.parametrize("empty", [b"\0", b"\xff"], ids=["zeros", "ones"])
def test_what_is_given_replays_to_the_same_registers_and_names_the_same_events(path: Path, empty: bytes) -> None:
    own = path.read_bytes()
    given = boot_log.given(own.ljust(AREA, empty))
    before, after = parse_ccel(own), parse_ccel(given)
    assert replay(after) == replay(before)
    assert [name_of(event) for event in after] == [name_of(event) for event in before]
    assert len(given) < len(own) and b"grub_cmd" not in given and b"a\0l\0i\0n\0u\0x\0" not in given


@pytest.mark.attack
def test_a_boot_loaders_commands_are_nobodys_business() -> None:
    """GRUB measures each command of a file that only root may read, the hash of its password included."""
    secret = b"grub_cmd password_pbkdf2 root grub.pbkdf2.sha512.10000.C0FFEE"
    log = boot.log([*boot.EVENTS, boot.Event(2, 0xD, bytes(48), secret)])
    given = boot_log.given(log)
    assert b"pbkdf2" not in given
    assert replay(parse_ccel(given)) == replay(parse_ccel(log))


def test_each_cut_is_refused_or_leaves_whole_events() -> None:
    whole = [event.digest for event in parse_ccel(boot.log())]
    for size in range(len(boot.log())):
        try:
            given = boot_log.given(boot.log()[:size])
        except FormatError:
            continue
        left = [event.digest for event in parse_ccel(given)]
        assert left == whole[: len(left)]


@pytest.mark.parametrize(
    ("memory", "says"),
    [
        (b"", "cut off"),
        (bytes(64), "does not begin with a whole Spec ID event"),
        (boot.log()[:40], "does not begin with a whole Spec ID event"),
        (boot.log()[:-1], "cut off within an event"),
        (boot.log().replace(struct.pack("<IHH", 1, 0xC, 48), struct.pack("<IHH", 9, 0xC, 48)), "has 9 algorithms"),
        (boot.log().replace(struct.pack("<IHH", 1, 0xC, 48), struct.pack("<IHH", 1, 0xB, 32)), "does not name"),
        (bytes(boot_log.MOST_MEMORY + 1), "more than 16777216 bytes"),
        (boot.log([boot.Event(0, 0xD, bytes(48), b"")] * 9000), "what is to be given has .* more than 524288"),
    ],
)
def test_a_log_that_cannot_be_given_is_one_sentence(memory: bytes, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        boot_log.given(memory)


def test_verifiers_take_whatever_an_attester_gives() -> None:
    assert boot_log.MOST_BYTES == MAX_BYTES


def test_the_tds_own_log_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot_log, "CCEL", tmp_path / "CCEL")
    assert boot_log.find(simulated=False) is None
    (tmp_path / "CCEL").write_bytes(LOGS[0].read_bytes().ljust(AREA, b"\xff"))
    assert replay(read(boot_log.find(simulated=False))) == replay(parse_ccel(LOGS[0].read_bytes()))


@pytest.mark.parametrize(
    "content", [b"", b"garbage", bytes(boot_log.MOST_MEMORY + 1)], ids=["none", "garbage", "16 MB"]
)
def test_a_log_that_is_none_is_not_given_and_the_reason_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    monkeypatch.setattr(boot_log, "CCEL", tmp_path / "CCEL")
    (tmp_path / "CCEL").write_bytes(content)
    assert boot_log.find(simulated=False) is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "is not given" in caplog.text


def test_a_simulated_td_has_the_simulators_log_or_its_own_boots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine image's simulated TD has the log of the machine that booted (registers.py)."""
    (tmp_path / "boot_log.bin").write_bytes(boot.log())
    monkeypatch.setattr(boot_log, "_beside_the_library", lambda: tmp_path / "boot_log.bin")
    monkeypatch.setenv("TDX_SIM_STATE", str(tmp_path / "state"))
    assert replay(read(boot_log.find(simulated=True))) == boot.registers()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "boot_log").write_bytes(boot.log(boot.EVENTS[:3]))
    assert len(read(boot_log.find(simulated=True))) == 3
