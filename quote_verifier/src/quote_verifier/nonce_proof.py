"""The proof that leads from a nonce to the root that a quote binds (RFC 9162, section 2.1.3.2, over SHA-384).

A leaf is SHA-384(0x00 || nonce), a node SHA-384(0x01 || left || right): no node can be passed off as a leaf.
"""

import hashlib
from typing import Any

from .encoding import from_base64url
from .errors import Malformed

HASH_SIZE = 48
LONGEST_PATH = 16  # of a tree of 65,536 nonces


def _parts(proof: Any, size: int) -> tuple[int, list[bytes]]:
    """Index and path of a well-formed proof in a tree of `size` nonces. Raises `Malformed`, before work is done."""
    if not isinstance(proof, dict) or set(proof) != {"index", "size", "path"}:
        raise Malformed("the evidence has no proof for the nonce that was sent: an object of index, size and path")
    for name in ("index", "size"):
        if not isinstance(proof[name], int) or isinstance(proof[name], bool) or proof[name] < 0:
            raise Malformed(f"the proof's {name} is not a whole number")
    index, path = proof["index"], proof["path"]
    if proof["size"] != size:
        raise Malformed(f"the proof is for a tree of {proof['size']} nonces, the quote's has {size}")
    if index >= size:
        raise Malformed(f"the proof's index is {index}, the quote's tree has {size} nonces")
    if not isinstance(path, list) or len(path) > LONGEST_PATH or not all(isinstance(one, str) for one in path):
        raise Malformed(f"the proof's path is not a list of at most {LONGEST_PATH} hashes")
    return index, [from_base64url(one, "a hash of the proof's path", HASH_SIZE) for one in path]


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha384(b"\x01" + left + right).digest()


def _root(nonce: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """The root that the path leads to, from the leaf up; `None` if it is too long or too short for such a tree."""
    found, place, last = hashlib.sha384(b"\x00" + nonce).digest(), index, size - 1
    for sibling in path:
        if last == 0:
            return None
        if place % 2 == 1 or place == last:
            found = _node(sibling, found)
            while place % 2 == 0 and place != 0:  # it stood alone, and was handed up as it is
                place, last = place >> 1, last >> 1
        else:
            found = _node(found, sibling)
        place, last = place >> 1, last >> 1
    return found if last == 0 else None


def check_proof(nonce: bytes, proof: Any, root: bytes, size: int) -> None:
    """Raises `Malformed` unless `proof` leads from `nonce` (32 bytes) to `root` (48) of the tree of `size` nonces."""
    index, path = _parts(proof, size)
    found = _root(nonce, index, size, path)
    if found is None:
        raise Malformed(f"the length of the proof's path, {len(path)}, does not fit nonce {index} of {size}")
    if found != root:
        raise Malformed(
            "the proof does not lead from the nonce that was sent to the root that the quote binds: an old answer?"
        )
