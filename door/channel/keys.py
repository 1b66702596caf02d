"""The channel's keys: drawn in memory, one in force, the one before it for a while, and which requests were taken.

A request is sealed with an encapsulated key that is never drawn twice, so that names it: what was taken once within the
window in which its date is accepted is a replay. Both are forgotten with the process, and so is the key.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from sealed_http.key_config import KeyConfig

DAY_S = 86_400.0
OVERLAP_S = 300.0
#: How far a request's date may be from the door's clock, in seconds: RFC 9458, section 6.5.1.
WINDOW_S = 300.0
#: Requests remembered in one window; about 40 MB.
REMEMBERED = 500_000


class ReplayedError(Exception):
    """A request that was taken before; the text is one sentence."""


class ClockError(Exception):
    """A request without a date, or with one too far from now; the text is one sentence."""


class CrowdedError(Exception):
    """More requests within one window than are remembered; the text is one sentence."""


class Keys:
    """X25519 keys by the header of the requests that are sealed to them."""

    def __init__(self) -> None:
        self._number = -1
        self.secrets: dict[bytes, bytes] = {}
        self.current = self._draw()
        self.taken = Taken()

    def _draw(self) -> KeyConfig:
        secret = X25519PrivateKey.generate()
        self._number = (self._number + 1) % 256
        config = KeyConfig(self._number, secret.public_key().public_bytes_raw())
        self.secrets[config.header] = secret.private_bytes_raw()
        return config

    @property
    def bound(self) -> str:
        """The key in force as `runtime_data.channel` has it: base64url without padding."""
        return _text(self.current)

    async def rotate(self, bind: Callable[[str], Awaitable[None]]) -> None:
        """For ever: a new key each day, or when more was taken within a window than is remembered. It is taken before
        `bind` has the attester bind it, and the old one still is for a while after, so that nobody waits."""
        while True:
            await self.taken.crowded_within(DAY_S)
            await self.renew(bind)

    async def renew(self, bind: Callable[[str], Awaitable[None]]) -> None:
        """One rotation, with its overlap; without it where no more can be remembered: what was sealed to the old keys
        opens no more, and need not be remembered, and who sealed to them asks for evidence again."""
        old, new = self.current, self._draw()
        await bind(_text(new))
        self.current = new
        if await self.taken.crowded_within(OVERLAP_S):
            self.secrets = {new.header: self.secrets[new.header]}
            self.taken.forget()
        else:
            self.secrets.pop(old.header, None)


def _text(config: KeyConfig) -> str:
    return base64.urlsafe_b64encode(config.encode()).decode().rstrip("=")


class Taken:
    """Which requests were taken in the window, and the one before."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._latest = self._turned = now()
        self._recent: set[bytes] = set()
        self._earlier: set[bytes] = set()
        self._crowded = asyncio.Event()

    async def crowded_within(self, seconds: float) -> bool:
        """Wait so long, but not longer than until no more can be remembered: whether that is so."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._crowded.wait(), seconds)
        return self._crowded.is_set()

    def forget(self) -> None:
        """Everything; only where nothing that was taken can be opened again."""
        self._recent, self._earlier = set(), set()
        self._crowded.clear()

    def take(self, name: bytes, date: str | None, instead_of: bytes | None = None) -> None:
        """Take a request once (its `name_of`), and of it and the one that it is sent `instead_of` one alone. Raises
        ClockError, ReplayedError, CrowdedError."""
        # a clock that is set back, as whoever runs the machine may, must not make an old request a new one
        now = self._latest = max(self._latest, self._now())
        self._check_date(date, now)
        if now - self._turned > 2 * WINDOW_S:  # a date is accepted from one window before now to one after
            late = now - self._turned > 4 * WINDOW_S
            self._earlier, self._recent, self._turned = set() if late else self._recent, set(), now
        names = {name} if instead_of is None else {name, instead_of}
        if names & self._recent or names & self._earlier:
            raise ReplayedError("This message was taken before: somebody on its way may have sent it again.")
        if len(self._recent) >= REMEMBERED:
            self._crowded.set()
            raise CrowdedError("More sealed requests arrive than can be told apart from repeated ones; try again soon.")
        self._recent |= names

    @staticmethod
    def _check_date(date: str | None, now: float) -> None:
        try:
            then = parsedate_to_datetime(date or "").timestamp()
        except (ValueError, TypeError):
            raise ClockError("A sealed request says in its field `date` when it was made.") from None
        apart = then - now
        if abs(apart) > WINDOW_S:
            minutes, side = round(abs(apart) / 60), "ahead of" if apart > 0 else "behind"
            raise ClockError(
                f"This device's clock is {minutes} minutes {side} the server's: set it right and try again. Messages "
                f"older than {WINDOW_S / 60:.0f} minutes are not taken, lest somebody send one again."
            )
