"""A quote for a key broker: the one other thing, beside `runtime_data`, that this attester has quoted.

The Key Broker Service of Confidential Containers (protocol 0.4.0) wants a quote whose report data is
SHA-384(JCS({"additional-evidence": "", "nonce": <its challenge>, "tee-pubkey": <a JWK>})) || 16 zero bytes. Nobody
gives that object: it is made here of a challenge and a point of P-256, so that it is never the `runtime_data` of
evidence, which has other members, and nothing else can be had quoted. Whoever holds the point's private half gets what
the broker releases, so only the door, over its own connection, is answered (bindings.py).

    {"key_broker": {"nonce": <1 to 512 characters>, "x": <base64url of 32 bytes>, "y": <the same>}}
        ->  {"ok": true, "quote": "<hex>"}
"""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785

from .errors import TdxAttestError
from .quoting import generate_quote
from .runtime_data import is_base64url

NAME = "key_broker"
MOST_CHARACTERS = 512
COORDINATE = 32  # bytes


def runtime_data(nonce: str, x: str, y: str) -> dict[str, Any]:
    """The broker's own object for a challenge and a public key, as the broker makes it again."""
    key = {"kty": "EC", "crv": "P-256", "alg": "ECDH-ES+A256KW", "x": x, "y": y}
    return {"tee-pubkey": key, "nonce": nonce, "additional-evidence": ""}


def report_data(asked: Any) -> bytes:
    """The 64 bytes for a request. Raises ValueError for anything but a challenge and the coordinates of a point."""
    if not isinstance(asked, dict) or set(asked) != {"nonce", "x", "y"}:
        raise ValueError(f"{NAME} is an object of nonce, x and y")
    nonce = asked["nonce"]
    if not isinstance(nonce, str) or not nonce.isprintable() or not 1 <= len(nonce) <= MOST_CHARACTERS:
        raise ValueError(f"nonce is a text of 1 to {MOST_CHARACTERS} printable characters")
    if not all(isinstance(asked[name], str) and is_base64url(asked[name], COORDINATE) for name in ("x", "y")):
        raise ValueError(f"x and y are each base64url of {COORDINATE} bytes")
    return hashlib.sha384(rfc8785.dumps(runtime_data(nonce, asked["x"], asked["y"]))).digest() + bytes(16)


def answer(asked: Any) -> dict[str, Any]:
    """The answer's object. Takes as long as the device does."""
    try:
        return {"ok": True, "quote": generate_quote(report_data(asked)).hex()}
    except ValueError as error:
        code, message = "bad-request", str(error)
    except TdxAttestError as error:
        code, message = "device", str(error)
    return {"ok": False, "error": {"code": code, "message": message}}
