"""The tree of a batch's nonces, compared with RFC 9162's recursion, and its texts."""

from __future__ import annotations

import json

import pytest

from quote_generator.nonces import MOST_NONCES, NonceTree, base64url, new_nonce, read_nonce
from tests.vectors import nonces as rfc9162


@pytest.mark.parametrize("size", [*range(1, 34), 63, 64, 65, 1000])
def test_root_and_proofs_are_those_of_the_recursion(size: int) -> None:
    nonces = tuple(rfc9162.others(size))
    tree = NonceTree(nonces)
    assert (tree.root, tree.size) == (rfc9162.root(nonces), size)
    for index in {*range(min(size, 70)), size - 1}:
        assert json.loads(tree.proof(index)) == rfc9162.proof(index, nonces)


@pytest.mark.slow
def test_the_largest_tree() -> None:
    tree = NonceTree(rfc9162.others(MOST_NONCES))
    assert {len(tree.path(index)) for index in (0, 40_000, MOST_NONCES - 1)} == {16}


@pytest.mark.parametrize("size", [0, MOST_NONCES + 1])
def test_a_tree_is_bounded(size: int) -> None:
    with pytest.raises(ValueError, match="a tree has 1 to 65536 nonces"):
        NonceTree([bytes(32)] * size)


@pytest.mark.parametrize("index", [-1, 3])
def test_a_leaf_beyond_the_tree(index: int) -> None:
    with pytest.raises(ValueError, match="is not in a tree of 3"):
        NonceTree([bytes(32)] * 3).proof(index)


def test_a_nonce_has_one_spelling() -> None:
    nonce = new_nonce()
    assert base64url(read_nonce(nonce)) == nonce and len(read_nonce(nonce)) == 32
    for text in (nonce + "=", nonce[:-1], "A" * 42 + "B", "+" * 43, ""):
        with pytest.raises(ValueError, match="a nonce is 32 bytes"):
            read_nonce(text)
