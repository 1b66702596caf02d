"""What may leave: which hosts and programs the web server and its models can reach, and what the `site` event says.

They run inside a fence (`launcher/serve/fence.py`). What the settings name by an address is let through: hosts
elsewhere by the broker, which connects to nothing else, and other programs of this machine each at its own port. What
leads to places that no setting names (a proxy, a service that is known by a word alone) needs them named in EGRESS;
otherwise nothing can be held, and the launch says `open`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import SettingError
from . import effective, environment
from .launch import Launch
from .model import EMBEDDED
from .settings import OPEN

CLOSED = "closed"
_PORTS = {
    "http": 80, "ws": 80, "https": 443, "wss": 443, "ldap": 389, "ldaps": 636, "redis": 6379, "rediss": 6379,
    "postgres": 5432, "postgresql": 5432, "mysql": 3306,
}  # fmt: skip
_BY_PROXY = ("http", "https")
# Upstream's clients that know no proxy, so that no broker can be put before them.
_WITHOUT_PROXY = ("CODE_EXECUTION_JUPYTER_URL", "CODE_INTERPRETER_JUPYTER_URL")
# Hosts without an address around them, and the setting that has the port.
_PORT_SETTINGS = {"CHROMA_HTTP_HOST": ("CHROMA_HTTP_PORT", "8000"), "LDAP_SERVER_HOST": ("LDAP_SERVER_PORT", "389")}
# Sign-ins at services that upstream knows by name, where these are set.
_PROVIDERS = ("GOOGLE_CLIENT_ID", "MICROSOFT_CLIENT_ID", "GITHUB_CLIENT_ID")


@dataclass(frozen=True)
class Egress:
    """`hosts`: `host:port` that the broker connects to; `forwards`: programs of this machine, each reached at its own
    address; `why`: why nothing is held, or ""."""

    hosts: tuple[str, ...] = ()
    forwards: tuple[tuple[str, int], ...] = ()
    why: str = ""

    @property
    def fenced(self) -> bool:
        """Whether what reads people's words runs inside the fence."""
        return not self.why

    @property
    def said(self) -> str | list[str]:
        """The member `egress` of the `site` event. A program of this machine is outside the fence, and nobody
        measures it: it is named as a host is."""
        if not self.fenced:
            return OPEN
        return sorted({*self.hosts, *(_named(host, port) for host, port in self.forwards)}) or CLOSED

    @property
    def proxy(self) -> int:
        """The port inside at which the broker listens; 0 where there is none."""
        taken = {port for _, port in self.forwards}
        return next(port for port in range(3128, 65536) if port not in taken) if self.hosts and self.fenced else 0

    def network(self) -> dict[str, str]:
        """What tells the web server's clients to leave by the broker."""
        if not self.proxy:
            return {}
        names = sorted({*environment.LOOPBACK, *(host for host, _ in self.forwards)})
        url = f"http://127.0.0.1:{self.proxy}"
        return {**dict.fromkeys(environment.PROXIES, url), "no_proxy": ",".join(names)}


def decide(launch: Launch, env: Mapping[str, str], theirs: Mapping[str, str], problem: str) -> Egress:
    """`env` is what the web server gets, `theirs` what of it the operator set, `problem` why this machine or account
    has no fence, or "". Raises SettingError."""
    named = launch.settings.egress
    hosts = {each for each in named if each != OPEN}
    forwards: set[tuple[str, int]] = set()
    why = "EGRESS=open" if OPEN in named else problem
    proxies = environment.proxies(launch.environ)
    if proxies:
        if hosts:
            raise SettingError(f"EGRESS names hosts, but {next(iter(proxies))} leads anywhere: take one of them away.")
        why = why or f"{next(iter(proxies))} leads anywhere"
    for setting, value in _leading(launch, env, theirs):
        place = _place(setting, value, env)
        if place and effective.is_local(value):
            forwards.add((place[1], place[2]))
        elif place and place[0] in _BY_PROXY and setting not in _WITHOUT_PROXY:
            hosts.add(_named(*place[1:]))
        elif place:
            why = why or f"{setting} leads to {place[1]}, which is not reached by a proxy"
        elif not named:
            why = why or f"which hosts {setting} leads to is not known, and EGRESS does not name them"
    return Egress(tuple(sorted(hosts)), tuple(sorted(forwards)), why)


def _leading(launch: Launch, env: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Every setting and address that the web server is to reach, but for its models' own."""
    settings = launch.settings
    own, measured = settings.origin or settings.local_url, {settings.ollama_base_url} - {""}
    for setting, value in effective.addresses(env):
        searched = setting == "RAG_WEB_SEARCH_ENGINE" and value == "searxng" and env.get("SEARXNG_QUERY_URL")
        ours = value == EMBEDDED or (value.rstrip("/") in measured and effective.is_local(value))
        if not (searched or ours or value.startswith("sqlite:")):  # (that other setting is the address)
            yield setting, value
    yield from effective.other_addresses(theirs, own)
    yield from ((setting, "") for setting in _PROVIDERS if theirs.get(setting))


def _place(setting: str, value: str, env: Mapping[str, str]) -> tuple[str, str, int] | None:
    """Scheme, host and port of an address; None where it names none."""
    if setting in _PORT_SETTINGS and "://" not in value:
        name, default = _PORT_SETTINGS[setting]
        port = env.get(name) or default
        return ("", value.strip().lower(), int(port)) if port.isdigit() else None
    try:
        parts = urlsplit(value.strip())
        port_number = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port_number) if parts.hostname and port_number else None


def _named(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
