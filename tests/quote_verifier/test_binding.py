"""Loopback addresses, and what report data binds. (Statuses: tests/vectors.)"""

import hashlib
from typing import Any

import pytest
import rfc8785
from quote_verifier.binding import is_loopback, report_data_of


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost",
        "https://localhost:8443",
        "http://127.0.0.1:8080",
        "http://127.1.2.3",
        "http://[::1]:80",
        "http://a.localhost",
        "http://localhost.",
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
        "http://[::ffff:7f00:1]",
        "http://localhost..",
        "x",
        "",
    ],
)
def test_not_loopback(origin: str) -> None:
    assert not is_loopback(origin)


def test_report_data() -> None:
    data: dict[str, Any] = {"v": 1, "nonce": "x"}
    assert report_data_of(data) == hashlib.sha384(rfc8785.dumps(data)).digest() + bytes(16)
    assert report_data_of({"nonce": "x", "v": 1}) == report_data_of(data)
