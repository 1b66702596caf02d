"""Keeps a certificate in time: gets the first one, renews it with the same key, and says what hinders it.

Whatever goes wrong, the certificate in use stays in use. A failed attempt is repeated after a wait that doubles, and
no sooner than the CA's own limits allow. The clock is looked at again every few minutes: a machine that slept, or whose
clock was set, renews when it is due by the clock as it is now.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from . import chain
from .account import Store
from .authority import AcmeTrouble
from .chain import Chain, moment
from .keeping import CERTIFICATE
from .tls import TlsError, load_key

LOOK_S = 300.0
GIVE_UP_S = 900.0


class Certificates(Protocol):
    """The key and the certificate that the door serves with (`door.tls.Certificates`)."""

    key_pem: bytes

    def install(self, chain_pem: bytes, now: datetime | None = None) -> None:
        """Show this chain from the next handshake on; connections that are open go on. Raises `TlsError` for one that
        is for another key or not in date at `now`."""


class Ordering(Protocol):
    """Who gets a certificate (`door.issuing.Issuer`)."""

    @property
    def account(self) -> str:
        """The account's URI at the CA, which CAA records may name (RFC 8657); "" until the CA has said it."""

    def issue(self, csr_pem: bytes) -> bytes:
        """The chain (PEM) for a certificate signing request (PEM). Blocks; raises `AcmeTrouble`."""


@dataclass(frozen=True)
class Waits:
    """When it is renewed, as a share of its validity, and how long is waited otherwise (seconds).

    `least_s`: between two certificates, however early a CA lets one end, or however little one fits. `first_s` doubles
    up to `longest_s` while attempts fail; `spread` of each is added at random, so that not everybody asks a CA that
    comes back at once.
    """

    renew_at: float = 2 / 3
    least_s: float = 3600.0
    first_s: float = 60.0
    longest_s: float = 6 * 3600.0
    spread: float = 0.1


@dataclass
class Keeper:
    """`names`: the DNS names that the certificate is for; `say` writes one line to the log, and `warn`
    one about what hinders it; `now` is the clock."""

    names: tuple[str, ...]
    certificates: Certificates
    ordering: Ordering
    store: Store
    say: Callable[[str], None]
    warn: Callable[[str], None]
    waits: Waits = Waits()
    now: Callable[[], float] = time.time
    current: Chain | None = None
    _failures: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        self._key = load_key(self.certificates.key_pem, "The TLS key")

    def restore(self) -> bool:
        """Install the chain that an earlier start kept, if it still fits; whether it did."""
        pem = self.store.get(CERTIFICATE)
        if not pem:
            return False
        try:
            self._install(pem.encode())
        except TlsError as error:
            self.warn(f"The certificate of an earlier start is not used. {error}")
            return False
        return True

    async def run(self) -> None:
        """Keep the certificate until it is cancelled."""
        wait_s = self._until_due()
        while True:
            if wait_s > 0:
                await asyncio.sleep(min(wait_s, LOOK_S))
                wait_s = wait_s - LOOK_S if self._failures else self._until_due()
            else:
                wait_s = await self._attempt()

    async def _attempt(self) -> float:
        """Ask for a certificate once; the seconds until it is asked again."""
        try:
            pem = await _in_thread(lambda: self.ordering.issue(chain.request(self._key, self.names)))
            self._install(pem)
        except AcmeTrouble as trouble:
            return self._failed(trouble)
        except TlsError as error:  # it counts at the CA all the same: there is no hurry to order another
            return self._failed(
                AcmeTrouble(f"what the CA sent is not used: {str(error).rstrip('.')}", "", self.waits.least_s)
            )
        self._failures = 0
        self.say(
            f"A certificate for {', '.join(self.names)} is in use, valid until {self._end()}. "
            f"The CA knows this door as {self.ordering.account}."
        )
        self._keep()
        return max(self._until_due(), self.waits.least_s)

    def _install(self, pem: bytes) -> None:
        found = chain.read(pem, self._key, self.names)
        self.certificates.install(found.pem, datetime.fromtimestamp(self.now(), UTC))
        self.current = found

    def _keep(self) -> None:
        try:
            self.store.put(CERTIFICATE, self.current.pem.decode("ascii") if self.current else "")
        except Exception as error:  # whatever hinders it, the certificate is in use
            self.warn(f"The certificate is not kept for the next start, which asks the CA anew. {error}")

    def _until_due(self) -> float:
        if self.current is None:
            return 0
        early = random.uniform(0, self.waits.spread) * (1 - self.waits.renew_at)  # noqa: S311 - no secret
        return max(self.current.spent(self.waits.renew_at - early) - self.now(), 0)

    def _failed(self, trouble: AcmeTrouble) -> float:
        wait_s = min(self.waits.first_s * float(2**self._failures), self.waits.longest_s)
        wait_s = max(wait_s, trouble.wait_s) * random.uniform(1, 1 + self.waits.spread)  # noqa: S311 - no secret
        self._failures = min(self._failures + 1, 30)
        again = f"The CA is asked again at {moment(self.now() + wait_s)}."
        self.warn(f"No new certificate for {', '.join(self.names)}: {trouble} {self._in_use()} {again}")
        return wait_s

    def _in_use(self) -> str:
        if self.current is None:
            return "Until there is one, a certificate is shown that nobody vouches for."
        if self.current.not_after <= self.now():
            return f"The one in use ended at {self._end()}: browsers refuse it."
        return f"The one in use stays, until {self._end()}."

    def _end(self) -> str:
        return moment(self.current.not_after if self.current else 0)


async def _in_thread(order: Callable[[], bytes]) -> bytes:
    """The library blocks, and may for long: in a thread of its own, which nobody waits for when the door stops."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[bytes] = loop.create_future()

    def give(chain_pem: bytes, error: AcmeTrouble | None) -> None:
        if result.done():
            return
        if error is None:
            result.set_result(chain_pem)
        else:
            result.set_exception(error)

    def work() -> None:
        chain_pem, error = b"", None
        try:
            chain_pem = order()
        except AcmeTrouble as trouble:
            error = trouble
        except Exception as fault:  # a fault of ours must not end the keeping
            error = AcmeTrouble(f"the door failed ({type(fault).__name__}: {fault})", "Report it")
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(give, chain_pem, error)

    threading.Thread(target=work, name="acme", daemon=True).start()
    try:
        return await asyncio.wait_for(result, GIVE_UP_S)
    except TimeoutError:
        raise AcmeTrouble(f"the CA kept this machine waiting for {GIVE_UP_S:g} s") from None
