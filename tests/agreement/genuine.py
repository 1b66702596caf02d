"""Genuine quotes of real platforms and their collateral, as the pinned archive of dcap-qvl carries them (MIT)."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from tests import webbundle
from tests.agreement.questions import Question
from tests.vectors.ground import NONCE, ORIGIN, PROOF, runtime_data

NAMES = ("tdx_quote", "tdx_quote_outdated", "tdx_quote_td15ex")


@cache
def _sample(name: str) -> tuple[str, dict[str, str], str]:
    (folder,) = (webbundle.folder() / "dcap-qvl").glob("*/sample")
    made = json.loads((folder / f"{name}_collateral.json").read_text())
    return (folder / name).read_bytes().hex(), made, json.loads(made["tcb_info"])["issueDate"]


def questions() -> list[Question]:
    """Each as a bare quote and in a bundle, judged when its collateral was in date."""
    asked: list[Question] = []
    for name in NAMES:
        quote, made, issued = _sample(name)
        now = issued[:11] + "23:59:59Z"
        held: dict[str, Any] = {"references": [], "policy": {}, "services": [], "seen": None, "genuine": False}
        held |= {"now": now, "policy": {"tcb": {"accepted_statuses": ["OutOfDate", "SWHardeningNeeded"]}}}
        evidence = {"quote": quote, "runtime_data": runtime_data(), "proof": PROOF, "event_log": None}
        bundle = {"v": 1, "time": now, "nonce": NONCE, "connected": {"origin": ORIGIN}}
        bundle |= {"evidence": evidence, "collateral": made, "service_tokens": []}
        asked.append(held | {"bare": {"quote": quote, "collateral": made}})
        asked.append(held | {"bundle": json.dumps(bundle, separators=(",", ":"))})
    return asked
