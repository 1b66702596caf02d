"""The environment that every process starts from: built from nothing.

A variable is fixed here, or it is in `HARMLESS` with the reason, or it is measured: the operator's settings for Open
WebUI in the `settings` event, and what sends words elsewhere or decides who is believed there in the `site` event.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from ..errors import SettingError
from .effective import is_local, without_login

# Where programs are found: the system's own folders, whatever the shell that started the launcher says.
FIXED = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
}
HARMLESS = {
    "TZ": "the name of a time zone only decides how times are shown",
    "no_proxy": "what is excluded goes straight to where it was to go in any case",
    "DCAP_TDX_QUOTE_CONFIGFS_PATH": "only where quotes come from: verifiers check their signatures, not their source",
}
PROXIES = ("http_proxy", "https_proxy")
CERTIFICATES = "SSL_CERT_FILE"
LOOPBACK = ("localhost", "127.0.0.1", "::1")

_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")


def base(environ: Mapping[str, str]) -> dict[str, str]:
    """What every process gets."""
    zone = environ.get("TZ", "")
    return FIXED | ({"TZ": zone} if _ZONE.fullmatch(zone) else {})


def network(environ: Mapping[str, str], urls: Iterable[str], certificates: str) -> dict[str, str]:
    """What the web server gets beside it: proxies, never for loopback, and the file of certificates that it believes.

    `urls` are all addresses that it was given; `certificates` is the path of the measured copy, or "".
    """
    values = proxies(environ)
    if values:
        hosts = {*LOOPBACK, *(urlsplit(url).hostname or "" for url in urls if "://" in url and is_local(url))} - {""}
        theirs = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
        values["no_proxy"] = ",".join([*sorted(hosts), *filter(None, theirs.split(","))])
    if certificates:
        values[CERTIFICATES] = certificates
    return values


def proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """The proxies that the operator named, under their usual spelling. Raises SettingError for one that is no URL."""
    found = {}
    for name in PROXIES:
        value = environ.get(name) or environ.get(name.upper()) or ""
        if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise SettingError(f"{name}={value} is not the address of a proxy, such as http://proxy.example:3128.")
        if value:
            found[name] = value
    return found


def endpoints(environ: Mapping[str, str], certificates: str) -> list[dict[str, str]]:
    """The `endpoint` events of this environment. A proxy is one even on this machine: it is another program that
    reads every word, and where it sends them is nowhere written. `certificates` is SHA-384 in hex, or ""."""
    found = [{"setting": name, "value": without_login(value)} for name, value in proxies(environ).items()]
    if certificates:
        found.append({"setting": CERTIFICATES, "value": f"sha384:{certificates}"})
    return found
