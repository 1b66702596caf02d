"""Why the channel gave nothing, or not the whole."""

from __future__ import annotations


class TunnelError(Exception):
    """The channel gave no whole answer; the text is one sentence."""


class StaleKeyError(TunnelError):
    """The server does not hold the key any more: ask for evidence again."""
