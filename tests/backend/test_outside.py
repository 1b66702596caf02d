"""Which addresses are fetched for people, and that the connection goes where was judged."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Any

import pytest
from open_webui.tee import outside

from tests.attacks.standin import Standin

INSIDE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200", "100.64.0.1", "0.0.0.0",
    "168.63.129.16", "192.0.0.192", "224.0.0.1", "255.255.255.255", "198.18.0.1",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "fd00::1", "fd00:ec2::254", "fe80::1",
    "ff02::1", "fec0::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2002:7f00:1::",
    "2001:db8::1", "2001:0:7f00:1::80ff:fffe",
]  # fmt: skip


@pytest.mark.attack
@pytest.mark.parametrize("address", INSIDE)
def test_cve_2025_65958_addresses_inside(address: str) -> None:
    assert not outside.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses(address: str) -> None:
    assert outside.is_public(ipaddress.ip_address(address))


@pytest.mark.attack
@pytest.mark.parametrize(
    "url",
    [
        "http://public.example\\@127.0.0.1/", "http://public.example@127.0.0.1/", "http://127.0.0.1 .public.example/",
        "http://127.1/", "http://0x7f.1/", "http://2130706433/", "http://017700000001/", "http://[::ffff:7f00:1]/", "http://[::1%25lo]/",
        "file:///etc/passwd", "gopher://public.example/", "http:///nothing", "http://127.0.0.1\t/", "//127.0.0.1/",
    ],
)  # fmt: skip
def test_cve_2026_45400_addresses_read_in_two_ways(url: str) -> None:
    with pytest.raises(outside.OutsideError):
        outside.parse(url)


def test_an_address_of_the_web() -> None:
    assert outside.parse("https://public.example:8443/a?b=c#d").host == "public.example"


@pytest.fixture
def inside() -> Any:
    standin = Standin()
    yield standin
    standin.close()


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Let names resolve to these addresses, one answer each time; the names that were asked for."""
    asked: list[str] = []

    async def getaddrinfo(self: Any, host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers[min(len(asked), len(answers)) - 1], port))]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.slow
@pytest.mark.attack
def test_cve_2026_45331_a_name_that_resolves_inside(monkeypatch: pytest.MonkeyPatch, inside: Standin) -> None:
    resolve_to(monkeypatch, "127.0.0.1")
    with pytest.raises(outside.OutsideError, match="ENABLE_RAG_LOCAL_WEB_FETCH"):
        outside.request_blocking("GET", f"http://innocent.example:{inside.port}/inside")
    assert inside.paths == []


@pytest.mark.slow
@pytest.mark.attack
def test_cve_2026_54020_a_name_that_resolves_twice(monkeypatch: pytest.MonkeyPatch, inside: Standin) -> None:
    """The stand-in's address passes for a public one; a second answer would be another address."""
    asked = resolve_to(monkeypatch, "127.0.0.1", "127.0.0.2")
    monkeypatch.setattr(outside, "is_public", lambda address: str(address) == "127.0.0.1")
    _, body = outside.request_blocking("GET", f"http://rebinding.example:{inside.port}/page")
    assert body and asked == ["rebinding.example"] and inside.paths == ["/page"]


@pytest.mark.slow
@pytest.mark.attack
def test_cve_2026_45401_redirects_are_not_followed(monkeypatch: pytest.MonkeyPatch, inside: Standin) -> None:
    resolve_to(monkeypatch, "127.0.0.1")
    monkeypatch.setattr(outside, "is_public", lambda address: True)
    with pytest.raises(outside.OutsideError, match=r"leads to http://127\.0\.0\.1/secret, which is not followed"):
        outside.request_blocking("GET", f"http://public.example:{inside.port}/redirect?http://127.0.0.1/secret")
    assert len(inside.paths) == 1


@pytest.mark.slow
@pytest.mark.attack
def test_cve_2026_45401_no_proxy_decides(monkeypatch: pytest.MonkeyPatch, inside: Standin) -> None:
    monkeypatch.setenv("http_proxy", inside.url)
    with pytest.raises(outside.OutsideError):
        outside.request_blocking("GET", "http://127.0.0.1:9/")
    assert inside.paths == []


@pytest.mark.slow
@pytest.mark.attack
def test_inside_the_fence_nothing_is_fetched_by_whoever_asks(monkeypatch: pytest.MonkeyPatch, inside: Standin) -> None:
    monkeypatch.setenv("TEE_FENCED", "true")
    monkeypatch.setenv("ENABLE_RAG_LOCAL_WEB_FETCH", "true")  # not by this either
    with pytest.raises(outside.OutsideError, match="fenced in, so that nothing gets out. EGRESS=open"):
        outside.request_blocking("GET", f"{inside.url}/page")
    assert inside.paths == []


@pytest.mark.slow
def test_a_measured_setting_allows_addresses_inside(monkeypatch: pytest.MonkeyPatch, inside: Standin) -> None:
    monkeypatch.setenv("ENABLE_RAG_LOCAL_WEB_FETCH", "true")
    assert outside.request_blocking("GET", f"{inside.url}/page")[0] == "text/html"
