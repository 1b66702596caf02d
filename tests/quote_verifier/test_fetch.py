"""Fetching: bounded in time and size whatever the server does, and the TLS key that was really seen."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from quote_verifier.errors import Unreachable
from quote_verifier.fetch import HEADERS, Fetcher, require_ok

from . import world
from .world import Certificate, Site, Td, make_certificate, within


@pytest.fixture
def site() -> Iterator[Site]:
    with Site(Td(), files={"/a": b"body"}) as running:
        yield running


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path)


def test_plain(site: Site) -> None:
    answer = Fetcher().get(site.url + "/a")
    assert (answer.status, answer.body, answer.spki) == (200, b"body", None)


def test_tls_key(certificate: Certificate) -> None:
    with Site(Td(), certificate, {"/a": b"body"}) as site:
        answer = Fetcher(str(certificate.path)).get(site.url + "/a")
        assert answer.body == b"body"
        assert answer.spki == certificate.spki


def test_untrusted_certificate(certificate: Certificate) -> None:
    with Site(Td(), certificate) as site, pytest.raises(Unreachable, match="no certificate that is trusted"):
        Fetcher().get(site.url + "/a")


def test_certificate_for_another_name(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "elsewhere.example")
    with Site(Td(), certificate) as site, pytest.raises(Unreachable):
        Fetcher(str(certificate.path)).get(site.url.replace("elsewhere.example", "localhost") + "/a")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["hang", "drip"])
def test_slow(site: Site, how: str) -> None:
    site.broken["/a"] = getattr(world, how)
    with within(4), pytest.raises(Unreachable, match=r"within 1 s|timed out"):
        Fetcher(deadline_s=1).get(site.url + "/a")


def test_endless(site: Site) -> None:
    site.broken["/a"] = world.endless
    with within(10), pytest.raises(Unreachable, match="more than 1000 bytes"):
        Fetcher().get(site.url + "/a", 1000)


def test_redirects_are_not_followed(site: Site) -> None:
    site.broken["/a"] = world.redirect
    with pytest.raises(Unreachable, match=r"redirects to 'https://elsewhere.example/'"):
        Fetcher().get(site.url + "/a")


def test_unasked_compression_is_refused(site: Site) -> None:
    site.broken["/a"] = world.answering(b"x", headers={"Content-Encoding": "br"})
    with pytest.raises(Unreachable, match="encoding"):
        Fetcher().get(site.url + "/a")


def test_compression_is_undone_and_its_size_bounded(site: Site) -> None:
    site.broken["/a"] = world.answering(gzip.compress(b"body"), headers={"Content-Encoding": "gzip"})
    assert Fetcher().get(site.url + "/a").body == b"body"
    site.broken["/a"] = world.answering(gzip.compress(bytes(10**7)), headers={"Content-Encoding": "gzip"})
    with pytest.raises(Unreachable, match="more than 1000 bytes"):
        Fetcher().get(site.url + "/a", 1000)
    site.broken["/a"] = world.answering(b"not compressed at all", headers={"Content-Encoding": "gzip"})
    with pytest.raises(Unreachable):
        Fetcher().get(site.url + "/a")


def test_a_server_cannot_tell_an_auditor_by_headers(site: Site) -> None:
    """Evidence, collateral, files of the page: each is asked for with the same headers, those of a browser's page."""
    for path in (f"/api/v1/tee/quote?nonce={world.NONCE}", "/api/v1/tee/collateral", "/a"):
        Fetcher().get(site.url + path)
    sent = [{name: value for name, value in headers.items() if name != "Host"} for headers in site.headers]
    assert sent == [sent[0]] * 3
    assert set(sent[0]) == {*HEADERS, "Connection"}
    told = " ".join([*sent[0], *sent[0].values()]).lower()
    assert not [word for word in ("quote", "verifier", "python", "requests", "urllib", "audit") if word in told]


def test_cut_short(site: Site) -> None:
    site.broken["/a"] = world.answering(b"x", headers={"Content-Length": "100"})
    with pytest.raises(Unreachable):
        Fetcher(deadline_s=3).get(site.url + "/a")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://nowhere.invalid/", "http://", "nonsense", "http://127.0.0.1:99999/"]
)
def test_no_such_place(url: str) -> None:
    with within(15), pytest.raises(Unreachable):
        Fetcher(deadline_s=10).get(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:1/a?nonce=x", "http://127.0.0.1:1/a cannot be reached: nothing is listening there"),
        ("http://nowhere.invalid/a?nonce=x", "http://nowhere.invalid/a cannot be reached: there is no such host"),
    ],
)
def test_a_dead_server_is_named_without_numbers(url: str, why: str) -> None:
    """No errno, and no query that nobody typed."""
    with within(15), pytest.raises(Unreachable) as found:
        Fetcher(deadline_s=10).get(url)
    assert str(found.value).startswith(why)


def test_error_answers_name_the_status(site: Site) -> None:
    url = site.url + "/missing"
    with pytest.raises(Unreachable, match="HTTP 404: 'not found'"):
        require_ok(Fetcher().get(url), url)
