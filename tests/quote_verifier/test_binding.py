"""Loopback addresses, what report data binds, and proofs of nonces. (Statuses: tests/vectors.)"""

import hashlib
from typing import Any

import pytest
import rfc8785
from quote_verifier.channel import is_loopback
from quote_verifier.errors import Malformed
from quote_verifier.nonce_proof import check_proof
from quote_verifier.runtime_data import check_shape, report_data_of

from tests.vectors import nonces


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost",
        "https://localhost:8443",
        "http://127.0.0.1:8080",
        "http://127.1.2.3",
        "http://[::1]:80",
        "http://a.localhost",
        "http://localhost.",
    ],
)
def test_loopback(origin: str) -> None:
    assert is_loopback(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost.example",
        "http://127.0.0.1.example",
        "http://128.0.0.1",
        "http://[::2]",
        "http://0.0.0.0",
        "http://notlocalhost",
        "http://127.1",
        "http://[::ffff:7f00:1]",
        "http://localhost..",
        "x",
        "",
    ],
)
def test_not_loopback(origin: str) -> None:
    assert not is_loopback(origin)


def test_report_data() -> None:
    data: dict[str, Any] = {"v": 2, "origin": "x"}
    assert report_data_of(data) == hashlib.sha384(rfc8785.dumps(data)).digest() + bytes(16)
    assert report_data_of({"origin": "x", "v": 2}) == report_data_of(data)


@pytest.mark.slow
def test_every_leaf_of_every_shape_of_tree_is_proven_and_no_other_one() -> None:
    for size in range(1, 34):
        tree = tuple(nonces.others(size))
        root = nonces.root(tree)
        for index, nonce in enumerate(tree):
            proof = nonces.proof(index, tree)
            check_proof(nonce, proof, root, size)
            with pytest.raises(Malformed):
                check_proof(bytes(32), proof, root, size)
            for other in range(size):
                if other != index:
                    with pytest.raises(Malformed):
                        check_proof(nonce, proof | {"index": other}, root, size)


def test_a_proof_of_10_megabytes_costs_nothing() -> None:
    """Its length is looked at before any of its hashes is."""
    hashes = ["x" * 64] * 160_000
    with pytest.raises(Malformed, match="not a list of at most 16 hashes"):
        check_proof(bytes(32), {"index": 0, "size": 1, "path": hashes}, bytes(48), 1)


def test_an_older_release_is_named_as_such() -> None:
    with pytest.raises(Malformed, match="v is 1, expected 2; the server is of an older release: update it"):
        check_shape({"v": 1, "nonce": "x"})


@pytest.mark.parametrize("version", [True, 2.0, "2", None, [2]])
def test_only_a_whole_number_is_the_version(version: Any) -> None:
    with pytest.raises(Malformed, match="expected 2$"):
        check_shape({"v": version})


def test_members_that_are_newer_are_named_with_their_place() -> None:
    tree, _ = nonces.alone(nonces.b64(bytes(32)))
    tls = {"spki_sha256": "ab" * 32, "key": "drawn", "more": 1}
    assert check_shape({"v": 2, "nonces": tree, "tls": tls, "a": 1}) == ["a", "tls.more"]
