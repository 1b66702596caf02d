"""The prediction as a file, and reference values of a platform from it and one look at a machine that is trusted.

`dist/<release>.platform.json`:
    {"v": 1, "name", "image_sha256", "root": "verity", "verity": "<data blocks>,<salt>,<root hash>",
     "rtmr_1": {"separator": hex, "plain": hex}, "rtmr_2": hex,
     "events": {"rtmr_1": [{"type", "sha384", "what"}, ...], "rtmr_2": [...]}}
and, where the build was given a firmware, what follows from its file alone (firmware.py):
     "firmware": {"name", "sha256", "mr_td": {"page": hex, "section": hex},
                  "rtmr_0": [{"type", "sha384": [hex, ...], "what"}, ...]}
The image decides RTMR 2, and RTMR 1 but for which of the two layouts it has; firmware decides that and MRTD; firmware
and the machine's shape decide RTMR 0: what `firmware.rtmr_0` has no digest for is the machine's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scripts.building.files import write_durably
from scripts.config import Config
from scripts.errors import MismatchError, UsageError
from scripts.image import gpt, measured_boot, prediction
from scripts.image.firmware import ORDERS, Firmware
from scripts.image.prediction import Expected

FIRMWARES = ("mr_td", "rtmr_0", "xfam", "td_attributes", "mr_seam")


def predict(
    name: str, kernel_image: bytes, table: gpt.Table, image: Path, verity: str, firmware: Firmware | None = None
) -> dict[str, Any]:
    """The document for this image, and for this firmware if there is one."""
    with image.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    layouts = {layout: prediction.rtmr_1(kernel_image, table, layout) for layout in prediction.LAYOUTS}
    second = prediction.rtmr_2(kernel_image)
    return {
        "v": 1,
        "name": name,
        "image_sha256": digest,
        "root": "verity",
        "verity": verity,
        "rtmr_1": {layout: _register(events) for layout, events in layouts.items()},
        "rtmr_2": _register(second),
        "events": {"rtmr_1": prediction.listed(layouts[prediction.LAYOUTS[0]]), "rtmr_2": prediction.listed(second)},
        **({"firmware": firmware.document()} if firmware else {}),
    }


def _register(events: Iterable[Expected]) -> str:
    return prediction.replay(event.digest for event in events).hex()


def place(cfg: Config) -> Path:
    """Where the prediction lies."""
    return cfg.dist / f"{cfg.release_name}.platform.json"


def write(out: Path, document: Mapping[str, Any]) -> None:
    """Write a document as people read it."""
    write_durably(out, (json.dumps(document, indent=1) + "\n").encode())


def references(
    predicted: Mapping[str, Any],
    body: Mapping[str, str],
    release: Mapping[str, Any],
    boot_log: Any = None,
    firmware: Firmware | None = None,
) -> dict[str, Any]:
    """Reference values, version 2: the release's events, and the platform of a quote's body that this image booted.

    `boot_log`: the evidence's, for what extended RTMR 0 to 2, so that verifiers can name what differs later.
    `body`: the quote's fields by name, lower-case hex. Whoever takes them trusts the machine for its firmware (MRTD,
    RTMR 0) and TDX module; that it booted this image is compared. With `firmware` it has to have started with that, so
    that it is trusted for its shape and its TDX module alone. Raises MismatchError.
    """
    expected = predicted["rtmr_1"]
    if body["rtmr_1"] not in expected.values():
        raise MismatchError(
            f"RTMR 1 is {body['rtmr_1']}, expected {' or '.join(expected.values())}: it did not boot this image, or "
            "its firmware measures more into RTMR 1 than this version knows."
        )
    if body["rtmr_2"] != predicted["rtmr_2"]:
        raise MismatchError(
            f"RTMR 2 is {body['rtmr_2']}, expected {predicted['rtmr_2']}: it did not boot this image as built."
        )
    bound = body.get("mr_service_td", "")
    platform: dict[str, Any] = {name: body[name] for name in (*FIRMWARES, "rtmr_1", "rtmr_2")}
    if bound.strip("0"):
        platform["mr_service_td"] = bound
    platform["root"] = predicted["root"]
    told = measured_boot.events(dict(body), boot_log)
    if firmware is not None:
        print(started_with(firmware, body["mr_td"], told.get("rtmr_0")))
    if told:
        platform["boot_events"] = {name: prediction.listed(events) for name, events in told.items()}
    return {**release, "name": predicted["name"], "platforms": [platform]}


def started_with(firmware: Firmware, mr_td: str, rtmr_0: list[Expected] | None) -> str:
    """That a machine started with this firmware, and what of RTMR 0 was taken from it: one sentence.

    `rtmr_0`: the events that lead to its RTMR 0, None where no log tells them. Raises MismatchError.
    """
    orders = [order for order in ORDERS if firmware.mr_td(order).hex() == mr_td]
    if not orders:
        expected = " or ".join(f"{firmware.mr_td(order).hex()} (by {order})" for order in ORDERS)
        raise MismatchError(
            f"MRTD is {mr_td}, expected {expected}: it did not start with the firmware {firmware.name}."
        )
    if rtmr_0 is None:
        return f"MRTD is that of {firmware.name}. No boot log tells what extended RTMR 0, which is taken as it is."
    if lacking := firmware.missing(rtmr_0):
        raise MismatchError(
            f"RTMR 0 lacks {', '.join(lacking)} of the firmware {firmware.name}: its variables are not the file's."
        )
    shape = ", ".join(firmware.shape(rtmr_0))
    return (
        f"MRTD is that of {firmware.name}, and so is what it measures into RTMR 0; of the machine are taken: {shape}."
    )


def references_from(
    cfg: Config, bundle: Path, release: Mapping[str, Any], firmware: Firmware | None = None
) -> dict[str, Any]:
    """The same from an evidence bundle that `quote-verifier --save` wrote. Raises UsageError, MismatchError."""
    from quote_generator.formats import parse_quote

    try:
        predicted = json.loads(place(cfg).read_text(encoding="utf-8"))
        evidence = json.loads(bundle.read_text(encoding="utf-8"))["evidence"]
        body = parse_quote(bytes.fromhex(evidence["quote"])).fields()
        boot_log = evidence.get("boot_log")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"The image's prediction or the bundle {bundle} cannot be used: {error}.") from None
    return references(predicted, body, release, boot_log, firmware)
