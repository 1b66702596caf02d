"""A key broker's quote: over what, for whom, and that it is never evidence."""

from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from quote_generator.formats import parse_quote
from quote_generator.key_broker import report_data, runtime_data
from quote_generator.runtime_data import MEMBERS

from .test_attester import ask, binding

X, Y = "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0", "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"
ASKED = {"nonce": "bm9uY2U=", "x": X, "y": Y}


def test_it_is_over_exactly_what_a_broker_makes_again() -> None:
    text = (
        '{"additional-evidence":"","nonce":"bm9uY2U=","tee-pubkey":{"alg":"ECDH-ES+A256KW","crv":"P-256","kty":"EC",'
        f'"x":"{X}","y":"{Y}"}}}}'
    )
    assert report_data(ASKED) == hashlib.sha384(text.encode()).digest() + bytes(16)


@pytest.mark.attack
def test_it_is_never_what_evidence_is_bound_to() -> None:
    members = set(runtime_data("n", X, Y))
    assert members.isdisjoint(MEMBERS) and "v" not in members


@pytest.mark.attack
@pytest.mark.parametrize(
    "asked",
    [
        {},
        [],
        "x",
        {**ASKED, "v": 2},
        {**ASKED, "nonce": ""},
        {**ASKED, "nonce": 1},
        {**ASKED, "nonce": "x" * 513},
        {**ASKED, "nonce": "a\nb"},
        {**ASKED, "nonce": "\ud800"},
        {**ASKED, "x": X + "="},
        {**ASKED, "x": X[:-1]},
        {**ASKED, "y": None},
        {"nonce": {"root": "x"}, "x": X, "y": Y},
    ],
)
def test_nothing_else_can_be_had_quoted(asked: Any) -> None:
    with pytest.raises(ValueError, match=r"key_broker is|nonce is|x and y are"):
        report_data(asked)


def request(channel: socket.socket, asked: Any) -> dict[str, Any]:
    channel.sendall(json.dumps({"key_broker": asked}).encode() + b"\n")
    with channel.makefile("r") as answers:
        answer: dict[str, Any] = json.loads(answers.readline())
        return answer


@pytest.mark.slow
def test_the_attester_makes_it_for_the_door_alone(tmp_path: Path, simulator_environment: dict[str, str]) -> None:
    with binding(tmp_path / "s", simulator_environment, "--key-broker") as channel:
        answer = request(channel, ASKED)
        assert parse_quote(bytes.fromhex(answer["quote"])).body.report_data == report_data(ASKED)
        assert request(channel, {**ASKED, "x": ""})["error"]["code"] == "bad-request"
        assert ask(tmp_path / "s", {"key_broker": ASKED})["error"]["code"] == "bad-request"
        both = {"key_broker": ASKED, "bind": {"tls": None}}
        channel.sendall(json.dumps(both).encode() + b"\n")
        with channel.makefile("r") as answers:
            assert json.loads(answers.readline())["ok"] is False
        channel.sendall(b'{"bind": {"tls": null}}\n')
        with channel.makefile("r") as answers:
            assert json.loads(answers.readline()) == {"ok": True}


@pytest.mark.slow
@pytest.mark.attack
def test_a_launch_that_asks_no_broker_has_no_such_quote(tmp_path: Path, simulator_environment: dict[str, str]) -> None:
    with binding(tmp_path / "s", simulator_environment) as channel:
        assert request(channel, ASKED)["error"]["code"] == "bad-request"
