"""The owner's grant, which a Trustee keeps: its bytes, and what somebody else's, or another place's, opens."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from data_unlock.errors import MalformedError, RefusedError, UnlockError
from data_unlock.grant import LABEL, SIZE, Grant, decode
from data_unlock.message import MOST_GENERATIONS
from data_unlock.outside import is_resource

OWNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = OWNER.public_key().public_bytes_raw()
KEY = bytes(range(100, 132))
PLACE = "default/open-webui/data-key"


def test_its_bytes() -> None:
    data = Grant(KEY, 7).encode(OWNER, PLACE)
    signed = b"\x01" + (7).to_bytes(8) + KEY + hashlib.sha256(PLACE.encode()).digest()
    assert data == signed + OWNER.sign(b"open-webui-tdx grant, version 1\0" + signed)
    assert decode(data, PUBLIC, PLACE) == Grant(KEY, 7)
    assert KEY.hex() not in repr(Grant(KEY, 7)) and str(KEY) not in repr(Grant(KEY, 7))


@pytest.mark.attack
def test_a_broker_of_somebody_elses_has_nothing_that_opens() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    with pytest.raises(RefusedError, match="not signed by the owner"):
        decode(Grant(KEY, 0).encode(other, PLACE), PUBLIC, PLACE)
    with pytest.raises(RefusedError, match="for another resource"):
        decode(Grant(KEY, 0).encode(OWNER, "default/other/data-key"), PUBLIC, PLACE)


@pytest.mark.attack
def test_no_bit_of_it_can_be_changed() -> None:
    data = Grant(KEY, 7).encode(OWNER, PLACE)
    for place in range(SIZE):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises((RefusedError, MalformedError)):
            decode(bytes(changed), PUBLIC, PLACE)
    for wrong in (b"", data[:-1], data + b"x", KEY):
        with pytest.raises(MalformedError, match="137 bytes"):
            decode(wrong, PUBLIC, PLACE)


def test_an_unlock_message_is_no_grant_and_the_other_way_round() -> None:
    assert LABEL != b"open-webui-tdx unlock, version 1\0"


@pytest.mark.parametrize(
    ("key", "least", "place"), [(KEY[1:], 0, PLACE), (KEY, MOST_GENERATIONS + 1, PLACE), (KEY, 0, "x")]
)
def test_what_is_none_is_not_made(key: bytes, least: int, place: str) -> None:
    with pytest.raises(UnlockError):
        Grant(key, least).encode(OWNER, place)


@pytest.mark.parametrize(
    ("path", "good"),
    [
        (PLACE, True),
        ("a/b/c", True),
        ("a/b", False),
        ("a/b/c/d", False),
        ("a/../c", False),
        ("/a/b/c", False),
        ("a/b/c?x", False),
        ("a//c", False),
        ("kbs:///a/b/c", False),
        ("a/b/c\n", False),
    ],
)
def test_how_a_trustee_names_its_resources(path: str, good: bool) -> None:
    assert is_resource(path) is good
