"""How much the verifier adds to dcap-qvl: `python bench/verifier.py`.

Everything is measured in one run on one machine, with collateral already at hand, after import: processor time, which
other work on the machine does not distort. Goal: at most 5 ms above dcap-qvl alone for a whole bundle with all checks.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "quote_verifier" / "src")]

import dcap_qvl  # type: ignore[import-untyped]  # noqa: E402
from quote_verifier.genuine import root_certificate  # noqa: E402
from quote_verifier.references import references_from  # noqa: E402

from quote_verifier import Options, verify, verify_bare  # noqa: E402
from tests.quote_verifier.world import NOW, Td, references  # noqa: E402

ROUNDS = 200
GOAL_MS = 5.0


def median_ms(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median processor time of one call, in milliseconds."""
    work()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times) * 1000


def main() -> int:
    bundle = Td().bundle()
    text = json.dumps(bundle).encode()
    quote = bytes.fromhex(bundle["evidence"]["quote"])
    options = Options(references=references_from(references()))
    collateral_text = json.dumps(bundle["collateral"])
    root = root_certificate("simulator")

    def alone() -> object:
        collateral = dcap_qvl.QuoteCollateralV3.from_json(collateral_text)
        return dcap_qvl.verify_with_root_ca(quote, collateral, root, NOW)

    rows = [
        ("dcap-qvl alone", median_ms(alone)),
        ("bare quote", median_ms(lambda: verify_bare(quote, bundle["collateral"], now=NOW, options=options))),
        ("whole bundle, all checks", median_ms(lambda: verify(text, now=NOW, options=options))),
    ]
    base = rows[0][1]
    for name, value in rows:
        print(f"{name:26} {value:7.2f} ms   {value / base:5.2f} x   {value - base:+6.2f} ms")
    added = rows[2][1] - base
    outcome = "met" if added <= GOAL_MS else "MISSED"
    print(f"added by a whole verdict: {added:.2f} ms (goal: at most {GOAL_MS:g} ms): {outcome}")
    return 0 if added <= GOAL_MS else 1


if __name__ == "__main__":
    sys.exit(main())
