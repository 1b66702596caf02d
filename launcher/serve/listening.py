"""Open the sockets that the door listens on: as root it may have ports that the door's account may not."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import UnavailableError
from ..plan.settings import Settings
from ..summary import notice


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[list[socket.socket], list[socket.socket]]]:
    """The sockets for HOST:PORT, and those for redirects, bound and not listening yet. Raises UnavailableError.

    Without redirects (HTTP_PORT) everything works: a port that nobody asked for by name only gets a notice.
    """
    sockets = bound(settings.host, settings.port, "PORT")
    redirects: list[socket.socket] = []
    try:
        try:
            redirects = bound(settings.host, settings.redirect_port, "HTTP_PORT") if settings.redirect_port else []
        except UnavailableError as error:
            if settings.http_port is not None or settings.tls == "acme":
                raise
            notice(f"{error} Plain http is not redirected to {settings.origin}.")
        yield sockets, redirects
    finally:
        for each in (*sockets, *redirects):
            each.close()


def bound(host: str, port: int, setting: str) -> list[socket.socket]:
    """A socket for each address of `host`. Raises UnavailableError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        raise UnavailableError(f"HOST={host} is not an address of this machine.") from None
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            each = socket.socket(family, kind, protocol)
            sockets.append(each)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            each.bind(address)
    except OSError as error:
        for each in sockets:
            each.close()
        raise UnavailableError(f"Cannot listen: {_why(error, host, port, setting)}.") from None
    return sockets


def _why(error: OSError, host: str, port: int, setting: str) -> str:
    return {
        errno.EADDRINUSE: f"something else listens on {host}:{port}; choose another {setting}, or stop it",
        errno.EACCES: f"listening on port {port} is not allowed for this account; choose a {setting} from 1024 on",
        errno.EADDRNOTAVAIL: f"HOST={host} is not an address of this machine",
    }.get(error.errno or 0, str(error))
