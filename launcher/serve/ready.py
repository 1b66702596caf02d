"""How a process is seen to be ready."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import UnavailableError
from ..plan.processes import Ready


def is_ready(sign: Ready) -> bool:
    """Whether every sign that the process was to give is there."""
    return (
        (sign.file is None or sign.file.exists())
        and (sign.socket is None or _answers(sign.socket))
        and (not sign.url or healthy(sign.url))
    )


def healthy(url: str) -> bool:
    """Whether a server answers a GET of `url` with 200."""
    connection = _connect(url, 2)
    try:
        connection.request("GET", urlsplit(url).path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class _Local(http.client.HTTPConnection):
    """To a server at a Unix socket."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("web-server", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def has_no_users(path: Path) -> bool:
    """Whether Open WebUI, at the Unix socket `path`, waits for its first user: the page asks the same."""
    connection = _Local(path, 10)  # the door may take no ordinary request for it
    try:
        connection.request("GET", "/api/config")
        return bool(json.loads(connection.getresponse().read()).get("onboarding"))
    except (OSError, ValueError, AttributeError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _connect(url: str, timeout_s: float) -> http.client.HTTPConnection:
    """To the door, which this launcher started on sockets of its own: whose certificate it shows does not matter."""
    parts = urlsplit(url)
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=timeout_s, context=context)


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
