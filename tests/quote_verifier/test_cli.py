"""The command line as people and CI run it: exit codes, one-sentence errors, never a traceback."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from quote_verifier.encoding import to_base64url
from quote_verifier.errors import UsageError
from quote_verifier.request import Request, judge

from quote_verifier import cli
from simulator import boot
from simulator.collateral import collateral
from simulator.pccs import Pccs
from simulator.quotes import make_quote
from tests.standins import StandIn
from tests.standins.tokens import jwks

from . import world
from .world import EVENTS, NOW, Site, Td, make_certificate, references, within

SOURCES = Path(__file__).resolve().parents[2] / "quote_verifier" / "src"


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def run(*arguments: object, cache: Path) -> Done:
    """The command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    known = {"XDG_CACHE_HOME": str(cache), "COLUMNS": "200", "TERM": "dumb"}
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name, value in known.items():
            patch.setenv(name, value)
        code = cli.run([*map(str, arguments)])
    assert "Traceback" not in err.getvalue() + out.getvalue()
    assert "\x1b" not in err.getvalue() + out.getvalue()
    return Done(code, out.getvalue(), err.getvalue())


def spawn(*arguments: object, cache: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    kept = {key: value for key, value in os.environ.items() if key not in ("FORCE_COLOR", "NO_COLOR")}
    command = [sys.executable, "-m", "quote_verifier", *map(str, arguments)]
    paths = {"PYTHONPATH": str(SOURCES), "XDG_CACHE_HOME": str(cache)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=kept | paths | environment)
    assert "Traceback" not in done.stderr + done.stdout
    assert "\x1b" not in done.stderr + done.stdout
    return done


@pytest.fixture
def site() -> Iterator[Site]:
    with Site(Td()) as running:
        yield running


@pytest.fixture
def held(tmp_path: Path) -> Path:
    path = tmp_path / "references.json"
    path.write_text(json.dumps(references()))
    return path


def statuses(done: Done | subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {check["id"]: check["status"] for check in json.loads(done.stdout)["checks"]}


def test_simulated_with_nothing_else_failing(site: Site, held: Path, tmp_path: Path) -> None:
    done = run(site.url, "--release", held, "--json", cache=tmp_path)
    assert done.returncode == 6
    found = statuses(done)
    assert {name for name, status in found.items() if status == "fail"} == {"tee.real"}
    assert "warn" not in found.values()


@pytest.mark.slow
def test_text(site: Site, held: Path, tmp_path: Path) -> None:
    done = spawn(site.url, "--release", held, cache=tmp_path)
    assert done.returncode == 6
    assert "SIMULATED" in done.stdout
    assert "FAIL  tee.real" in done.stdout


OTHER_SHAPE = [boot.EVENTS[0]._replace(digest=bytes(48)), *boot.EVENTS[1:]]
LOG = to_base64url(boot.log())


@pytest.fixture
def shape(tmp_path: Path) -> Path:
    """Reference values of a machine that differs from the site's in its memory alone, with what its boot measured."""
    rtmr_0 = [{"type": f"{one.kind:#x}", "sha384": one.digest.hex(), "what": "an event"} for one in OTHER_SHAPE[:13]]
    rtmr_0[0]["what"] = "the memory map (TD HOB)"
    register = {"rtmr_0": boot.registers(OTHER_SHAPE)[0].hex(), "boot_events": {"rtmr_0": rtmr_0}}
    document = references() | {"platforms": [world.platform() | register]}
    (tmp_path / "shape.json").write_text(json.dumps(document))
    return tmp_path / "shape.json"


def test_a_machine_of_another_shape_is_told_by_the_events_that_differ(
    site: Site, held: Path, shape: Path, tmp_path: Path
) -> None:
    site.boot_log, saved = LOG, tmp_path / "bundle.json"
    done = run(site.url, "--release", shape, "--save", saved, cache=tmp_path)
    assert done.returncode == 5
    assert "rtmr_0 differs in the memory map (TD HOB)" in done.stdout
    kept = run("--evidence", saved, "--release", shape, cache=tmp_path)
    assert "rtmr_0 differs in the memory map (TD HOB)" in kept.stdout
    run(site.url, "--release", held, cache=tmp_path)
    assert site.requests.count("/api/v1/tee/boot-log") == 1  # where nothing could be said with it, it is not asked for


@pytest.mark.parametrize("log", [None, "endless", 7, "AAAA"])
def test_a_boot_log_that_is_none_changes_no_verdict(site: Site, shape: Path, tmp_path: Path, log: Any) -> None:
    site.boot_log = log
    if log == "endless":
        site.broken["/api/v1/tee/boot-log"] = world.endless
    done = run(site.url, "--release", shape, cache=tmp_path)
    assert done.returncode == 5
    assert f"expected {boot.registers(OTHER_SHAPE)[0].hex()}" in done.stdout.replace("\n", "").replace(" " * 8, " ")


def test_another_event_is_not_acceptable(site: Site, held: Path, tmp_path: Path) -> None:
    site.td.events[1] = EVENTS[1].replace("3.11.7", "3.11.8")
    done = run(site.url, "--release", held, cache=tmp_path)
    assert done.returncode == 5
    assert "python differs" in done.stdout


def test_collateral_seen_before_is_remembered(site: Site, held: Path, tmp_path: Path) -> None:
    assert run(site.url, "--release", held, cache=tmp_path).returncode == 6
    for path in tmp_path.rglob("collateral-*.json"):
        path.unlink()
    site.collateral = lambda: collateral(fault="old-crl")
    done = run(site.url, "--release", held, cache=tmp_path)
    assert done.returncode == 4
    assert "older than what was seen before" in done.stdout


@pytest.mark.attack
def test_a_server_hands_out_collateral_from_before_its_revocation(site: Site, held: Path, tmp_path: Path) -> None:
    """At first contact that passes, and says so; a source that is named is asked, whatever was kept within the hour."""
    site.collateral = lambda: collateral(fault="old-crl")
    done = run(site.url, "--release", held, cache=tmp_path)
    assert done.returncode == 6
    assert "1 d old; no other source than the server itself was asked" in done.stdout
    with Pccs(fault="revoked-pck") as pccs:
        done = run(site.url, "--release", held, "--pccs", pccs.url, cache=tmp_path)
    assert done.returncode == 4
    assert "older pck_crl, root_ca_crl, which was not used" in done.stdout


def test_a_source_that_is_older_than_the_relay(site: Site, held: Path, tmp_path: Path) -> None:
    site.collateral = lambda: collateral(fault="revoked-pck")
    with Pccs(fault="old-crl") as pccs:
        done = run(site.url, "--release", held, "--pccs", pccs.url, cache=tmp_path)
    assert done.returncode == 4
    assert "pck_crl, root_ca_crl from the server's own relay, which has a newer one" in done.stdout


def test_a_source_that_was_asked_for_and_is_gone(site: Site, held: Path, tmp_path: Path) -> None:
    assert run(site.url, "--release", held, cache=tmp_path).returncode == 6
    done = run(site.url, "--release", held, "--pccs", "http://127.0.0.1:1", cache=tmp_path)
    assert done.returncode == 3
    with Pccs() as pccs:
        site.broken["/api/v1/tee/collateral"] = world.answering(b"gone", 503)
        done = run(site.url, "--release", held, "--pccs", pccs.url, cache=tmp_path)
    assert done.returncode == 6
    assert "own relay gave none to compare with" in done.stdout


def test_offline_after_once_online(site: Site, held: Path, tmp_path: Path) -> None:
    assert run(site.url, "--release", held, "--offline", cache=tmp_path).returncode == 3
    assert run(site.url, "--release", held, cache=tmp_path).returncode == 6
    site.broken["/api/v1/tee/collateral"] = world.answering(b"", 500)
    assert run(site.url, "--release", held, "--offline", cache=tmp_path).returncode == 6


def test_saved_evidence_is_judged_later(site: Site, held: Path, tmp_path: Path) -> None:
    saved = tmp_path / "bundle.json"
    assert run(site.url, "--release", held, "--save", saved, cache=tmp_path).returncode == 6
    bundle = json.loads(saved.read_text())
    assert run("--evidence", saved, "--release", held, "--at", bundle["time"], cache=tmp_path).returncode == 6
    late = run("--evidence", saved, "--release", held, "--at", "2049-01-01T00:00:00Z", cache=tmp_path)
    assert late.returncode == 4
    assert "--at" in late.stdout


def test_tls_key(tmp_path: Path, held: Path) -> None:
    certificate = make_certificate(tmp_path)
    td = Td()
    with Site(td, certificate) as site:
        td.bound |= {"origin": site.url, "tls": {"spki_sha256": certificate.spki, "key": "drawn"}}
        done = run(site.url, "--release", held, "--ca-file", certificate.path, "--json", cache=tmp_path)
        assert done.returncode == 6, done.stdout
        assert statuses(done)["binding.channel"] == "pass"
        td.bound["tls"] = {"spki_sha256": "ab" * 32, "key": "drawn"}
        done = run(site.url, "--release", held, "--ca-file", certificate.path, cache=tmp_path)
        assert done.returncode == 4
        assert "its TLS key is not the TD's" in " ".join(done.stdout.split())
        assert run(site.url, "--release", held, cache=tmp_path).returncode == 3


def test_bare_quote(tmp_path: Path) -> None:
    from simulator.collateral import collateral

    quote, made = tmp_path / "q.bin", tmp_path / "c.json"
    quote.write_bytes(make_quote(b"x"))
    made.write_text(json.dumps(collateral(NOW)))
    done = run("--quote", quote, "--collateral", made, "--at", "2025-07-01T12:00:00Z", "--json", cache=tmp_path)
    assert done.returncode == 6
    assert list(statuses(done)) == ["quote.format", "quote.signature", "quote.tcb", "quote.debug", "tee.real"]
    quote.write_text(make_quote(b"x").hex() + "\n")
    assert run("--quote", quote, "--collateral", made, "--at", "2025-07-01T12:00:00Z", cache=tmp_path).returncode == 6
    quote.write_text("0x" + make_quote(b"x").hex())
    assert run("--quote", quote, "--collateral", made, "--at", "2025-07-01T12:00:00Z", cache=tmp_path).returncode == 6
    done = run("--quote", quote, "--collateral", made, cache=tmp_path)
    assert done.returncode == 4
    assert "expired" in done.stdout
    quote.write_text(make_quote(b"x").hex()[:-1])
    done = run("--quote", quote, "--collateral", made, cache=tmp_path)
    assert done.returncode == 4 and "an odd number: one is missing" in done.stderr
    quote.write_bytes(make_quote(b"x"))
    made.write_text('{"tcb_info": ')
    done = run("--quote", quote, "--collateral", made, cache=tmp_path)
    assert done.returncode == 4 and "the collateral is not JSON" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (world.hang, 3),
        (world.drip, 3),
        (world.endless, 3),
        (world.redirect, 3),
        (world.answering(b"nope", 500), 3),
        (world.answering(b"\x00\xff"), 4),
        (world.answering(b'{"quote":"00","quote":"00"}'), 4),
        (world.answering(b'{"quote":"\\u001b[31m"}'), 4),
        (world.answering(b"[" * 100_000), 4),
    ],
)
def test_a_server_that_misbehaves(site: Site, tmp_path: Path, behaviour: world.Misbehaviour, code: int) -> None:
    site.broken["/api/v1/tee/quote"] = behaviour
    with within(20):
        done = run(site.url, "--timeout", "1", cache=tmp_path)
    assert done.returncode == code, done.stderr + done.stdout
    if code == 3:
        assert done.stdout == ""
        assert done.stderr.startswith("quote-verifier: ")
        assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_process_ends_although_a_download_does_not(site: Site, tmp_path: Path) -> None:
    site.broken["/api/v1/tee/quote"] = world.drip
    with within(15):
        done = spawn(site.url, "--timeout", "1", cache=tmp_path)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_closed_output(site: Site, tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "quote_verifier", "--print-policy"]
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(SOURCES)}
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"{}", "'pck_crl_issuer_chain' is missing"),
        (b'{"a": 1, "a": 1}', "the key 'a' appears twice"),
        (b"[1]", "the relayed collateral is malformed: not a JSON object"),
        (b"<html>", "the relayed collateral is not JSON"),
    ],
)
def test_malformed_collateral_says_what_is_malformed(site: Site, tmp_path: Path, answer: bytes, reason: str) -> None:
    site.broken["/api/v1/tee/collateral"] = world.answering(answer)
    saved = tmp_path / "bundle.json"
    done = run(site.url, "--save", saved, cache=tmp_path)
    assert done.returncode == 4
    (line,) = (line for line in done.stdout.splitlines() if "quote.signature  " in line)
    assert "FAIL" in line and reason in line
    assert isinstance(json.loads(saved.read_text()).get("collateral", {}), dict)


def test_collateral_that_misbehaves(site: Site, tmp_path: Path) -> None:
    site.broken["/api/v1/tee/collateral"] = world.answering(b"gone", 503)
    assert run(site.url, cache=tmp_path).returncode == 3


def test_service(site: Site, held: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(jwks("trustee")))
    with StandIn("trustee") as good, StandIn("trustee", fault="contraindicated") as bad:
        options = ("--release", held, "--service", "trustee", "--service-key", keys, "--json")
        done = run(site.url, *options, "--service-url", good.url, cache=tmp_path)
        assert (done.returncode, statuses(done)["service.token"]) == (6, "pass")
        done = run(site.url, *options, "--service-url", bad.url, cache=tmp_path)
        assert (done.returncode, statuses(done)["service.token"]) == (5, "fail")


def test_policy(site: Site, held: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text("[tcb]\nmin_pce_svn = 99\n")
    done = run(site.url, "--release", held, "--policy", policy, cache=tmp_path)
    assert done.returncode == 5
    assert "PCE SVN is 13, expected at least 99" in done.stdout
    printed = run("--print-policy", cache=tmp_path)
    assert printed.returncode == 0
    policy.write_text(printed.stdout)
    assert run(site.url, "--release", held, "--policy", policy, cache=tmp_path).returncode == 6


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--nonsense",), "No such option: --nonsense"),
        (("--timeout",), "Option '--timeout' requires an argument"),
        (("--timeout", "soon", "http://a"), "Invalid value for '--timeout'"),
        (("--timeout", "0", "http://a"), "Invalid value for '--timeout'"),
        (("http://a", "http://b"), "Got unexpected extra argument"),
    ],
)
def test_a_wrong_option_is_one_sentence(arguments: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    done = run(*arguments, cache=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"quote-verifier: {sentence}") and done.stderr.endswith("; see --help\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [(), ("--nonsense",), ("http://a", "--evidence", "b"), ("ftp://x",), ("--evidence", "/missing")]
)
def test_usage(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*arguments, cache=tmp_path)
    assert done.returncode == 2
    assert done.stderr


def test_help_names_the_exit_codes(tmp_path: Path) -> None:
    done = run("--help", cache=tmp_path)
    assert done.returncode == 0
    for code in (
        "0 verified",
        "2 usage",
        "3 cannot reach",
        "4 not genuine",
        "5 not acceptable",
        "6 simulated",
        "7 incomplete",
    ):
        assert code in done.stdout
    assert "genuine-root" not in done.stdout
    assert "test" not in done.stdout.lower().replace("attest", "")


def request(**members: Any) -> Request:
    return Request(**{"timeout": 1.0, **members})


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"url": "http://a", "at": "2025-07-01T00:00:00Z"}, "--at is for files"),
        ({"url": "http://a", "check_assets": True}, "--check-assets needs"),
        ({"url": "http://a", "manifest": Path("m")}, "--check-assets needs"),
        ({"url": "http://a", "collateral": Path("c")}, "--collateral belongs"),
        ({"url": "http://a", "pccs": "http://b", "pcs": True}, "exclude"),
        ({"url": "http://a", "pccs": "b"}, "--pccs"),
        ({"url": "http://a", "release": [Path("/missing")]}, "cannot be read"),
        ({"url": "http://a", "policy": Path("/")}, "cannot be read"),
        ({"url": "http://a", "ca_file": Path("/missing")}, "--ca-file /missing cannot be read: No such file"),
        ({"url": "http://a", "ca_file": Path("/dev/null")}, "--ca-file /dev/null holds no certificate"),
        ({"url": "http://a", "ca_file": Path("/etc/hostname")}, "--ca-file /etc/hostname holds no certificate"),
        ({"url": "http://a", "save": Path("/tmp")}, "--save /tmp is a folder"),
        ({"url": "http://a", "cache": Path("/dev/null")}, "--cache /dev/null is a file"),
        ({"evidence": Path("/dev/null"), "at": "1969-12-31T23:59:59Z"}, "before 1970"),
        ({"url": "http://a", "service": ["trustee"]}, "needs --service-url"),
        ({"url": "http://a", "service": ["trustee"] * 2, "service_url": ["https://b"] * 2}, "twice"),
        ({"url": "http://a", "service": ["alibaba"], "service_key": [Path("a"), Path("b")]}, "one for each"),
        ({"url": "http://user@a"}, "has a user name"),
        ({"url": "https://a/?x"}, "has a query"),
        ({"url": "https://a/#x"}, "has a fragment"),
        ({"url": "https://a/b"}, "has a path; give https://a"),
        ({"url": "https://a", "pccs": "https://b?x"}, "--pccs: .* has a query"),
        ({"quote": Path("/dev/null"), "release": [Path("r")]}, "bare quote"),
        ({"evidence": Path("/dev/null"), "save": Path("s")}, "--save"),
        ({"evidence": Path("/dev/null"), "at": "yesterday"}, "--at is 'yesterday'"),
        ({"evidence": Path("/dev/null"), "service": ["alibaba"]}, "needs --service-key"),
        ({"evidence": Path("/dev/zero")}, "larger than"),
    ],
)
def test_usage_errors_say_what_is_wrong(members: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        judge(request(**members))
