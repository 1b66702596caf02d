"""The nonces of a batch in a Merkle tree: one quote binds its root, and each asker gets the proof that leads there.

RFC 9162 (section 2.1) over SHA-384: a leaf is SHA-384(0x00 || nonce), a node SHA-384(0x01 || left || right), and the
left side holds the largest power of two that is smaller than the tree. One asker is a tree of one leaf.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Sequence

NONCE_SIZE = 32
MOST_NONCES = 65_536  # in one tree; a proof then has at most 16 hashes
LEAF, NODE = b"\x00", b"\x01"


def new_nonce() -> str:
    """A nonce of our own, 32 random bytes, base64url without padding."""
    return base64url(secrets.token_bytes(NONCE_SIZE))


def base64url(raw: bytes) -> str:
    """Base64url of `raw` without padding (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_nonce(text: str) -> bytes:
    """A nonce's 32 bytes; raises ValueError unless `text` is their canonical base64url, without padding."""
    if re.fullmatch(r"[A-Za-z0-9_-]{43}", text):
        nonce = base64.urlsafe_b64decode(text + "=")
        if base64url(nonce) == text:  # no stray bits in the last character
            return nonce
    raise ValueError(f"a nonce is 32 bytes in base64url without padding (43 characters), not {text[:60]!r}")


class NonceTree:
    """The tree of 1 to 65,536 nonces (bytes), in their order. `root`: 48 bytes."""

    def __init__(self, nonces: Sequence[bytes]) -> None:
        if not 1 <= len(nonces) <= MOST_NONCES:
            raise ValueError(f"a tree has 1 to {MOST_NONCES} nonces, not {len(nonces)}")
        level = [hashlib.sha384(LEAF + nonce).digest() for nonce in nonces]
        self.size = len(level)
        self._texts: list[list[str]] = []  # of each level below the root, as proofs spell them
        while len(level) > 1:
            self._texts.append([base64url(one) for one in level])
            pairs = zip(level[::2], level[1::2], strict=False)
            odd = level[-1:] if len(level) % 2 else []  # stands where it is, one level higher
            level = [hashlib.sha384(NODE + left + right).digest() for left, right in pairs] + odd
        self.root = level[0]

    def path(self, index: int) -> list[str]:
        """The hashes that lead from leaf `index` to the root, lowest first, each 48 bytes in base64url."""
        if not 0 <= index < self.size:
            raise ValueError(f"leaf {index} is not in a tree of {self.size}")
        path = []
        for texts in self._texts:
            if (sibling := index ^ 1) < len(texts):
                path.append(texts[sibling])
            index >>= 1
        return path

    def proof(self, index: int) -> bytes:
        """The proof of leaf `index` as JSON: `{"index", "size", "path": [...]}`."""
        path = '","'.join(self.path(index))
        quoted = f'"{path}"' if path else ""
        return f'{{"index":{index},"size":{self.size},"path":[{quoted}]}}'.encode()
