"""Merkle trees of nonces by the recursion of RFC 9162 (section 2.1); the attester builds them level by level."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw(nonce: str) -> bytes:
    return base64.urlsafe_b64decode(nonce + "=" * (-len(nonce) % 4))


def leaf(nonce: bytes) -> bytes:
    return hashlib.sha384(b"\x00" + nonce).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha384(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)


@cache
def root(nonces: tuple[bytes, ...]) -> bytes:
    if len(nonces) == 1:
        return leaf(nonces[0])
    k = split(len(nonces))
    return node(root(nonces[:k]), root(nonces[k:]))


def path(index: int, nonces: tuple[bytes, ...]) -> list[bytes]:
    if len(nonces) == 1:
        return []
    k = split(len(nonces))
    if index < k:
        return [*path(index, nonces[:k]), root(nonces[k:])]
    return [*path(index - k, nonces[k:]), root(nonces[:k])]


def others(count: int) -> list[bytes]:
    """Nonces of other askers."""
    return [hashlib.sha256(f"nonce {number}".encode()).digest() for number in range(count)]


def among(nonce: str, size: int, index: int) -> tuple[bytes, ...]:
    """`size` nonces, of which that one has its place at `index`."""
    nonces = others(size)
    nonces[index] = raw(nonce)
    return tuple(nonces)


def bound(nonces: Sequence[bytes]) -> dict[str, Any]:
    """What runtime_data says of the tree."""
    return {"root": b64(root(tuple(nonces))), "size": len(nonces)}


def proof(index: int, nonces: Sequence[bytes]) -> dict[str, Any]:
    """What the asker of nonce `index` gets."""
    return {"index": index, "size": len(nonces), "path": [b64(one) for one in path(index, tuple(nonces))]}


def alone(nonce: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of one asker: what runtime_data says of its tree, and its proof."""
    return bound([raw(nonce)]), proof(0, [raw(nonce)])
