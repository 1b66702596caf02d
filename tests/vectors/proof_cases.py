"""Cases about the proof that leads from a nonce to the root that the quote binds (RFC 9162)."""

import hashlib
from typing import Any

from tests.vectors import nonces
from tests.vectors.binding_cases import FAILED, bound
from tests.vectors.ground import EVENTS, NONCE, PROOF, bundle, case, log_of, quote_for, runtime_data


def proof_cases() -> None:
    for size, index in ((2, 0), (2, 1), (3, 2), (5, 4), (6, 4), (7, 3), (7, 6), (13, 12), (1000, 999), (65536, 40000)):
        _proven(f"proof-{size}-{index}", size, index, {}, "One asker of many")
    tree = nonces.among(NONCE, 7, 2)
    good = nonces.proof(2, tree)
    path = good["path"]
    for name, about, proof in (
        ("somebody-elses", "The proof of another asker of the same quote", nonces.proof(3, tree)),
        ("wrong-index", "The place of another asker", good | {"index": 3}),
        ("index-beyond", "A place that the tree does not have, with the same turns", good | {"index": 10}),
        ("wrong-size", "A tree of another size than the quote binds", good | {"size": 6}),
        ("short-path", "A path that ends before the root", good | {"path": path[:-1]}),
        ("long-path", "A path that goes on after the root", good | {"path": [*path, path[0]]}),
        ("no-path", "No path, where there are others", good | {"path": []}),
        ("swapped", "Two hashes of the path, swapped", good | {"path": [path[1], path[0], path[2]]}),
        ("longest", "A longer path than any tree has", good | {"path": path * 6}),
        ("list", "A path alone is no proof", path),
        ("unknown-member", "A proof with another member", good | {"root": nonces.b64(nonces.root(tree))}),
        ("index-text", "An index that is a text", good | {"index": "2"}),
        ("path-text", "A path that is a text", good | {"path": "".join(path)}),
        ("hash-number", "A hash that is a number", good | {"path": [*path[:2], 7]}),
        ("hash-short", "A hash of 47 bytes", good | {"path": [*path[:2], path[2][:-1]]}),
        ("hash-standard", "A hash in base64 that is not base64url", good | {"path": [*path[:2], "+" * 64]}),
        ("missing", "No proof", None),
    ):
        _proven(f"proof-{name}", 7, 2, FAILED, about, evidence_proof=proof)
    pair = nonces.proof(1, nonces.among(NONCE, 2, 1))
    _proven("proof-index-true", 2, 1, FAILED, "An index that is true", evidence_proof=pair | {"index": True})
    first = nonces.proof(0, nonces.among(NONCE, 8, 0))
    turned = "A negative index with the same turns"
    _proven("proof-index-negative", 8, 0, FAILED, turned, evidence_proof=first | {"index": -8})
    for member in ("index", "size"):
        proof = PROOF | {member: bool(PROOF[member])}
        bound(f"proof-{member}-flag", f"The {member} of a single nonce as a flag", runtime_data(), evidence_proof=proof)
    _other_hashes()


def _proven(name: str, size: int, index: int, changed: dict[str, str], about: str, **changes: Any) -> None:
    tree = nonces.among(NONCE, size, index)
    data = runtime_data(nonces=nonces.bound(tree))
    given = bundle(
        f"nonces-{size}-{index}",
        quote=quote_for(data, log_of(EVENTS)),
        **{"evidence_runtime_data": data, "evidence_proof": nonces.proof(index, tree)} | changes,
    )
    case(f"nonce-{name}", f"{about}: nonce {index} of {size}", "not-genuine" if changed else "verified", changed, given)


def _other_hashes() -> None:
    """Trees that take a node for a leaf or the other way round, or swap the sides."""
    mine, other = nonces.raw(NONCE), nonces.others(1)[0]
    left, right = nonces.leaf(mine), nonces.leaf(other)
    places = {
        "too-many": (65536, 65537),
        "beyond-root": (0, 1),
        "before-root": (0, 7),
    }  # else of as many as the path needs
    for name, about, root, path in (
        ("leaf-as-node", "A leaf hashed like a node", hashlib.sha384(b"\x01" + mine).digest(), []),
        ("leaf-bare", "A leaf hashed without what makes it one", hashlib.sha384(mine).digest(), []),
        ("node-as-leaf", "A node hashed like a leaf", hashlib.sha384(b"\x00" + left + right).digest(), [right]),
        ("node-bare", "A node hashed without what makes it one", hashlib.sha384(left + right).digest(), [right]),
        ("too-many", "A tree of one nonce more than any has", nonces.node(right, left), [right]),
        ("before-root", "A path that ends below the root of a tree of seven", nonces.node(left, right), [right]),
        ("beyond-root", "A path that goes on after the root of a tree of one", nonces.node(right, left), [right]),
        ("sides-swapped", "A node whose sides are swapped", nonces.node(right, left), [right]),
    ):
        index, size = places.get(name, (0, len(path) + 1))
        data = runtime_data(nonces={"root": nonces.b64(root), "size": size})
        proof = {"index": index, "size": size, "path": [nonces.b64(one) for one in path]}
        bound(f"proof-{name}", about, data, evidence_proof=proof)
