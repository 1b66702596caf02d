"""The settings of a launch, read from the environment and checked before anything starts.

Every name is listed in `docs/deployment.md`. A value that is not understood is refused by name: a security setting
that is silently ignored because of a typing error is worse than no setting.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import idna

from ..errors import SettingError
from . import channel_settings, data_settings, model_settings, tls_settings

DEFAULT_OLLAMA = "http://127.0.0.1:11434"
DEFAULT_STORE = "/usr/share/ollama/.ollama/models"
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
#: To listen on everything, and where this machine reaches that.
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what an operator may set
#: EGRESS where nothing is to be held.
OPEN = "open"
_NAME = re.compile(r"[0-9a-z._-]+")
_ENDS_IN_NUMBER = re.compile(r"(?:^|\.)(?:0x[0-9a-f]*|[0-9]+)\.?$")


@dataclass(frozen=True)
class Settings:
    """What the operator asked for. Empty strings mean: not set."""

    host: str
    port: int
    origin: str
    data_dir: Path
    tdx: str
    llm: str
    profile: str
    ollama_base_url: str
    ollama_models: Path
    ollama_binary: str
    models: tuple[str, ...]
    embedded_model: str
    embedded_model_sha384: str
    service: str
    service_url: str
    service_key: str
    service_origins: tuple[str, ...]
    gate: str
    max_age_s: int
    channel: str
    pccs_url: str
    tls: str
    tls_cert_file: str
    tls_key_file: str
    acme_directory: str
    acme_contact: str
    acme_ca_file: str
    http_port: int | None
    forwarded_allow_ips: tuple[str, ...]
    egress: tuple[str, ...]
    data_key: str
    data_owner: str
    data_volume: str
    trustee_url: str
    trustee_resource: str
    trustee_ca_file: str
    run_as: str
    start_timeout_s: int

    @property
    def public(self) -> bool:
        """Whether people on other machines reach this server: it listens for them, or something passes them on."""
        names = [self.host, urlsplit(self.origin).hostname or "localhost"]
        return not all(_own(name) for name in names)

    @property
    def local_url(self) -> str:
        """Where this machine reaches the door."""
        scheme = "http" if self.tls == "off" else "https"
        host = WILDCARDS.get(self.host, self.host)
        return f"{scheme}://[{host}]:{self.port}" if ":" in host else f"{scheme}://{host}:{self.port}"

    @property
    def names(self) -> tuple[str, ...]:
        """The host names and addresses that the door's certificate is for, the main one first."""
        if self.origin:
            return (urlsplit(self.origin).hostname or "",)
        here = ("localhost", "127.0.0.1", "::1")
        return here if self.host in WILDCARDS or self.host in here else (self.host,)

    @property
    def redirect_port(self) -> int:
        """Where plain http is answered with the https address; 0: nowhere."""
        if self.tls == "off" or not self.origin:
            return 0
        return 80 if self.http_port is None else self.http_port


def _own(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _choice(*allowed: str) -> Callable[[str, str], str]:
    def parse(name: str, value: str) -> str:
        if value not in allowed:
            raise SettingError(f"{name}={value} is not known; choose one of: {', '.join(allowed)}.")
        return value

    return parse


def _optional_choice(*allowed: str) -> Callable[[str, str], str]:
    parse = _choice(*allowed)
    return lambda name, value: parse(name, value) if value else ""


def _integer(low: int, high: int) -> Callable[[str, str], int]:
    def parse(name: str, value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not low <= int(value) <= high:
            raise SettingError(f"{name}={value} is not a whole number from {low} to {high}.")
        return int(value)

    return parse


def _optional(parse: Callable[[str, str], int]) -> Callable[[str, str], int | None]:
    return lambda name, value: parse(name, value) if value else None


def _host(name: str, value: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z.:_-]+", value):
        raise SettingError(f"{name}={value} is not an address or host name to listen on, such as 127.0.0.1 or 0.0.0.0.")
    return value


def _url(name: str, value: str) -> str:
    """An http(s) URL without credentials, query or fragment; a trailing slash is dropped."""
    if value == "":
        return value
    try:
        parts = urlsplit(value)
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        raise SettingError(f"{name}={value} is not a URL.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_ok:
        raise SettingError(f"{name}={value} is not an http or https URL.")
    if parts.username is not None or parts.password is not None:
        raise SettingError(f"{name} holds a user name or password; give it without.")
    if parts.query or parts.fragment:
        raise SettingError(f"{name}={value} has a query or fragment; give it without.")
    return value.rstrip("/")


def _origin(name: str, value: str) -> str:
    """A web origin as browsers write it: scheme, host, port if it is not the default; lower case."""
    url = _url(name, value)
    if url == "":
        return url
    parts = urlsplit(url)
    if parts.path:
        raise SettingError(f"{name}={value} has a path; an origin is only scheme, host and port.")
    default = {"http": 80, "https": 443}[parts.scheme]
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{_spelling(name, value, parts.hostname or '')}{port}"


def _spelling(name: str, value: str, host: str) -> str:
    """A host as browsers write it: Punycode (UTS #46), IPv6 compressed. What they would mend silently is refused."""
    try:
        if ":" in host:
            words = ipaddress.IPv6Address(host)
            if words.ipv4_mapped is None and "%" not in host:
                return f"[{words.compressed}]"
        elif host.isascii() and _NAME.fullmatch(host):
            return str(ipaddress.IPv4Address(host)) if _ENDS_IN_NUMBER.search(host) else host
        elif not host.isascii():
            return idna.encode(host, uts46=True).decode("ascii")
    except ValueError:  # idna's errors are UnicodeErrors
        pass
    raise SettingError(f"{name}={value} is not how a browser writes that address; copy it from one's address bar.")


def _origins(name: str, value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_origin(name, part.strip()) for part in value.split(",") if part.strip()))


def _addresses(name: str, value: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in value.split(",") if part.strip())
    for part in found:
        try:
            ipaddress.ip_network(part, strict=False)
        except ValueError:
            raise SettingError(
                f"{name}={value}: {part} is not an IP address or network; forwarded headers are trusted "
                "only from addresses named one by one."
            ) from None
    return found


def _names(name: str, value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for part in re.split(r"[,\s]+", value) if part))


def _egress(name: str, value: str) -> tuple[str, ...]:
    """`open`, or hosts with their ports (443 by default), separated by commas."""
    found = []
    for word in _names(name, value.lower()):
        match = re.fullmatch(r"([0-9a-z_](?:[0-9a-z._-]*[0-9a-z_])?|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", word)
        port = int(match[2] or 443) if match else 0
        if not 0 < port < 65536:
            raise SettingError(f"{name}: {word} is no host that may be reached, such as api.example:443, nor {OPEN}.")
        found.append(word if word == OPEN or not match else f"{match[1]}:{port}")
    if OPEN in found and len(found) > 1:
        raise SettingError(f"{name}={value} names hosts beside {OPEN}, which lets everything through: choose one.")
    return tuple(found)


def _text(name: str, value: str) -> str:
    if any(ord(char) < 32 for char in value):
        raise SettingError(f"{name} holds a control character.")
    return value


def _mail(name: str, value: str) -> str:
    if value and not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
        raise SettingError(f"{name}={value} is not a mail address, such as admin@chat.example.")
    return value


def _path(name: str, value: str) -> Path:
    return Path(_text(name, value)).expanduser().absolute()


def _default_store(environ: Mapping[str, str]) -> Path:
    """Where Ollama keeps its models: as a system's service, or else as a program that this account started."""
    service, own = Path(DEFAULT_STORE), Path(environ.get("HOME") or "/nonexistent") / ".ollama" / "models"
    return own if own.is_dir() and not service.is_dir() else service


# name, field, default, parser. The order is the one of docs/deployment.md.
_TABLE: tuple[tuple[str, str, str, Callable[[str, str], object]], ...] = (
    ("HOST", "host", "127.0.0.1", _host),
    ("PORT", "port", "8080", _integer(1, 65535)),
    ("ORIGIN", "origin", "", _origin),
    ("DATA_DIR", "data_dir", "var", _path),
    ("TDX", "tdx", "auto", _choice("auto", "real", "simulated")),
    ("LLM", "llm", "auto", _choice("auto", "ollama", "embedded", "none")),
    ("PROFILE", "profile", "slim", _choice("slim", "full")),
    ("OLLAMA_BASE_URL", "ollama_base_url", DEFAULT_OLLAMA, _url),
    ("OLLAMA_MODELS", "ollama_models", DEFAULT_STORE, _path),
    ("OLLAMA_BINARY", "ollama_binary", "", _text),
    ("MODELS", "models", "", _names),
    ("EMBEDDED_MODEL", "embedded_model", "", model_settings.weights),
    ("EMBEDDED_MODEL_SHA384", "embedded_model_sha384", "", model_settings.sha384),
    ("TEE_SERVICE", "service", "none", _choice("none", "alibaba", "trustee")),
    ("TEE_SERVICE_URL", "service_url", "", _url),
    ("TEE_SERVICE_KEY", "service_key", "", _text),
    ("TEE_SERVICE_ORIGINS", "service_origins", "", _origins),
    ("TEE_GATE", "gate", "warn", _choice("off", "warn", "block")),
    ("TEE_MAX_AGE_S", "max_age_s", "3600", _integer(10, 7 * 86_400)),
    ("TEE_CHANNEL", "channel", "", _optional_choice(*channel_settings.CHANNELS)),
    ("TEE_PCCS_URL", "pccs_url", "", _url),
    ("TLS", "tls", "off", _choice("off", "self-signed", "acme", "files")),
    ("TLS_CERT_FILE", "tls_cert_file", "", _text),
    ("TLS_KEY_FILE", "tls_key_file", "", _text),
    ("ACME_DIRECTORY", "acme_directory", LETS_ENCRYPT, _url),
    ("ACME_CONTACT", "acme_contact", "", _mail),
    ("ACME_CA_FILE", "acme_ca_file", "", _text),
    ("HTTP_PORT", "http_port", "", _optional(_integer(0, 65535))),
    ("FORWARDED_ALLOW_IPS", "forwarded_allow_ips", "", _addresses),
    ("EGRESS", "egress", "", _egress),
    ("DATA_KEY", "data_key", "none", _choice("none", "unlock", "trustee")),
    ("DATA_OWNER", "data_owner", "", data_settings.owner),
    ("DATA_VOLUME", "data_volume", "", data_settings.volume),
    ("DATA_TRUSTEE_URL", "trustee_url", "", _url),
    ("DATA_TRUSTEE_RESOURCE", "trustee_resource", "", data_settings.resource),
    ("DATA_TRUSTEE_CA_FILE", "trustee_ca_file", "", _text),
    ("RUN_AS", "run_as", "", _text),
    ("START_TIMEOUT_S", "start_timeout_s", "180", _integer(5, 3600)),
)
NAMES = tuple(row[0] for row in _TABLE)
#: Settings of earlier releases, and what replaced them.
_GONE = {
    "TEE_RATE_LIMIT": "a quote serves all who wait, and nobody is limited",
    "TLS_SPKI_SHA256": "a key that somebody types in says nothing about who holds it",
}


def load(environ: Mapping[str, str]) -> Settings:
    """Read and check every setting. An empty value means the default. Raises SettingError."""
    for name in sorted(_GONE.keys() & environ.keys()):
        raise SettingError(f"{name} is no setting any more: {_GONE[name]}; remove it.")
    unknown = sorted(name for name in environ if name.startswith("TEE_") and name not in NAMES)
    if unknown:
        known = ", ".join(name for name in NAMES if name.startswith("TEE_"))
        raise SettingError(f"{unknown[0]} is not a setting; known are: {known}.")
    values = {field: parse(name, environ.get(name) or default) for name, field, default, parse in _TABLE}
    if not environ.get("OLLAMA_MODELS"):
        values["ollama_models"] = _default_store(environ)
    values["channel"] = values["channel"] or channel_settings.default(_own(str(values["host"])))
    settings = Settings(**values)  # type: ignore[arg-type]
    if settings.service == "trustee" and not settings.service_url:
        raise SettingError("TEE_SERVICE=trustee needs TEE_SERVICE_URL, the address of your Trustee.")
    if settings.service == "none" and (settings.service_url or settings.service_key):
        raise SettingError("TEE_SERVICE_URL or TEE_SERVICE_KEY is set, but TEE_SERVICE is none.")
    if environ.get("RAG_WEB_LOADER_ENGINE") == "playwright":
        raise SettingError(
            "RAG_WEB_LOADER_ENGINE=playwright: its browser follows pages to addresses inside, and nothing here judges "
            "those, so this release fetches nothing with it. Use safe_web, the default."
        )
    tls_settings.check(settings)
    channel_settings.check(settings, environ)
    data_settings.check(settings, environ)
    model_settings.check(settings)
    return settings
