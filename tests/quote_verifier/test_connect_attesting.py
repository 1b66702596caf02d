"""Whether `connect` may seal words to a service, and to which key: its verdict has to be what was asked for."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from quote_verifier.collateral_cache import CollateralCache
from quote_verifier.collateral_source import Sources, relay
from quote_verifier.connect.attesting import Attesting
from quote_verifier.connect.watching import Judged
from quote_verifier.encoding import to_base64url
from quote_verifier.fetch import Fetcher
from quote_verifier.references import load_references, merge
from quote_verifier.verdict import Overall

from door.channel.keys import Keys
from quote_verifier import Options, cli

from .world import Site, Td, references

KEY = Keys().current


@pytest.fixture
def service() -> Iterator[Site]:
    td = Td()
    td.bound["channel"] = to_base64url(KEY.encode())
    with Site(td) as running:
        td.bound["origin"] = running.url
        yield running


def ask(service: Site, folder: Path, *accepted: str, root: str = "verity", genuine: bool = False) -> Judged:
    held = references()
    held["platforms"][0]["root"] = root
    known = merge([load_references(json.dumps(held).encode())])
    options = Options(references=known, test_root_is_genuine=genuine)
    fetcher = Fetcher()
    source = Sources(relay(fetcher, service.url))
    return Attesting(service.url, source, CollateralCache(folder), fetcher, options, frozenset(accepted))()


def refused(judged: Judged, overall: Overall, sentence: str) -> None:
    assert judged.key is None and judged.overall == overall
    assert sentence in judged.why_not


def test_the_bound_key_is_the_one_to_seal_to(service: Site, tmp_path: Path) -> None:
    judged = ask(service, tmp_path, "simulated")
    assert judged.key and (judged.key.encode(), judged.why_not) == (KEY.encode(), "")


def test_simulated_hardware_only_where_that_was_accepted(service: Site, tmp_path: Path) -> None:
    refused(ask(service, tmp_path), "simulated", "To try it out all the same, add --accept simulated.")


def test_an_administrator_only_where_trusted(service: Site, tmp_path: Path) -> None:
    refused(ask(service, tmp_path, "simulated", root="unmeasured"), "simulated", "add --accept administrator.")
    assert ask(service, tmp_path, "simulated", "administrator", root="unmeasured").key


def test_plain_data_only_where_that_was_accepted(service: Site, tmp_path: Path) -> None:
    """On simulated hardware, once that is accepted, it says nothing new; the test root stands for genuine hardware."""
    service.td.owner = ""
    assert ask(service, tmp_path, "simulated").key
    refused(ask(service, tmp_path, genuine=True), "incomplete", "add --accept plain-data.")
    assert ask(service, tmp_path, "plain-data", genuine=True).key


@pytest.mark.attack
def test_data_of_an_owner_who_was_not_measured_cannot_be_accepted(service: Site, tmp_path: Path) -> None:
    service.td.bound["data"] = {"state": "encrypted", "owner": "A" * 43}
    judged = ask(service, tmp_path, "simulated", "plain-data")
    refused(judged, "not-acceptable", "it is said to be encrypted for AAAA")


def test_nothing_else_can_be_accepted(service: Site, tmp_path: Path) -> None:
    service.td.events.append('open-webui-tdx tool {"id":"spy","sha384":"00"}')
    refused(ask(service, tmp_path, "simulated", "administrator"), "not-acceptable", "Known software: ")


@pytest.mark.attack
def test_a_key_that_nobody_bound_is_not_used(service: Site, tmp_path: Path) -> None:
    del service.td.bound["channel"]
    refused(ask(service, tmp_path, "simulated"), "not-genuine", "this service has none")


@pytest.mark.attack
def test_evidence_that_cannot_be_read_is_an_answer(service: Site, tmp_path: Path) -> None:
    """Not the silence of a service that is down, for which the last verdict stays good for a while."""
    service.td.evidence = lambda nonce: [nonce]  # type: ignore[method-assign,assignment,return-value]
    refused(ask(service, tmp_path, "simulated"), "not-genuine", "evidence cannot be read")


@pytest.mark.attack
def test_evidence_for_another_address_is_not_used(service: Site, tmp_path: Path) -> None:
    service.td.bound["origin"] = "https://other.example"
    refused(ask(service, tmp_path, "simulated"), "not-genuine", "the evidence is for https://other.example")


@pytest.mark.parametrize(
    "text", [to_base64url(KEY.encode()[:-1]), to_base64url(KEY.encode()[:-1] + b"\1"), "AAAA"], ids=range(3)
)
def test_a_key_of_another_suite_is_not_guessed(service: Site, tmp_path: Path, text: str) -> None:
    service.td.bound["channel"] = text
    refused(ask(service, tmp_path, "simulated"), "simulated", "channel cannot be used")


def run(*arguments: object) -> tuple[int, str]:
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(said):
        code = cli.run(["connect", *map(str, arguments)])
    assert "Traceback" not in said.getvalue()
    return code, said.getvalue()


def test_the_command_line_does_not_connect(service: Site, tmp_path: Path) -> None:
    held = tmp_path / "references.json"
    held.write_text(json.dumps(references()))
    code, said = run(service.url, "--release", held, "--cache", tmp_path / "cache")
    assert code == 6 and "Not connected. Real hardware: SIMULATED" in said
    code, said = run(service.url, "--accept", "simulated", "--json", "--cache", tmp_path / "cache")
    assert code == 6
    assert json.loads(said)["message"].startswith("Not connected. Known software: No reference values")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "give the address"),
        (("http://127.0.0.1:1", "--accept", "anything"), "it is simulated, administrator or plain-data"),
        (("http://127.0.0.1:1", "--port", "70000"), "--port"),
        (("http://127.0.0.1:1", "--release", "/nowhere/at/all"), "cannot be read"),
        (("http://127.0.0.1:1/chat",), "has a path"),
    ],
)
def test_usage(arguments: tuple[str, ...], sentence: str) -> None:
    code, said = run(*arguments)
    assert code == 2 and sentence in said
