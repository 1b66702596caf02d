"""The policy file: strict about itself, strict by default."""

import tomllib

import pytest
from quote_verifier.errors import UsageError
from quote_verifier.policy import DEFAULT_TOML, Policy, load_policy


def test_printed_defaults_are_the_defaults() -> None:
    assert load_policy(DEFAULT_TOML) == Policy()
    assert load_policy("") == Policy()


def test_commented_examples_are_readable() -> None:
    """Every commented-out key of the printed policy can be uncommented as it stands."""
    lines = [line.removeprefix("# ") if line.startswith("# min_") else line for line in DEFAULT_TOML.splitlines()]
    assert load_policy("\n".join(lines)).min_pce_svn == 11
    assert tomllib.loads(DEFAULT_TOML)["freshness"]["max_age_s"] == 600


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("v = 2", "v is 2"),
        ("surprise = 1", "key 'surprise' is unknown"),
        ("[tcb]\nsurprise = 1", "key 'tcb.surprise' is unknown"),
        ("tcb = 1", "must be a table"),
        ("[platform]\nmr_td = []", "platform.mr_td is an empty list"),
        ('[platform]\nmr_td = [""]', "holds an empty value"),
        ('[platform]\nmr_td = "aa"', "must be a list of strings"),
        ('[platform]\nmr_td = ["aa"]', "has 1 bytes, expected 48"),
        (f'[platform]\nmr_td = ["{"AB" * 48}"]', "not lower-case hexadecimal"),
        ('[platform]\nmr_service_td = ["aa"]', "has 1 bytes, expected 48"),
        ("[platform]\nmr_service_td = []", "platform.mr_service_td is an empty list"),
        (f'[platform]\nmr_service_td = ["{"00" * 48}"]', "zeros, which mean no service TD"),
        ("[platform]\nallow_migration = 1", "true or false"),
        ('[tcb]\naccepted_statuses = ["Revoked"]', "holds 'Revoked', expected one of"),
        ('[tcb]\naccepted_statuses = ["UpToDate"]', "holds 'UpToDate'"),
        ('[tcb]\nmin_tee_tcb_svn = ""', "is empty"),
        ("[tcb]\nmin_pce_svn = -1", "at least 0"),
        ("[tcb]\nmin_pce_svn = true", "whole number"),
        ("[tcb]\nallow_smt = 1", "true or false"),
        ('[tcb]\nrefused_advisories = ["intel"]', "INTEL-SA"),
        ('[services]\nrequired = ["google"]', "holds 'google'"),
        ("[freshness]\nmax_age_s = 0", "at least 1"),
        ("[", "not TOML"),
        ("v = true", "v is True"),
        ("v = 1.0", r"v is 1\.0"),
        ("a = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("v = " + "9" * 5000, "too many digits"),
        ("v = " + "9" * 4000, r"v is 9{60}\.\.\., this"),
        ("v = 0x" + "f" * 5000, "v is a huge number"),
        (f"[tcb]\nmin_pce_svn = {2**53}", "is 9007199254740992, expected a whole number"),
        (f'[platform]\nmr_td = ["0x{"ab" * 48}"]', "begins with 0x"),
    ],
)
def test_refuses(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason.replace("[", r"\[")):
        load_policy(text)
