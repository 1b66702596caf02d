"""The answer's bytes: `mac(32)`, then a JSON object `{"state", "generation", "detail"}` in UTF-8.

The MAC is HMAC-SHA256 over SHA-256(message) and the JSON text, with a key that both ends export from the HPKE context:
who did not open the message, or did not write it, can say neither "opened" nor "refused".
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass

from .errors import MalformedError, UnprovenError
from .message import MOST_GENERATIONS

MAC_SIZE = 32  # bytes
LIMIT = 4096  # bytes of an answer
STATES = ("opened", "refused")


@dataclass(frozen=True)
class Answer:
    """`generation`: how often the data was opened by now; of refused data as far as it is known, else 0. `detail`: why
    it was refused, one sentence, or ""."""

    state: str
    generation: int = 0
    detail: str = ""

    def encode(self, key: bytes, message: bytes) -> bytes:
        """The bytes of this answer to `message`, by the exported `key` of 32 bytes."""
        content = {"state": self.state, "generation": self.generation, "detail": self.detail[:1000]}
        text = json.dumps(content).encode("ascii")
        return _mac(key, message, text) + text


def decode(data: bytes, key: bytes, message: bytes) -> Answer:
    """UnprovenError unless it is the answer to `message` by who opened it; MalformedError where its form is another."""
    mac, text = data[:MAC_SIZE], data[MAC_SIZE:]
    if len(data) > LIMIT or not hmac.compare_digest(mac, _mac(key, message, text)):
        raise UnprovenError("the answer does not come from the TD that the key was sealed to")
    try:
        found = json.loads(text)
        state, generation, detail = found["state"], found["generation"], found["detail"]
    except (ValueError, KeyError, TypeError):
        raise MalformedError("the TD's answer cannot be read: it is of another version") from None
    whole = type(generation) is int and 0 <= generation <= MOST_GENERATIONS
    if state not in STATES or not whole or not isinstance(detail, str):
        raise MalformedError("the TD's answer cannot be read: it is of another version")
    return Answer(state, generation, detail)


def _mac(key: bytes, message: bytes, text: bytes) -> bytes:
    return hmac.digest(key, hashlib.sha256(message).digest() + text, "sha256")
