"""What TEE_CHANNEL is where nobody sets it, and which settings do not go with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import SettingError

if TYPE_CHECKING:
    from .settings import Settings

#: Whether sealed requests are not taken, taken, or the only ones that are taken.
CHANNELS = ("off", "offer", "require")
#: Upstream's names for signing in with another provider, which leads people away and back outside of the channel.
_PROVIDERS = ("GOOGLE_CLIENT_ID", "MICROSOFT_CLIENT_ID", "GITHUB_CLIENT_ID", "OAUTH_CLIENT_ID")
#: Upstream's switch for sockets; anything but "true" is off, and pages then ask again and again instead.
_SOCKETS = "ENABLE_WEBSOCKET_SUPPORT"
_BY_HEADER = "WEBUI_AUTH_TRUSTED_EMAIL_HEADER"


def default(loopback: bool) -> str:
    """TEE_CHANNEL of a service; `loopback`: it listens for this machine alone."""
    return "offer" if loopback else "require"


def check(settings: Settings, environ: Mapping[str, str]) -> None:
    """Raises SettingError."""
    if settings.channel != "off" and environ.get(_BY_HEADER):
        raise SettingError(
            f"{_BY_HEADER} lets a proxy before this service say who asks, and what comes sealed no proxy can change: "
            "anybody could claim to be somebody else. Take it away, or set TEE_CHANNEL=off."
        )
    if settings.channel != "require":
        return
    sockets = environ.get(_SOCKETS) or "true"
    if sockets.lower() != "true":
        raise SettingError(
            f"{_SOCKETS}={sockets} has pages ask again and again for what is new, and where TEE_CHANNEL is require "
            "that comes over a socket whose every message is sealed: take it away, or set TEE_CHANNEL=offer."
        )
    for name in _PROVIDERS:
        if environ.get(name):
            raise SettingError(
                f"{name} lets people sign in with another provider, which leads outside of the encrypted channel, and "
                "TEE_CHANNEL is require: take it away, or set TEE_CHANNEL=offer."
            )
