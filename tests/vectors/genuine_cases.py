"""Cases about genuine quotes of real platforms: the table in `genuine/`, judged as of a time when it holds."""

import json
from pathlib import Path
from typing import Any

from tests.vectors.ground import W

GENUINE = Path(__file__).resolve().parent / "genuine"


def table() -> list[dict[str, Any]]:
    """Each row: which quote, collateral, time, policy and reference values; what dcap-qvl and what we must say."""
    rows: list[dict[str, Any]] = json.loads((GENUINE / "table.json").read_text())
    return rows


def genuine_cases() -> None:
    for row in table():
        given = {
            "quote": f"@genuine/{row['quote']}.hex",
            "collateral": f"@genuine/collateral-{row['collateral']}.json",
        }
        options = {key: row[key] for key in ("policy", "references") if key in row}
        about = f"{row['about']} (genuine)"
        W.add(
            f"genuine-{row['name']}",
            about,
            row["overall"],
            row["changed"],
            now=row["now"],
            bare=given,
            options=options,
        )
