"""Quotes for tests and tools: a plan for the values asked for, changed by the fault asked for, and its bytes."""

import dataclasses
from collections.abc import Sequence

from . import profile
from .faults.quote import apply
from .plans.quote import BODY_TD10, BODY_TD15, Plan, assemble


def make_quote(
    report_data: bytes = b"",
    *,
    version: int = 4,
    body: str | None = None,
    rtmrs: Sequence[bytes] | None = None,
    td_attributes: bytes | None = None,
    mr_td: bytes | None = None,
    fault: str | None = None,
    **fields: bytes,
) -> bytes:
    """A quote under the test root.

    `report_data`: 0 to 64 bytes, padded with zeros. `version`: 4 or 5. `body`: "td10" or "td15"; by default the TD 1.0
    body in version 4 and the TD 1.5 body in version 5 (version 4 knows only TD 1.0). `rtmrs`: four registers of 48
    bytes. `fields`: any other field of `profile.TdBody`, raw bytes. `fault`: a name of `faults.quote.FAULTS`.
    Raises ValueError for a value of the wrong size and for an unknown fault.
    """
    if len(report_data) > 64:
        raise ValueError(f"report data has {len(report_data)} bytes, at most 64 fit")
    if version not in (4, 5):
        raise ValueError(f"quote version {version} is unknown: 4 and 5 are")
    body = body or ("td15" if version == 5 else "td10")
    if body not in ("td10", "td15") or (version == 4 and body != "td10"):
        raise ValueError(f"a version {version} quote has no body {body!r}")
    changes: dict[str, object] = {"report_data": report_data.ljust(64, b"\0"), **fields}
    for name, value in (("rtmrs", rtmrs and tuple(rtmrs)), ("td_attributes", td_attributes), ("mr_td", mr_td)):
        if value is not None:
            changes[name] = value
    plan = Plan(
        version=version,
        body=dataclasses.replace(profile.TD, **changes),  # type: ignore[arg-type]
        body_type=BODY_TD15 if body == "td15" else BODY_TD10,
    )
    if fault is not None:
        apply(fault, plan)
    return assemble(plan)
