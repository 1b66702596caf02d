"""Origins and loopback addresses as a browser spells them. (Statuses: tests/vectors.)"""

import hashlib
from typing import Any

import pytest
import rfc8785
from quote_verifier.binding import is_loopback, report_data_of
from quote_verifier.bundle import origin_of
from quote_verifier.errors import Malformed


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost",
        "https://localhost:8443",
        "http://127.0.0.1:8080",
        "http://127.1.2.3",
        "http://[::1]:80",
        "http://a.localhost",
    ],
)
def test_loopback(origin: str) -> None:
    assert is_loopback(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost.example",
        "http://127.0.0.1.example",
        "http://128.0.0.1",
        "http://[::2]",
        "http://0.0.0.0",
        "http://notlocalhost",
        "http://127.1",
        "x",
        "",
    ],
)
def test_not_loopback(origin: str) -> None:
    assert not is_loopback(origin)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Chat.Example/path", "https://chat.example"),
        ("https://chat.example:443", "https://chat.example"),
        ("http://chat.example:80/", "http://chat.example"),
        ("https://chat.example:8443/a?b", "https://chat.example:8443"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_origin_of(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    ["chat.example", "ftp://chat.example", "https://", "https://user@chat.example", "https://a:x", "https://[", ""],
)
def test_no_origin(url: str) -> None:
    with pytest.raises(Malformed):
        origin_of(url)


def test_report_data() -> None:
    data: dict[str, Any] = {"v": 1, "nonce": "x"}
    assert report_data_of(data) == hashlib.sha384(rfc8785.dumps(data)).digest() + bytes(16)
    assert report_data_of({"nonce": "x", "v": 1}) == report_data_of(data)
