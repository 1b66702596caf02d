"""`make fuzz [N=...] [SEED=...]`: as many random questions to both implementations as one likes.

Prints every difference that the table does not explain; exit status 1 if there is one. `--show INDEX` prints one
question of the seed as JSON.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "quote_verifier" / "src")]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--show", type=int, metavar="INDEX")
    wanted = parser.parse_args()
    from tests.agreement.asking import ask, make
    from tests.agreement.node import Node

    seed = secrets.randbelow(10**9) if wanted.seed is None else wanted.seed
    if wanted.show is not None:
        print(json.dumps(make(seed, wanted.show), indent=1))
        return 0
    began = time.monotonic()
    with Node() as node:
        findings = ask(wanted.count, seed, node)
    for difference in findings.differences:
        print(difference)
    seconds = time.monotonic() - began
    print(f"seed {seed}: {findings.asked} questions in {seconds:.0f} s, {len(findings.differences)} differences")
    print(f"overall: {dict(findings.overall)}")
    for check, statuses in findings.statuses.items():
        print(f"  {check}: {dict(statuses)}")
    if findings.exempt:
        print(f"explained by the table: {dict(findings.exempt)}")
    return 1 if findings.differences else 0


if __name__ == "__main__":
    sys.exit(main())
