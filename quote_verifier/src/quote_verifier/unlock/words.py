"""The recovery form of an owner's key: its secret of 32 bytes as 24 English words (BIP-39), with a checksum inside.

The words are the secret, in another spelling: whoever reads them has the key.
"""

from __future__ import annotations

from mnemonic import Mnemonic

from ..errors import UsageError

COUNT = 24
_A_LINE = 6


def words_of(secret: bytes) -> list[str]:
    """24 words for 32 bytes."""
    return str(Mnemonic("english").to_mnemonic(secret)).split()


def lines_of(secret: bytes) -> list[str]:
    """The words as they are printed, numbered, to be written down."""
    numbered = [f"{number:2} {word:<9}" for number, word in enumerate(words_of(secret), start=1)]
    return ["".join(numbered[at : at + _A_LINE]).rstrip() for at in range(0, COUNT, _A_LINE)]


def secret_of(text: str) -> bytes:
    """The 32 bytes of words as they were written down, in any case, with their numbers or without. Raises
    `UsageError`."""
    words = [word for word in text.lower().split() if not word.rstrip(".").isdigit()]
    if len(words) != COUNT:
        raise UsageError(f"a recovery form has {COUNT} words, and these are {len(words)}")
    known = Mnemonic("english")
    unknown = next((number for number, word in enumerate(words, start=1) if word not in known.wordlist), None)
    if unknown is not None:
        raise UsageError(f"word number {unknown} of the recovery form is not of its list: look at how it is spelt")
    try:
        return bytes(known.to_entropy(words))
    except ValueError:
        raise UsageError("these words do not belong together: one of them is another, or two are exchanged") from None
