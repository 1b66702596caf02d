"""Collateral for tests and tools: the plan for a moment, changed by the fault asked for, signed."""

import datetime as dt

from .faults.collateral import apply
from .plans.collateral import assemble, plan


def as_datetime(now: dt.datetime | float | None) -> dt.datetime:
    """A time zone aware time from a datetime, seconds since 1970, or None for the clock's."""
    if now is None:
        return dt.datetime.now(dt.UTC)
    if isinstance(now, dt.datetime):
        if now.tzinfo is None:
            raise ValueError(f"{now} has no time zone")
        return now
    return dt.datetime.fromtimestamp(now, dt.UTC)


def collateral(now: dt.datetime | float | None = None, *, fault: str | None = None) -> dict[str, str]:
    """dcap-qvl's collateral object, all members text.

    `now`: when it is looked at (time zone aware, or seconds since 1970; by default the clock's). `fault`: a name of
    `faults.collateral.FAULTS`; ValueError for an unknown one.
    """
    made = plan(as_datetime(now))
    if fault is not None:
        apply(fault, made)
    return assemble(made)
