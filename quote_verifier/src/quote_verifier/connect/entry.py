"""Who may use the pages on this machine: whoever opened the printed link, and nobody else's page or program.

All programs and all sites of a person's browser can reach a port of that machine. The link holds a secret that is good
once; the page that it opens gets a token for it, which each of its requests carries as a header, where no other site's
page can put it. A cookie would not do: all ports of one name share them.
"""

from __future__ import annotations

import hmac
import platform
import secrets
import socket

TOKEN_HEADER = "X-Connect-Token"  # noqa: S105 -- a name
#: WebSockets of browsers have no headers of their choice; what they say they speak is one, though.
TOKEN_PROTOCOL = "connect."  # noqa: S105 -- a prefix


class Entry:
    """The secret of the link, and the token that it is exchanged for."""

    def __init__(self) -> None:
        self.secret = secrets.token_urlsafe(24)
        self._token = secrets.token_urlsafe(32)
        self._used = False

    def exchange(self, given: str) -> str | None:
        """The token, for the link's secret, once."""
        if self._used or not _same(given, self.secret):
            return None
        self._used = True
        return self._token

    def admits(self, token: str) -> bool:
        """Whether a request with this token is that page's."""
        return _same(token, self._token)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def own_name() -> str:
    """A name of this machine that no other page can know, so that the browser keeps what it stores for it apart."""
    return f"{secrets.token_hex(8)}.localhost"


def resolves(name: str) -> bool:
    """Whether a browser here finds this machine by `name`: they do by themselves, but for Safari, which asks the
    system."""
    if platform.system() != "Darwin":
        return True
    try:
        return bool(socket.getaddrinfo(name, 80))
    except OSError:
        return False
