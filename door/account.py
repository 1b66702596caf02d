"""The key of the door's account at a CA, which is kept with the drawn TLS key and is worth as much protection.

Whoever has it can ask for further certificates for the name, as far as CAA records name the account.
"""

from __future__ import annotations

import json
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from .keeping import ACCOUNT


class Store(Protocol):
    """What outlives the door within one boot (`door.keeping.Keep`)."""

    def get(self, name: str) -> str:
        """The text kept under `name`, or ""."""

    def put(self, name: str, value: str) -> None:
        """Keep `value` under `name`. Raises an exception whose text is one sentence."""


def account_key(store: Store, directory: str, contact: str) -> ec.EllipticCurvePrivateKey:
    """The account's P-256 key for this directory and contact; another one than before draws a new key.

    Raises what `store.put` raises.
    """
    whose = {"directory": directory, "contact": contact}
    found = _read(store.get(ACCOUNT))
    if found is not None and {name: found.get(name) for name in whose} == whose:
        key = _private_key(found.get("key"))
        if key is not None:
            return key
    drawn = ec.generate_private_key(ec.SECP256R1())
    pem = drawn.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    store.put(ACCOUNT, json.dumps(whose | {"key": pem}))
    return drawn


def _read(text: str) -> dict[str, object] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _private_key(pem: object) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = load_pem_private_key(str(pem).encode(), None)
    except (ValueError, TypeError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1) else None
