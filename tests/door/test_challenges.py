"""The port for plain http: challenges of the door's own, a redirect for people, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from door.challenges import PREFIX, PlainHttp, reserved

from .conftest import Running

ORIGIN = "https://chat.example"


def ask(app: PlainHttp, target: bytes, method: str = "GET", query: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """One request as uvicorn hands it over: `target` as the client wrote it, without its query."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": method,
        "path": target.decode("latin-1"),
        "raw_path": target,
        "query_string": query,
        "headers": [(b"host", b"elsewhere.example")],
    }
    asyncio.run(app(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(each.get("body", b"") for each in sent[1:])


@pytest.fixture
def app() -> PlainHttp:
    made = PlainHttp(ORIGIN)
    made.put("token", "token.thumbprint")
    return made


def test_a_challenge_is_answered_while_its_order_lasts(app: PlainHttp) -> None:
    assert ask(app, PREFIX.encode() + b"token")[::2] == (200, b"token.thumbprint")
    app.remove("token")
    assert ask(app, PREFIX.encode() + b"token")[0] == 404


@pytest.mark.attack
@pytest.mark.parametrize(
    "path",
    [f"{PREFIX}theirs", PREFIX, PREFIX.rstrip("/"), f"{PREFIX}token/more", "/.well-known/pki-validation/x.txt"],
)
def test_nobody_elses_challenge_is_passed_on(app: PlainHttp, path: str) -> None:
    """A CA follows redirects: behind one, an administrator's Python could answer for a certificate of its own."""
    status, headers, _ = ask(app, path.encode())
    assert status == 404
    assert "location" not in headers
    assert reserved(path)


@pytest.mark.slow
@pytest.mark.attack
@pytest.mark.parametrize("path", [f"{PREFIX}theirs", "/.well-known/pki-validation/x.txt"])
def test_nor_is_it_answered_where_people_come_in(shared: Running, path: str) -> None:
    answer, body = shared.ask(path)
    assert (answer.status, body) == (404, b'{"detail":"Not Found"}')


@pytest.mark.parametrize("path", ["/", "/.well-known/security.txt", "/a/.well-known/acme-challenge/x", "/.well-known"])
def test_other_paths_are_nobodys_proof(path: str) -> None:
    assert not reserved(path)


def test_people_are_sent_to_the_same_page_over_https(app: PlainHttp) -> None:
    status, headers, body = ask(app, b"/c/1%20a", query=b"q=x&y=%0a")
    assert (status, headers["location"], body) == (308, f"{ORIGIN}/c/1%20a?q=x&y=%0a", b"")


@pytest.mark.attack
@pytest.mark.parametrize(
    ("target", "query"),
    [
        (b"@evil.example/", b""),
        (b".evil.example/", b""),
        (b"http://evil.example/", b""),
        (b"*", b""),
        (b"", b""),
        (b"/\r\nSet-Cookie: a=b", b""),
        (b"/", b"a\r\nb"),
        (b"/\xff", b""),
    ],
)
def test_no_request_chooses_another_host_or_another_header(app: PlainHttp, target: bytes, query: bytes) -> None:
    assert ask(app, target, query=query)[1]["location"] == f"{ORIGIN}/"


def test_a_second_slash_stays_a_path(app: PlainHttp) -> None:
    assert ask(app, b"//evil.example/")[1]["location"] == f"{ORIGIN}//evil.example/"


def test_what_was_sent_in_the_clear_is_not_asked_for_again(app: PlainHttp) -> None:
    """A redirect would have the browser send a password twice, the first time readable, and nobody would notice."""
    status, headers, body = ask(app, b"/api/v1/auths/signin", "POST")
    assert status == 403
    assert "location" not in headers
    assert ORIGIN in body.decode()


def test_head_has_the_headers_alone(app: PlainHttp) -> None:
    status, headers, body = ask(app, PREFIX.encode() + b"theirs", "HEAD")
    assert (status, body) == (404, b"")
    assert int(headers["content-length"]) > 0
