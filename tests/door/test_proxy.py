"""What goes through the door to the web server and back, and what of it the door says itself."""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import Any

import pytest

from .conftest import Running, World

pytestmark = pytest.mark.slow  # starts processes

SECRET = "a" * 100_000


def echo(running: Running, path: str, method: str = "GET", body: Any = None, **headers: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(running.ask(path, method, body, **headers)[1])
    return found


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/chats/?page=1",
        "/ollama/api/tags",
        "/openai/models",
        "/cache/a%20b/%C3%BC.png",
        "/oauth/x/login?a=%2f&b",
    ],
)
def test_an_address_arrives_to_the_letter(shared: Running, path: str) -> None:
    target = echo(shared, path)["target"]
    assert target.rstrip("?") == path.rstrip("?")


@pytest.mark.attack
@pytest.mark.parametrize("path", ["/api/../secret", "/api//x", "/api/%2e%2e/x", "/api/./x?a=/../b#c"])
def test_an_address_is_not_made_another(shared: Running, path: str) -> None:
    """What the door judged is what the web server gets: no dots are resolved in between."""
    assert echo(shared, path)["target"].rstrip("?") == path.partition("#")[0]


@pytest.mark.attack
def test_a_client_cannot_say_who_it_is(shared: Running) -> None:
    found = echo(
        shared,
        "/api/x",
        x_forwarded_for="6.6.6.6",
        x_forwarded_proto="https",
        x_forwarded_host="evil.example",
        x_real_ip="6.6.6.6",
        forwarded="for=6.6.6.6",
    )
    assert (found["client"], found["scheme"]) == ("127.0.0.1", "http")
    assert "6.6.6.6" not in json.dumps(found) and "evil" not in json.dumps(found)


def test_a_named_proxy_is_believed(world: World) -> None:
    running = world.start(trusted=["127.0.0.1"])
    found = echo(running, "/api/x", x_forwarded_for="6.6.6.6, 198.51.100.7", x_forwarded_proto="https")
    assert (found["client"], found["scheme"]) == ("198.51.100.7", "https")


def test_headers_of_one_connection_stay_there(shared: Running) -> None:
    found = echo(shared, "/api/x", connection="x-mine", x_mine="1", te="trailers", keep_alive="x", x_other="2")
    names = {name for name, _ in found["headers"]}
    assert "x-other" in names and not names & {"x-mine", "te", "keep-alive"}


def test_headers_arrive_once_and_unchanged(shared: Running) -> None:
    found = echo(shared, "/api/x", authorization="Bearer x", cookie="a=1; b=2", accept="*/*", user_agent="mine")
    assert sorted(found["headers"]) == sorted(
        [
            ["host", f"127.0.0.1:{shared.port}"],
            ["accept-encoding", "identity"],
            ["authorization", "Bearer x"],
            ["cookie", "a=1; b=2"],
            ["accept", "*/*"],
            ["user-agent", "mine"],
            ["x-forwarded-for", "127.0.0.1"],
            ["x-forwarded-proto", "http"],
            ["connection", "close"],
        ]
    )


def test_answers_are_never_compressed(shared: Running) -> None:
    answer, body = shared.ask("/api/big", accept_encoding="gzip, br")
    assert "content-encoding" not in answer.headers and len(body) == 500_000


@pytest.mark.attack
def test_a_program_brings_no_policy_of_its_own(shared: Running) -> None:
    """A Function's answer that wants to be a page with scripts, and to have browsers forget TLS."""
    answer, _ = shared.ask("/api/hostile")
    policies = answer.headers.get_all("content-security-policy") or []
    assert len(policies) == 1 and "sandbox" in policies[0] and "unsafe-inline" not in policies[0]
    assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize("length", [True, False], ids=["with its length", "in chunks"])
def test_uploads_stream(shared: Running, length: bool) -> None:
    content = os.urandom(3_000_000)
    pieces = content if length else iter([content[at : at + 70_000] for at in range(0, len(content), 70_000)])
    found = echo(shared, "/api/upload", "POST", pieces)
    assert found["size"] == len(content) and found["sha256"] == hashlib.sha256(content).hexdigest()
    assert found["pieces"] > 5


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_methods_with_and_without_a_body(shared: Running, method: str) -> None:
    assert echo(shared, "/api/x", method)["method"] == method
    assert echo(shared, "/api/x", method, b"{}")["method"] == method


def test_an_answer_comes_as_it_is_made(shared: Running) -> None:
    connection = shared.connect()
    connection.request("GET", "/api/stream?count=50")
    answer = connection.getresponse()
    began = time.monotonic()
    assert answer.read1(100).startswith(b"data: 0\n\n")
    first = time.monotonic() - began
    rest = answer.read()
    assert rest.endswith(b"data: 49\n\n") and first < (time.monotonic() - began) / 2


def test_the_web_server_hears_that_a_client_has_gone(shared: Running) -> None:
    connection = shared.connect()
    connection.request("GET", "/api/forever")
    connection.getresponse().read1(10)
    assert echo(shared, "/api/waiting")["now"] == 1
    connection.close()
    end = time.monotonic() + 10
    while echo(shared, "/api/waiting")["now"]:
        assert time.monotonic() < end, "it goes on answering nobody"


def test_many_at_once(shared: Running) -> None:
    connections = [shared.connect() for _ in range(100)]
    for number, connection in enumerate(connections):
        connection.request("GET", f"/api/{number}")
    for number, connection in enumerate(connections):
        assert json.loads(connection.getresponse().read())["target"] == f"/api/{number}?"


@pytest.mark.attack
@pytest.mark.parametrize("query", ["", "?length=1000"], ids=["in chunks", "with a length"])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_half_an_answer_is_not_taken_for_a_whole_one(world: World, query: str, version: str) -> None:
    """The web server is killed while it answers: the client sees a broken connection."""
    running = world.start()
    with running.raw() as connection:
        connection.sendall(f"GET /api/dies{query} HTTP/{version}\r\nHost: x\r\n\r\n".encode())
        received = b""
        with pytest.raises(ConnectionResetError):
            while chunk := connection.recv(65536):
                received += chunk
    assert b"half of an answer" in received and not received.endswith(b"\r\n0\r\n\r\n")


def test_no_answer_is_said_to_be_none(world: World) -> None:
    running = world.start()
    answer, body = running.ask("/api/dies-first", "POST", b"x")
    assert answer.status == 502 and "is not known" in json.loads(body)["detail"]
    answer, body = running.ask("/api/x")
    assert answer.status == 503 and answer.headers["retry-after"] == "5"
    assert "does not answer" in json.loads(body)["detail"]
    assert running.ask("/health")[0].status == 503


def test_health_and_pages_do_not_wait_for_the_web_servers_python(world: World) -> None:
    running = world.start()
    busy = running.connect()
    busy.request("GET", "/api/hangs?s=30")
    time.sleep(0.3)
    for path in ("/health", "/", "/api/v1/tee/config"):
        assert running.ask(path)[0].status == 200
    busy.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        busy.sock.recv(1)


@pytest.mark.attack
def test_attestation_is_the_doors_alone(shared: Running) -> None:
    """The web server is not asked for evidence, settings or collateral, nor for anything beside them but its link."""
    assert shared.ask("/api/v1/tee/quote")[0].status == 503  # there is no attester, and the stand-in answers all
    assert shared.ask("/api/v1/tee/other")[0].status == 404
    assert json.loads(shared.ask("/api/v1/tee/config")[1])["launch"] == "measured"
    assert echo(shared, "/api/v1/tee/administrator?key=x")["target"] == "/api/v1/tee/administrator?key=x"
