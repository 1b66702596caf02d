"""Static pages: whose they are, how long a browser keeps them, and in which form they are sent."""

from __future__ import annotations

import pytest

from .conftest import PAGE, Running, World

pytestmark = pytest.mark.slow  # starts processes

SCRIPT = "/_app/immutable/entry.abc123.js"


def test_a_page_is_asked_about_each_time(shared: Running) -> None:
    answer, body = shared.ask("/")
    assert body.decode() == PAGE and answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    again, nothing = shared.ask("/", if_none_match=answer.headers["etag"])
    assert again.status == 304 and nothing == b"" and again.headers["etag"] == answer.headers["etag"]
    assert shared.ask("/", if_none_match='"another"')[0].status == 200


def test_what_has_its_hash_in_its_name_is_kept_for_good(shared: Running) -> None:
    answer, _ = shared.ask(SCRIPT)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert shared.ask("/_app/version.json")[0].headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.5", "gzip, deflate", "*"])
def test_the_compressed_sibling(shared: Running, accepted: str) -> None:
    answer, body = shared.ask(SCRIPT, accept_encoding=accepted)
    assert answer.headers["content-encoding"] == "gzip" and body.startswith(b"zipped ")
    assert answer.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "gzip; q=0.0, br", "xgzip"])
def test_not_for_who_did_not_ask(shared: Running, accepted: str) -> None:
    answer, body = shared.ask(SCRIPT, accept_encoding=accepted)
    assert "content-encoding" not in answer.headers and body.startswith(b"let a")
    assert answer.headers["vary"] == "Accept-Encoding"


def test_two_forms_have_two_tags(shared: Running) -> None:
    plain, zipped = (shared.ask(SCRIPT, accept_encoding=each)[0].headers["etag"] for each in ("identity", "gzip"))
    assert plain != zipped


def test_a_picture_is_sent_as_it_is(shared: Running) -> None:
    answer, body = shared.ask("/favicon.png", accept_encoding="gzip")
    assert body == b"png" and answer.headers["content-type"] == "image/png" and "vary" not in answer.headers


def test_big_files_come_whole_and_in_parts(shared: Running) -> None:
    answer, body = shared.ask("/pyodide/big.wasm")
    assert len(body) == 3_000_000 and answer.headers["content-type"] == "application/wasm"
    part, body = shared.ask("/pyodide/big.wasm", range="bytes=10-19")
    assert part.status == 206 and body == b"x" * 10
    assert shared.ask("/pyodide/big.wasm", if_none_match=answer.headers["etag"])[0].status == 304


def test_head_has_the_length(shared: Running) -> None:
    answer, body = shared.ask("/", "HEAD")
    assert (answer.status, int(answer.headers["content-length"]), body) == (200, len(PAGE), b"")


def test_other_addresses_are_the_pages_own(shared: Running) -> None:
    for path in ("/c/1234", "/auth", "/workspace/models?x=1", "/s/a%20b"):
        answer, body = shared.ask(path)
        assert body.decode() == PAGE and answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/_app/immutable/gone.js", "/old.js", "/static/gone.png", "/_app/x.css"])
def test_a_file_that_is_gone_is_no_page(shared: Running, path: str) -> None:
    assert shared.ask(path)[0].status == 404


def test_static_files_are_the_frontends_before_upstreams(shared: Running) -> None:
    assert shared.ask("/static/loader.js")[1] == b"the frontend's"
    assert shared.ask("/static/logo.png")[1] == b"logo"


@pytest.mark.attack
@pytest.mark.parametrize(
    "path",
    [
        "/../release.json",
        "/..%2f..%2f..%2frelease.json",
        "/%2e%2e/release.json",
        "//etc/passwd",
        "/static/../config.py",
    ],
)
def test_no_path_leads_out_of_the_pages(shared: Running, path: str) -> None:
    answer, body = shared.ask(path)
    assert answer.status == 404 or body.decode() == PAGE


def test_pages_are_only_read(shared: Running) -> None:
    answer, _ = shared.ask("/", "POST", b"x")
    assert answer.status == 405 and answer.headers["allow"] == "GET, HEAD"


def test_a_video_begins_a_chat_as_upstream_does(shared: Running) -> None:
    answer, _ = shared.ask("/watch?v=a%20b")
    assert answer.status == 307 and answer.headers["location"] == "/?youtube=a+b"


@pytest.mark.attack
def test_the_web_server_changes_no_page(world: World) -> None:
    """It may write into its own copy of the static files; pages come from the release, also while it is gone."""
    running = world.start(web=False)
    assert running.ask("/")[1].decode() == PAGE
    assert running.ask("/static/loader.js")[1] == b"the frontend's"


def test_a_modified_release_has_new_tags_each_time(world: World) -> None:
    tags = {world.start(web=False, told={"TEE_LAUNCH": "modified"}).ask("/")[0].headers["etag"] for _ in range(2)}
    assert len(tags) == 2
