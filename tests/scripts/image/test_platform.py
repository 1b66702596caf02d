"""Reference values of the image's platform: what was predicted, and one look at a machine that booted it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from quote_verifier.references import references_from

from scripts.errors import MismatchError
from scripts.image import firmware, platform
from scripts.image.prediction import Expected
from simulator import boot
from tests.scripts.image import test_firmware as files

PREDICTED: dict[str, Any] = {
    "name": "an image", "root": "verity", "rtmr_1": {"separator": "11" * 48, "plain": "22" * 48}, "rtmr_2": "33" * 48,
}  # fmt: skip
BODY = {
    "mr_td": "aa" * 48, "rtmr_0": "bb" * 48, "rtmr_1": "22" * 48, "rtmr_2": "33" * 48, "rtmr_3": "44" * 48,
    "xfam": "cc" * 8, "td_attributes": "dd" * 8, "mr_seam": "ee" * 48, "mr_service_td": "00" * 48,
}  # fmt: skip
RELEASE = {"v": 2, "name": "", "events": ["a b {}"], "rtmr_3": "44" * 48, "platforms": []}


def test_verifiers_take_them_as_a_platform_whose_every_program_is_covered() -> None:
    (found,) = references_from(platform.references(PREDICTED, BODY, RELEASE)).platforms
    assert found.verity
    assert found.values == {name: BODY[name] for name in found.values}
    assert "mr_service_td" not in found.values


def test_a_service_td_is_part_of_the_look() -> None:
    document = platform.references(PREDICTED, BODY | {"mr_service_td": "55" * 48}, RELEASE)
    assert document["platforms"][0]["mr_service_td"] == "55" * 48


@pytest.mark.parametrize("name", ["rtmr_1", "rtmr_2"])
def test_a_machine_that_did_not_boot_this_image_is_refused(name: str) -> None:
    with pytest.raises(MismatchError, match=f"RTMR {name[-1]} is {'66' * 48}, expected .*: it did not boot this image"):
        platform.references(PREDICTED, BODY | {name: "66" * 48}, RELEASE)


LOG = base64.urlsafe_b64encode(boot.log()).rstrip(b"=").decode()
MEASURED = dict(zip(("rtmr_0", "rtmr_1", "rtmr_2"), (value.hex() for value in boot.registers()), strict=False))
OWN = PREDICTED | {"rtmr_1": {"separator": "11" * 48, "plain": MEASURED["rtmr_1"]}, "rtmr_2": MEASURED["rtmr_2"]}


def test_the_machines_boot_log_says_what_to_expect_of_each_register() -> None:
    document = platform.references(OWN, BODY | MEASURED, RELEASE, LOG)
    events = document["platforms"][0]["boot_events"]
    assert [len(events[name]) for name in ("rtmr_0", "rtmr_1", "rtmr_2")] == [13, 5, 2]
    assert [event["what"] for event in events["rtmr_0"][:3]] == [
        "the memory map (TD HOB)", "a volume of the firmware", "the variable SecureBoot",
    ]  # fmt: skip
    (found,) = references_from(document).platforms
    assert set(found.events) == {"rtmr_0", "rtmr_1", "rtmr_2"} and not found.newer


def test_of_a_register_to_which_the_log_does_not_replay_nothing_is_said() -> None:
    document = platform.references(OWN, BODY | MEASURED | {"rtmr_0": "bb" * 48}, RELEASE, LOG)
    assert set(document["platforms"][0]["boot_events"]) == {"rtmr_1", "rtmr_2"}


@pytest.mark.parametrize("log", [None, 7, "", "x+y", "AAAA"])
def test_without_a_log_that_can_be_read_there_are_the_registers_alone(log: Any) -> None:
    assert "boot_events" not in platform.references(OWN, BODY | MEASURED, RELEASE, log)["platforms"][0]


TDVF = firmware.parse("OVMF.fd", files.built())
OWN_LOG = files.named(files.logged("ccel-ovmf.bin"))


@pytest.mark.parametrize("order", firmware.ORDERS)
def test_a_machine_that_started_with_the_firmware_is_trusted_for_its_shape_alone(order: str) -> None:
    assert platform.started_with(TDVF, TDVF.mr_td(order).hex(), OWN_LOG) == (
        "MRTD is that of OVMF.fd, and so is what it measures into RTMR 0; of the machine are taken: "
        "the memory map (TD HOB), the ACPI tables, the variable BootOrder, the variable Boot0000."
    )
    assert "No boot log tells" in platform.started_with(TDVF, TDVF.mr_td(order).hex(), None)


def test_another_firmware_is_refused_by_its_mrtd() -> None:
    with pytest.raises(
        MismatchError, match=f"MRTD is {'aa' * 48}, expected [0-9a-f]{{96}} .by page. or [0-9a-f]{{96}}"
    ):
        platform.references(PREDICTED, BODY, RELEASE, firmware=TDVF)


@pytest.mark.parametrize(
    ("events", "lacks"),
    [
        (files.named(files.logged("ccel-gcp.bin")), "a volume of the firmware, the variable PK"),
        (OWN_LOG[:1] + OWN_LOG[2:], "a volume of the firmware"),
        ([], "a volume of the firmware, the variable SecureBoot"),
    ],
)
def test_a_firmware_whose_variables_are_others_is_refused_by_their_names(events: list[Expected], lacks: str) -> None:
    with pytest.raises(MismatchError, match=f"RTMR 0 lacks {lacks}.* its variables are not the file's"):
        platform.started_with(TDVF, TDVF.mr_td().hex(), events)


def test_the_prediction_says_what_follows_from_the_firmware_and_what_the_machine_decides() -> None:
    told = TDVF.document()
    assert set(told["mr_td"]) == {"page", "section"}
    open_ = [event["what"] for event in told["rtmr_0"] if not event["sha384"]]
    assert open_ == ["the memory map (TD HOB)", *["the ACPI tables"] * 3, "the boot options"]
