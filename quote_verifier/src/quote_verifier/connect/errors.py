"""Why the channel gave nothing, or not the whole."""

from __future__ import annotations


class TunnelError(Exception):
    """The channel gave no whole answer; the text is one sentence."""


class StaleKeyError(TunnelError):
    """The server does not hold the key any more, or somebody on the way says so: ask for evidence again. `refused`
    names the request that it did not open (`sealed_http.exchange.name_of`)."""

    def __init__(self, sentence: str, refused: bytes) -> None:
        super().__init__(sentence)
        self.refused = refused
