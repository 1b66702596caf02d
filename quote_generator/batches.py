"""Who waits for the device, and the quotes that are made for all of them at once.

While the device makes a quote, those who ask are collected, and the next quote is for all of them: nobody waits for
more than the quote under way and its own, and an idle device starts at once. One thread makes all calls, so that no
two overlap; a call that outlives its askers delays the next ones.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .errors import BusyError, TdxAttestError
from .eventlog import EventLogError
from .evidence import Evidence
from .formats import FormatError
from .nonces import MOST_NONCES

log = logging.getLogger("quote_generator.attester")
Make = Callable[[Sequence[bytes]], Evidence]


class Refusal(Exception):
    """An answer with `ok` false."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Share:
    """A quote's evidence, and the place of an asker's first nonce among its nonces."""

    evidence: Evidence
    first: int


@dataclass(frozen=True)
class _Asker:
    nonces: Sequence[bytes]
    waits: Callable[[], bool]
    share: asyncio.Future[Share]


def _made(make: Make, nonces: Sequence[bytes]) -> Evidence:
    """Runs in the device's thread; raises Refusal for every failure."""
    try:
        return make(nonces)
    except BusyError as error:
        raise Refusal("busy", str(error)) from None
    except TdxAttestError as error:
        raise Refusal("device", str(error)) from None
    except FormatError as error:
        raise Refusal("device", f"the device gave something that is no TDX quote: {error}") from None
    except EventLogError as error:
        raise Refusal("internal", str(error)) from None
    except Exception:
        log.exception("a request failed")
        raise Refusal("internal", "the attester failed; its log says why") from None


class Batches:
    """Gives each asker its share of a quote by `make`; `most` nonces wait at once, in `answer_s` seconds each."""

    def __init__(self, make: Make, answer_s: float, most: int = MOST_NONCES) -> None:
        self._make = make
        self._answer_s = answer_s
        self._most = most
        self._waiting: dict[int, _Asker] = {}  # by their futures, in the order in which they came
        self._nonces = 0  # of those who wait
        self._thread = ThreadPoolExecutor(1, "device")
        self._work: asyncio.Task[None] | None = None

    async def share(self, nonces: Sequence[bytes], waits: Callable[[], bool]) -> Share:
        """The asker's share of the next quote; no quote is spent where `waits` says False by then: CancelledError."""
        if self._nonces + len(nonces) > self._most:
            raise Refusal("busy", f"{self._most} nonces wait for the next quote; ask again later")
        asker = _Asker(nonces, waits, asyncio.get_running_loop().create_future())
        self._waiting[id(asker)] = asker
        self._nonces += len(nonces)
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._serve())
        try:
            return await asyncio.wait_for(asker.share, self._answer_s)
        except TimeoutError:
            raise Refusal("busy", f"no quote within {self._answer_s:g} s; ask again later") from None
        finally:
            self._leave(asker)

    def close(self) -> None:
        """Drop what waits; the call under way ends by itself."""
        if self._work is not None:
            self._work.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _leave(self, asker: _Asker) -> None:
        if self._waiting.pop(id(asker), None) is not None:
            self._nonces -= len(asker.nonces)

    def _next(self) -> list[_Asker]:
        """All who wait and have not gone, who now wait no longer."""
        batch = []
        for asker in list(self._waiting.values()):
            self._leave(asker)
            if asker.waits():
                batch.append(asker)
            else:
                asker.share.cancel()
        return batch

    async def _serve(self) -> None:
        """Quote after quote, until nobody waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = self._next()
            if not batch:
                continue
            nonces = [nonce for asker in batch for nonce in asker.nonces]
            try:
                evidence = await loop.run_in_executor(self._thread, _made, self._make, nonces)
            except Refusal as refusal:
                for asker in batch:
                    if not asker.share.done():
                        asker.share.set_exception(Refusal(refusal.code, str(refusal)))
            else:
                _hand_out(evidence, batch)


def _hand_out(evidence: Evidence, batch: list[_Asker]) -> None:
    first = 0
    for asker in batch:
        if not asker.share.done():  # somebody may have lost patience
            asker.share.set_result(Share(evidence, first))
        first += len(asker.nonces)
