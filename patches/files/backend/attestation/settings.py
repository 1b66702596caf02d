"""What the launcher tells the web server about attestation, read once from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

SERVICES = ("none", "alibaba", "trustee")
GATES = ("off", "warn", "block")
CHANNELS = ("off", "offer", "require")
LAUNCHES = ("measured", "unmeasured", "modified")
KINDS = ("tdx", "tdx-simulated", "none")

#: The documented solution's service (Alibaba Cloud's remote attestation service).
ALIBABA_SERVICE_URL = "https://attest.cn-beijing.aliyuncs.com"


#: What became of the limit by client.
NO_RATE_LIMIT = "is no setting any more: a quote serves all who wait, and nobody is limited; remove it"


class SettingsError(ValueError):
    """A setting has a value that cannot be used; the message names both."""


@dataclass(frozen=True)
class TeeSettings:
    """Settings of the attestation endpoints; `kind` and `launch` are for display, a client judges for itself."""

    attester_socket: Path | None
    pccs_url: str | None
    service: str
    service_url: str | None
    service_key: str | None
    service_origins: tuple[str, ...]  # the only ones that pages may ask
    gate: str
    max_age_s: int  # a verdict older than this is to be checked again
    launch: str
    kind: str
    channel: str  # of the door before this server; without one there is none


def _choice(environ: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = environ.get(name) or default
    if value not in allowed:
        raise SettingsError(f"{name}={value!r} is not one of {', '.join(allowed)}.")
    return value


def _number(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise SettingsError(f"{name}={text!r} is not a whole number from {low} to {high}.")
    return int(text)


def _origins(*urls: str | None) -> tuple[str, ...]:
    parts = [urlsplit(url.strip()) for url in urls if url and url.strip()]
    return tuple(dict.fromkeys(f"{part.scheme}://{part.netloc}" for part in parts))


def load(environ: Mapping[str, str] = os.environ) -> TeeSettings:
    """The settings in `environ`; raises SettingsError for a value that cannot be used."""
    if environ.get("TEE_RATE_LIMIT"):
        raise SettingsError(f"TEE_RATE_LIMIT={environ['TEE_RATE_LIMIT']!r} {NO_RATE_LIMIT}.")
    service = _choice(environ, "TEE_SERVICE", SERVICES, "none")
    service_url = environ.get("TEE_SERVICE_URL") or None
    if service == "alibaba" and service_url is None:
        service_url = ALIBABA_SERVICE_URL
    if service == "trustee" and service_url is None:
        raise SettingsError("TEE_SERVICE=trustee needs TEE_SERVICE_URL, the address of the Trustee.")
    socket = environ.get("TEE_ATTESTER_SOCKET")
    return TeeSettings(
        attester_socket=Path(socket) if socket else None,
        pccs_url=environ.get("TEE_PCCS_URL") or None,
        service=service,
        service_url=service_url if service != "none" else None,
        service_key=(environ.get("TEE_SERVICE_KEY") or None) if service != "none" else None,
        service_origins=_origins(service_url, *environ.get("TEE_SERVICE_ORIGINS", "").split(",")),
        gate=_choice(environ, "TEE_GATE", GATES, "warn"),
        max_age_s=_number(environ, "TEE_MAX_AGE_S", 3600, 10, 7 * 86400),
        launch=_choice(environ, "TEE_LAUNCH", LAUNCHES, "unmeasured"),
        kind=_choice(environ, "TEE_KIND", KINDS, "none"),
        channel=_choice(environ, "TEE_CHANNEL", CHANNELS, "off"),
    )
