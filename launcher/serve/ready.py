"""How a process is seen to be ready, and whether the port to serve at is free."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import UnavailableError
from ..plan.processes import Ready
from ..plan.settings import Settings


def is_ready(sign: Ready) -> bool:
    """Whether every sign that the process was to give is there."""
    return (
        (sign.file is None or sign.file.exists())
        and (sign.socket is None or _answers(sign.socket))
        and (not sign.url or healthy(sign.url))
    )


def healthy(url: str) -> bool:
    """Whether a server answers a GET of `url` with 200."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=2)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def has_no_users(url: str) -> bool:
    """Whether Open WebUI, at `url`, waits for its first user: the page asks the same."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("GET", "/api/config")
        return bool(json.loads(connection.getresponse().read()).get("onboarding"))
    except (OSError, ValueError, AttributeError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def check_port(settings: Settings) -> None:
    """Fail early and clearly if the address cannot be listened on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError:
        raise UnavailableError(f"HOST={settings.host} is not an address of this machine.") from None
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            busy = f"something else listens on {settings.host}:{settings.port}; choose another PORT, or stop it"
            denied = f"listening on port {settings.port} is not allowed for this account; choose a PORT from 1024 on"
            wrong = f"HOST={settings.host} is not an address of this machine"
            text = {98: busy, 13: denied, 99: wrong}.get(error.errno or 0, str(error))
            raise UnavailableError(f"Cannot listen: {text}.") from None


def read_ready(path: Path) -> dict[str, Any]:
    """A ready file's JSON object."""
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict):
        raise UnavailableError(f"{path} does not hold what a process that is ready should write.")
    return document


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
