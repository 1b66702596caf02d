"""Requests to addresses that somebody else named: only to the public Internet, and only to the address that was judged.

What is judged is the address that a name resolves to, and the connection goes to that very address: asking twice would
give whoever holds the name a second answer. Nothing is followed: a redirect is a new address, for a person to ask for.
ENABLE_RAG_LOCAL_WEB_FETCH=true, a measured setting of upstream's, allows addresses inside. Where the launch fences the
server in (TEE_FENCED), no page is fetched for anybody: its address would carry words out.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

TIMEOUT_S = 30.0
MAX_BYTES = 20_000_000
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: Public by number, but a cloud's own service for its machines (Azure's host agent); and what Python may not know.
_NOT_PUBLIC = (ipaddress.IPv4Network("168.63.129.16/32"), ipaddress.IPv4Network("192.0.0.0/24"))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class OutsideError(ValueError):
    """The address is refused or does not answer as it should; the message says why."""


def is_public(address: Address) -> bool:
    """Whether an IP address, or the IPv4 address inside it, is one of the public Internet."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local or int(address) >> 32 == 0:  # "::a.b.c.d", a form that was given up
            return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _NOT_PUBLIC)
    )


def require_judged(engine: str) -> None:
    """OutsideError for a way of fetching pages whose addresses nobody here judges (RAG_WEB_LOADER_ENGINE)."""
    if engine == "playwright":
        raise OutsideError(
            "RAG_WEB_LOADER_ENGINE=playwright fetches nothing here: its browser follows pages to addresses inside, and "
            "nothing judges those. Use safe_web, the default."
        )


def local_allowed() -> bool:
    """Whether the launch allows addresses inside."""
    return os.environ.get("ENABLE_RAG_LOCAL_WEB_FETCH", "false").lower() == "true"


def fenced() -> bool:
    """Whether this server reaches only what its launch measured."""
    return os.environ.get("TEE_FENCED") == "true"


def refuse_where_fenced(url: str) -> None:
    """Raises OutsideError where no page can be fetched: the person should read why, and not that a name is unknown."""
    if fenced():
        raise OutsideError(
            f"{url[:200]} is not fetched: this service is fenced in, so that nothing gets out. EGRESS=open at launch "
            "allows it, and everybody who verifies this server sees that."
        )


async def pages(loader: Any, results: list[Any]) -> list[Any]:
    """The pages that a search found, as Documents; what the search says of each where none can be fetched.

    `results` have `link`, `title` and `snippet`, the last two perhaps None.
    """
    if not fenced():
        return list(await loader.aload())
    from langchain_core.documents import Document  # the tests of this file do without it

    found = [(each.link, each.title or each.link, each.snippet or "") for each in results]
    return [Document(f"{title}\n{text}", metadata={"source": link, "title": title}) for link, title, text in found]


def _literal(host: str) -> Address | None:
    """The IP address that a host is, in every spelling that a resolver takes, such as 127.1; None for a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0].strip("[]"))
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def parse(url: str) -> URL:
    """The URL as the client that connects reads it. Raises OutsideError if it is none to be asked."""
    if any(ord(char) <= 32 or ord(char) == 127 or char == "\\" for char in url):
        raise OutsideError("This address holds a space, a backslash or a control character.")
    try:
        found = URL(url)
        host = found.host
    except ValueError:
        raise OutsideError("This is not an address of the web.") from None
    if found.scheme not in ("http", "https") or not host:
        raise OutsideError("Only http and https addresses are fetched.")
    if found.user is not None or found.password is not None:
        raise OutsideError("An address with a user name in it is not fetched.")
    address = _literal(host)
    if address is not None:
        judge(host, [address])
    return found


def judge(host: str, addresses: list[Address]) -> None:
    """Raise OutsideError unless there are addresses and all of them are public (or local ones were allowed)."""
    if not addresses:
        raise OutsideError(f"{host} has no address.")
    if not local_allowed() and not all(is_public(address) for address in addresses):
        raise OutsideError(
            f"{host} is an address inside this network or machine, which is not fetched for anybody: "
            "ENABLE_RAG_LOCAL_WEB_FETCH=true at launch allows it, and everybody who verifies this server sees that."
        )


class PublicResolver(AbstractResolver):
    """aiohttp connects to what this returns and asks nobody else: every address of the answer was judged."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Every address of `host`. Raises OutsideError if one of them is inside, or there is none."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        except OSError as error:
            raise OutsideError(f"{host} cannot be resolved ({error}).") from None
        judge(host, [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found])
        return [
            ResolveResult(
                hostname=host,
                host=str(entry[4][0]),
                port=port,
                family=entry[0],
                proto=entry[2],
                flags=socket.AI_NUMERICHOST,
            )
            for entry in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def request(method: str, url: str, *, verify: bool = True, **kwargs: Any) -> tuple[str, bytes]:
    """Type and body of the answer. No proxy, no cookie, no redirect, at most MAX_BYTES. Raises OutsideError."""
    target = parse(url)
    refuse_where_fenced(url)
    connector = aiohttp.TCPConnector(resolver=PublicResolver(), use_dns_cache=False, ssl=verify)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
            ) as session,
            session.request(method, target, allow_redirects=False, **kwargs) as answer,
        ):
            if 300 <= answer.status < 400:
                raise OutsideError(
                    f"{url} leads to {answer.headers.get('Location', 'another address')}, "
                    "which is not followed: ask for that."
                )
            if answer.status >= 400:
                raise OutsideError(f"{url} answers {answer.status}.")
            body = await answer.content.read(MAX_BYTES + 1)
            while len(body) <= MAX_BYTES and (more := await answer.content.read(MAX_BYTES + 1 - len(body))):
                body += more
            if len(body) > MAX_BYTES:
                raise OutsideError(f"{url} answers with more than {MAX_BYTES} bytes.")
            return answer.headers.get("Content-Type", ""), body
    except (aiohttp.ClientError, TimeoutError, UnicodeError) as error:
        raise OutsideError(f"{url} does not answer ({error or type(error).__name__}).") from None


def request_blocking(method: str, url: str, **kwargs: Any) -> tuple[str, bytes]:
    """`request` for code that may wait, whether or not an event loop runs in its thread."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(lambda: asyncio.run(request(method, url, **kwargs))).result()


def picture(url: str) -> tuple[bytes, str]:
    """A picture and its type. Raises OutsideError if the address gives anything else."""
    kind, body = request_blocking("GET", url)
    if not kind.startswith("image/"):
        raise OutsideError(f"{url} is no picture.")
    return body, kind
