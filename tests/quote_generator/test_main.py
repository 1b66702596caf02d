"""The command line, as a person and as a script uses it."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from quote_generator import __main__ as program
from quote_generator.formats import parse_quote, parse_report
from tests.quote_generator.quotes import QUOTES, make_report

Environment = dict[str, str]


def cli(environment: Environment, *arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "quote_generator", *map(str, arguments)]
    return subprocess.run(command, env=environment, input=stdin, capture_output=True, timeout=30)


class Told:
    """What a command told: its exit code and what it wrote."""

    def __init__(self, status: int, written: tuple[str, str]) -> None:
        self.status, (self.out, self.err) = status, written


class Here:
    """The same commands without a process of their own, where a process shows nothing more."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.capsys, self.monkeypatch = capsys, monkeypatch

    def __call__(self, *arguments: str | Path, stdin: bytes = b"") -> Told:
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        try:
            status = program.main([str(argument) for argument in arguments])
        except SystemExit as end:  # of argparse
            status = int(str(end.code))
        return Told(status, self.capsys.readouterr())


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    return Here(capsys, monkeypatch)


@pytest.mark.slow
def test_a_quote_for_people_and_for_scripts(simulator_environment: Environment, tmp_path: Path) -> None:
    people = cli(simulator_environment, "quote", "--report-data", "6162").stdout.decode()
    assert "tdx-simulated" in people and "report_data" in people and "septve_disable" in people
    document = json.loads(cli(simulator_environment, "quote", "--report-data", "6162", "--json").stdout)
    quote = parse_quote(bytes.fromhex(document["quote"]))
    assert quote.body.report_data == b"ab" + bytes(62)
    assert document["tee"] == "tdx-simulated"
    assert document["quote_parse"]["mr_td"] == quote.body.mr_td.hex()


@pytest.mark.slow
@pytest.mark.parametrize(("command", "parse"), [("quote", parse_quote), ("report", parse_report)])
def test_binary_goes_to_a_file_or_a_pipe(
    simulator_environment: Environment, tmp_path: Path, command: str, parse: type
) -> None:
    done = cli(simulator_environment, command, "--out", tmp_path / "out")
    assert (done.returncode, done.stdout) == (0, b"")
    parse((tmp_path / "out").read_bytes())
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("out")] == ["out"]
    parse(cli(simulator_environment, command, "--out", "-").stdout)


def test_binary_never_goes_to_a_terminal(simulator_environment: Environment) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "quote_generator", "quote", "--out", "-"]
    done = subprocess.run(command, env=simulator_environment, stdout=theirs, stderr=subprocess.PIPE, timeout=30)
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2 and b"not to a terminal" in done.stderr


@pytest.mark.parametrize("name", QUOTES)
def test_parse_takes_binary_and_hex(here: Here, tmp_path: Path, name: str) -> None:
    (tmp_path / "q").write_bytes(QUOTES[name])
    binary = here("parse", tmp_path / "q", "--json")
    text = here("parse", "-", "--json", stdin=QUOTES[name].hex().encode() + b"\n")
    assert binary.status == text.status == 0 and binary.out == text.out
    assert json.loads(binary.out)["mr_td"] == parse_quote(QUOTES[name]).body.mr_td.hex()


@pytest.mark.slow
def test_parse_knows_reports_and_names_what_is_wrong(plugin_path: Path) -> None:
    environment = {"PYTHONPATH": str(plugin_path), "PYTHONSAFEPATH": "1"}
    assert b"servtd_hash" in cli(environment, "parse", "-", stdin=make_report()).stdout
    bad = cli(environment, "parse", "-", stdin=b"no quote")
    assert bad.returncode == 1 and bad.stderr == (
        b"error: the quote is truncated: the header needs 48 bytes at offset 0, there are 8\n"
    )


@pytest.mark.slow
def test_log_measures_and_compares(simulator_environment: Environment, tmp_path: Path) -> None:
    assert cli(simulator_environment, "log", tmp_path / "absent").returncode == 1
    folder = tmp_path / "log"
    added = cli(simulator_environment, "log", folder, "--append", "release", '{"a":1}', "--json")
    assert json.loads(added.stdout)["event_log"][1:] == ['open-webui-tdx release {"a":1}']
    shown = cli(simulator_environment, "log", folder, "--json")
    assert shown.stdout == added.stdout and json.loads(shown.stdout)["agrees"] is True
    cli(simulator_environment, "extend", "3", "00" * 48)
    foreign = cli(simulator_environment, "log", folder)
    assert foreign.returncode == 1 and b"another program extended it" in foreign.stderr


def test_extend(simulator: ModuleType, here: Here) -> None:
    for index in ("2", "3"):
        done = here("extend", index, "11" * 48, "--json")
        assert done.status == 0 and list(json.loads(done.out)) == [f"rtmr_{index}"]


def test_info_tells_simulator_from_real(simulator_environment: Environment, plugin_path: Path) -> None:
    found = json.loads(cli(simulator_environment, "info", "--json").stdout)
    assert found["library"]["simulated"] is True and found["quotes_from"] == "libtdx_attest"
    without = cli({"PYTHONPATH": str(plugin_path), "PYTHONSAFEPATH": "1"}, "info", "--json")
    assert without.returncode == 0 and json.loads(without.stdout)["library"] is None


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["quote", "--report-data", "zz"], 2, "no hex string"),
        (["quote", "--report-data", "00" * 65], 2, "at most 64 bytes, not 65"),
        (["extend", "1", "00"], 2, "invalid choice"),
        (["extend", "3", "00"], 2, "48 bytes, not 1"),
        (["parse", "/nonexistent"], 1, "/nonexistent: No such file"),
        (["quote", "--out", "/nonexistent/file"], 1, "No such file"),
        (["log", "LOG", "--append", "two words", "x"], 1, "one printable word"),
        ([], 2, "required"),
    ],
)
def test_mistakes_are_one_sentence(
    simulator: ModuleType, here: Here, tmp_path: Path, arguments: list[str], status: int, sentence: str
) -> None:
    log = str(tmp_path / "log")
    done = here(*(log if argument == "LOG" else argument for argument in arguments))
    assert (done.status, done.out) == (status, "")
    assert sentence in done.err.splitlines()[-1]


def test_a_device_failure_is_reported_with_its_number(simulator_environment: Environment) -> None:
    done = cli({**simulator_environment, "TDX_SIM_STATUS": "0x4"}, "quote")
    assert done.returncode == 1 and b"status 0x4" in done.stderr and done.stderr.count(b"\n") == 1
