"""How the door asks a server that an operator named: an answer is read whole, within bounds, or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import HTTPAdapter

REQUEST_S = 30.0
MAX_ANSWER = 256 * 1024


class RefusedAnswer(requests.RequestException):
    """An answer that is refused before anybody reads it; the text says what it does."""


class Bounded(HTTPAdapter):
    """Reads an answer whole, within `MAX_ANSWER` bytes and `REQUEST_S` seconds, and follows no redirect. `heard` gets
    each answer's head."""

    def __init__(self, heard: Callable[[requests.Response], object] = lambda response: None) -> None:
        super().__init__()
        self._heard = heard

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """One request. Raises RequestException."""
        until = time.monotonic() + REQUEST_S
        response = super().send(request, *args, **(kwargs | {"stream": True}))
        with response:
            if 300 <= response.status_code < 400:
                raise RefusedAnswer(f"it redirects to {response.headers.get('Location', 'nowhere')}")
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise RefusedAnswer("its answer has an encoding that was not asked for")
            body = bytearray()
            while chunk := response.raw.read1(MAX_ANSWER, decode_content=False):
                body += chunk
                if len(body) > MAX_ANSWER:
                    raise RefusedAnswer(f"its answer is larger than {MAX_ANSWER} bytes")
                if time.monotonic() > until:
                    raise RefusedAnswer(f"its answer was not complete within {REQUEST_S:g} s")
        self._heard(response)
        response._content = bytes(body)
        return response


def innermost(error: BaseException) -> str:
    """The innermost reason, on one line."""
    while True:
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        if not isinstance(inner, BaseException) or inner is error:
            return plain(error) or type(error).__name__
        error = inner


def plain(value: object) -> str:
    """Somebody else's text for our log: one line, printable, not long."""
    text = " ".join(str(value or "").split())
    return "".join(char if char.isprintable() else "?" for char in text[:300]).rstrip(".")
