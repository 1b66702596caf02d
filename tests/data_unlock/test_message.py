"""The unlock message: known answers, what somebody on the way could do to it, and what forged ones cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhpke import KEMKeyPair
from quote_verifier.data_unlock.ends import Asking as CarriedAsking
from quote_verifier.data_unlock.message import Action as CarriedAction

from data_unlock import message
from data_unlock.answer import Answer
from data_unlock.ends import Asking, Locked
from data_unlock.errors import MalformedError, RefusedError, UnlockError, UnprovenError
from data_unlock.message import MOST, SIZES, SUITE, Action

KNOWN = json.loads((Path(__file__).parent / "known_answers.json").read_text())
OWNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = OWNER.public_key().public_bytes_raw()
DATA_KEY = bytes(range(100, 132))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))


def waiting() -> Locked:
    return Locked(PUBLIC, X25519PrivateKey.from_private_bytes(bytes(range(50, 82))))


def fixed() -> KEMKeyPair:
    return SUITE.kem.derive_key_pair(b"an ephemeral key".ljust(32, b"."))


def asked(locked: Locked, **changes: object) -> Asking:
    given: dict[str, object] = {"owner": OWNER, "data_key": DATA_KEY, "action": Action.OPEN, "least_generation": 7}
    return Asking(locked.public, **given | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known["name"])
def test_known_answers(known: dict[str, object]) -> None:
    locked = Locked(PUBLIC, X25519PrivateKey.from_private_bytes(bytes.fromhex(str(known["secret"]))))
    asking = Asking(
        locked.public,
        OWNER,
        bytes.fromhex(str(known["data_key"])),
        Action(int(str(known["action"]))),
        int(str(known["least_generation"])),
        new_key=bytes.fromhex(str(known.get("new_key", ""))),
        nonce=bytes.fromhex(str(known["nonce"])),
        ephemeral=fixed(),
    )
    assert asking.message.hex() == known["message"]
    opened = locked.open(asking.message)
    assert (opened.data_key.hex(), opened.action, opened.least_generation) == (
        known["data_key"],
        known["action"],
        known["least_generation"],
    )
    assert opened.answer(Answer("opened", 8)).hex() == known["answer"]


def test_it_opens_and_both_can_say_so() -> None:
    locked = waiting()
    asking = asked(locked)
    opened = locked.open(asking.message)
    assert (opened.data_key, opened.action, opened.least_generation) == (DATA_KEY, Action.OPEN, 7)
    for said in (Answer("opened", 8), Answer("refused", 3, "it is older.")):
        assert asking.heard(opened.answer(said)) == said


@pytest.mark.parametrize("action", [Action.ROTATE, Action.COPY], ids=["rotate", "copy"])
def test_a_second_key_goes_with_the_first(action: Action) -> None:
    locked = waiting()
    opened = locked.open(asked(locked, action=action, new_key=bytes(32)).message)
    assert (opened.action, opened.data_key, opened.new_key) == (action, DATA_KEY, bytes(32))
    assert DATA_KEY.hex() not in repr(opened)


@pytest.mark.attack
def test_how_many_keys_there_are_is_said_once() -> None:
    locked = waiting()
    for action, changed in ((Action.OPEN, 3), (Action.ROTATE, 1), (Action.COPY, 5), (Action.OPEN, 0)):
        new_key = bytes(32) if action.keys > 1 else b""
        made = bytearray(asked(locked, action=action, new_key=new_key).message)
        made[1] = changed
        with pytest.raises(MalformedError):
            locked.open(bytes(made))


def test_the_verifier_carries_the_same() -> None:
    locked = waiting()
    message_ = CarriedAsking(locked.public, OWNER, DATA_KEY, CarriedAction.CREATE).message
    assert locked.open(message_).action == Action.CREATE


def test_it_opens_once() -> None:
    locked = waiting()
    asking = asked(locked)
    locked.open(asking.message)
    assert locked.used
    with pytest.raises(RefusedError, match="ask for evidence again"):
        locked.open(asking.message)


@pytest.mark.attack
@settings(deadline=None)
@given(st.integers(0, SIZES[1] * 8 - 1))
def test_no_bit_can_be_changed(bit: int) -> None:
    locked = waiting()
    changed = bytearray(asked(locked).message)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((RefusedError, MalformedError)):
        locked.open(bytes(changed))
    assert not locked.used


@pytest.mark.attack
@given(st.binary(max_size=2 * MOST))
def test_bytes_of_somebody_elses_are_refused(data: bytes) -> None:
    locked = waiting()
    with pytest.raises((RefusedError, MalformedError)):
        locked.open(data)


@pytest.mark.attack
def test_a_host_with_a_key_of_its_own_opens_nothing() -> None:
    locked = waiting()
    with pytest.raises(RefusedError, match="not signed by the owner"):
        locked.open(asked(locked, owner=OTHER).message)
    assert locked.open(asked(locked).message).data_key == DATA_KEY


@pytest.mark.attack
def test_a_message_for_an_earlier_launch_opens_nothing() -> None:
    earlier, now = Locked(PUBLIC), Locked(PUBLIC)
    with pytest.raises(RefusedError, match="for another key"):
        now.open(asked(earlier).message)


@pytest.mark.slow
@pytest.mark.attack
def test_ten_thousand_forged_messages_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them costs a key derivation, and none uses up the key that the owner's message needs."""
    locked = waiting()
    good = asked(locked).message
    derived: list[object] = []
    derive = SUITE.create_recipient_context

    def counted(*given: Any) -> Any:
        derived.append(given)
        return derive(*given)

    monkeypatch.setattr(SUITE, "create_recipient_context", counted)
    for number in range(10_000):
        with pytest.raises(RefusedError):
            locked.open(good[:-4] + number.to_bytes(4, "big"))
    assert derived == []
    assert locked.open(good).data_key == DATA_KEY
    assert len(derived) == 1


@pytest.mark.attack
def test_nobody_else_can_answer() -> None:
    locked, other = waiting(), Locked(PUBLIC)
    asking, elsewhere = asked(locked), asked(other)
    theirs = other.open(elsewhere.message).answer(Answer("opened", 8))
    good = locked.open(asking.message).answer(Answer("opened", 8))
    for said in (theirs, b"", good[:-1], good.replace(b"opened", b"refuse"), good + b" " * 4096):
        with pytest.raises(UnprovenError):
            asking.heard(said)


def test_an_answer_of_another_version_is_no_answer() -> None:
    locked = waiting()
    asking = asked(locked)
    opened = locked.open(asking.message)
    for odd in (Answer("closed"), Answer("opened", -1), Answer("opened", True), Answer("opened", 2**53)):
        with pytest.raises(MalformedError):
            asking.heard(opened.answer(odd))


def test_what_cannot_be_sealed() -> None:
    with pytest.raises(UnlockError, match="not a usable X25519 key"):
        Asking(bytes(32), OWNER, DATA_KEY, Action.OPEN)
    with pytest.raises(UnlockError, match="has 32 bytes, not 31"):
        Asking(waiting().public, OWNER, DATA_KEY[1:], Action.OPEN)
    for action, new_key in ((Action.OPEN, DATA_KEY), (Action.ROTATE, b""), (Action.COPY, DATA_KEY[1:])):
        with pytest.raises(UnlockError, match="the data's new key has"):
            Asking(waiting().public, OWNER, DATA_KEY, action, new_key=new_key)
    with pytest.raises(MalformedError):
        Asking(waiting().public, OWNER, DATA_KEY, Action.OPEN, message.MOST_GENERATIONS + 1)
    with pytest.raises(UnlockError, match="Ed25519 key of 32 bytes"):
        Locked(bytes(31))


def test_the_owner_seals_what_does_not_open() -> None:
    """A good signature over a sealed part of somebody else's: refused, and the key is used up."""
    locked = waiting()
    unsigned = asked(locked).message[: -message.SIGNATURE_SIZE]
    swapped = unsigned[:-48] + bytes(48)
    with pytest.raises(RefusedError, match="does not open"):
        locked.open(swapped + OWNER.sign(message.LABEL + swapped))
    assert locked.used
