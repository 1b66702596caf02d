"""Every test vector gets the verdict it names, check by check."""

import json
import re
import subprocess
import sys
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from quote_verifier.appraise import Options, verify, verify_bare
from quote_verifier.collateral import Seen
from quote_verifier.policy import policy_from
from quote_verifier.references import merge, references_from
from quote_verifier.tokens import service_from
from quote_verifier.verdict import ALL_CHECKS, BARE_CHECKS, Verdict

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
CASES = sorted((VECTORS / "cases").glob("*.json"))


def resolve(value: Any) -> Any:
    """Replace every "@file" string as tests/vectors/README.md says."""
    if isinstance(value, str) and value.startswith("@"):
        texts = [(VECTORS / name).read_text().removesuffix("\n") for name in value[1:].split("@")]
        return resolve(json.loads(texts[0])) if value.endswith(".json") else "".join(texts)
    if isinstance(value, dict):
        return {key: resolve(item) for key, item in value.items()}
    return [resolve(item) for item in value] if isinstance(value, list) else value


def resolve_text(text: str) -> str:
    """Replace every string literal "@file" inside a JSON text, which stays what it is otherwise."""
    return re.sub(r'"(@[^"]+)"', lambda found: json.dumps(resolve(found[1])), text)


def options_of(held: dict[str, Any]) -> Options:
    return Options(
        references=merge(references_from(document) for document in held.get("references", [])),
        policy=policy_from(held.get("policy", {})),
        services=tuple(service_from(item) for item in held.get("services", [])),
        seen=Seen(**held.get("seen", {})),
        test_root_is_genuine=held.get("test_root_is_genuine", False),
    )


def judge(case: dict[str, Any]) -> Verdict:
    now = int(datetime.fromisoformat(case["now"]).timestamp())
    options = options_of(resolve(case.get("options", {})))
    if "bare" in case:
        bare = resolve(case["bare"])
        return verify_bare(bytes.fromhex(bare["quote"]), bare["collateral"], now=now, options=options)
    text = json.dumps(resolve(case["bundle"])) if "bundle" in case else resolve_text(case["bundle_text"])
    return verify(text, now=now, options=options)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_vector(path: Path) -> None:
    case = json.loads(path.read_text())
    verdict = judge(case)
    actual = {check.id: check.status for check in verdict.checks}
    details = "\n".join(f"{check.id}: {check.detail}" for check in verdict.checks)
    assert actual == case["expect"]["checks"], details
    assert verdict.overall == case["expect"]["overall"]
    for check_id, words in case["expect"].get("says", {}).items():
        assert words in verdict.check(check_id).detail
    assert tuple(actual) == (BARE_CHECKS if "bare" in case else ALL_CHECKS)


@pytest.mark.slow
def test_the_committed_vectors_are_what_the_generator_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, VECTORS / "generate.py", tmp_path], check=True, capture_output=True)
    generated = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    folders = {path.parts[0] for path in generated}
    committed = {
        path.relative_to(VECTORS): path.read_bytes()
        for folder in folders
        for path in (VECTORS / folder).rglob("*")
        if path.is_file()
    }
    assert generated == committed


def test_every_check_passes_warns_and_fails_somewhere() -> None:
    statuses = defaultdict(set)
    for path in CASES:
        for check, status in json.loads(path.read_text())["expect"]["checks"].items():
            statuses[check].add(status)
    never_warn = {"quote.format", "quote.signature", "quote.debug", "tee.real", "binding.nonce"}
    for check in ALL_CHECKS:
        wanted = {"pass", "fail"} | (set() if check in never_warn else {"warn"})
        assert wanted <= statuses[check], check
    assert "skipped" in statuses["service.token"]
