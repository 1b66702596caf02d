"""Genuine quotes of real platforms: what dcap-qvl alone says of them, and that nobody can change them.

What the verifiers must say is the shared vectors' (`genuine-*`); where they are from, tests/vectors/genuine/README.md.
"""

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import dcap_qvl  # type: ignore[import-untyped]
import pytest

from quote_verifier import Options, cli, load_policy, verify_bare
from tests.vectors.genuine_cases import GENUINE, table

ROWS = table()
SERVICE_TD = "383c87d3bbb047b2d171eaca95312ede99f258088dc788f6ae2ccf8b6dd848fe8d47629e08b3f6cbd4a00dd47a5a033d"
ACCEPTED = '[tcb]\naccepted_statuses = ["OutOfDate"]\n'
ALLOWED = f'{ACCEPTED}[platform]\nmr_service_td = ["{SERVICE_TD}"]\n'


@cache
def quote(name: str) -> bytes:
    return bytes.fromhex((GENUINE / f"{name}.hex").read_text().strip())


@cache
def collateral(name: str) -> dict[str, str]:
    made: dict[str, str] = json.loads((GENUINE / f"collateral-{name}.json").read_text())
    return made


def seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_what_dcap_qvl_says(row: dict[str, Any]) -> None:
    given = dcap_qvl.QuoteCollateralV3.from_json(json.dumps(collateral(row["collateral"])))
    try:
        said = dcap_qvl.verify(quote(row["quote"]), given, seconds(row["now"])).status
    except ValueError as error:
        said = str(error).removeprefix("Verification failed: ").splitlines()[0]
    assert said == row["dcap_qvl"]


@pytest.mark.parametrize(("policy", "code"), [("", 5), (ACCEPTED, 5), (ALLOWED, 7)])
def test_alibaba_on_the_command_line(
    policy: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "quote.bin": quote("alibaba-v5"),
        "collateral.json": json.dumps(collateral("90c06f-2026-02")).encode(),
        "policy.toml": policy.encode(),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    given = ["--quote", str(tmp_path / "quote.bin"), "--collateral", str(tmp_path / "collateral.json")]
    given += [
        "--policy",
        str(tmp_path / "policy.toml"),
        "--at",
        "2026-03-01T00:00:00Z",
        "--cache",
        str(tmp_path / "cache"),
    ]
    assert cli.run(given) == code
    assert (SERVICE_TD in capsys.readouterr().out) is True


@pytest.mark.slow
def test_no_byte_of_alibabas_quote_can_be_changed() -> None:
    """Where dcap-qvl's Python refuses a service TD, ours judges: it accepts no other quote for that."""
    good, options = quote("alibaba-v5"), Options(policy=load_policy(ALLOWED))
    given, now = collateral("90c06f-2026-02"), seconds("2026-03-01T00:00:00Z")
    assert verify_bare(good, given, now=now, options=options).exit_code == 7
    signed = 48 + 6 + 648
    for position in (*range(0, signed, 7), *range(signed + 4, 1328, 5)):
        changed = bytearray(good)
        changed[position] ^= 0x40
        verdict = verify_bare(bytes(changed), given, now=now, options=options)
        outer_type = signed + 4 + 128
        assert verdict.exit_code == 4 or position in (outer_type, outer_type + 1), position
