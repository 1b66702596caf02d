"""What a program between others answers where it passes a request on to nobody."""

from __future__ import annotations


class Refusal(Exception):
    """A request that is not passed on; `status` is HTTP's, the text one sentence."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status
