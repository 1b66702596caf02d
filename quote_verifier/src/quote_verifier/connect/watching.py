"""Whether words may go to the service now, and to which key: what it attested last, asked anew every few minutes.

One judgement at a time, in a thread of its own. A verdict that is no longer what was asked for cuts the connection, and
so does a service that cannot be asked for longer than the last answer is good for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import VerifierError
from ..sealed_http.key_config import KeyConfig
from ..verdict import Overall, Verdict

INTERVAL_S = 300.0
#: A verdict without a newer one is worth nothing after this long.
GOOD_FOR_S = 900.0
RETRY_S = 15.0
LOOK_S = 2.0


@dataclass(frozen=True)
class Judged:
    """One judgement, made `at` (Unix time): `key` if words may go, else the sentence why not."""

    overall: Overall
    at: float
    key: KeyConfig | None
    why_not: str = ""
    verdict: Verdict | None = None


class CutError(Exception):
    """No word goes to the service; the text is one sentence."""


@dataclass
class Watch:
    """Judges when asked and every INTERVAL_S; `judge` blocks and raises VerifierError where it has no answer."""

    judge: Callable[[], Judged]
    tell: Callable[[str], None] = lambda line: None
    now: Callable[[], float] = time.time
    last: Judged | None = None
    cut: str = "The service was not checked yet."
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def key(self) -> KeyConfig:
        """The key to seal to. Raises CutError."""
        if self.last is None or self.last.key is None:
            raise CutError(self.cut)
        if self.now() - self.last.at > GOOD_FOR_S:
            raise CutError(f"The service could not be checked since {_clock(self.last.at)}: {self.cut}")
        return self.last.key

    def verdict(self) -> Verdict:
        """What was found last, good or not. Raises CutError where there is nothing, or nothing new enough."""
        if self.last is None or self.last.verdict is None:
            raise CutError(self.cut)
        if self.last.key is not None:
            self.key()
        return self.last.verdict

    async def until_cut(self) -> None:
        """Until no word may go to the service any more. Raises CutError then."""
        while True:
            self.key()
            await asyncio.sleep(LOOK_S)

    async def check(self, older_than: KeyConfig | None = None) -> None:
        """Judge now. With `older_than`, only unless somebody else found another key meanwhile."""
        async with self._lock:
            if older_than is not None and self.last is not None and self.last.key != older_than:
                return
            before = self.cut if self.last is None or self.last.key is None else ""
            try:
                judged = await asyncio.to_thread(self.judge)
            except VerifierError as error:  # nobody answered: the last verdict is good for a while
                self.cut = f"{error}."
            else:
                self.last, self.cut = judged, judged.why_not
            after = self.cut if self.last is None or self.last.key is None else ""
            if after != before:
                self.tell(after or f"Connected: {self.last.overall if self.last else ''}.")

    async def run(self) -> None:
        """For ever."""
        while True:
            good = self.last is not None and self.last.key is not None and not self.cut
            await asyncio.sleep(INTERVAL_S if good else RETRY_S)
            await self.check()


def _clock(at: float) -> str:
    return time.strftime("%H:%M", time.localtime(at))
