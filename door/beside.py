"""What the door does beside serving: the port for plain http, and keeping a certificate of a CA's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from . import replacing, serving
from .account import account_key
from .acme import Keeper
from .authority import AUTHORITIES, Authority, file_of
from .binding import Binder
from .challenges import PlainHttp
from .channel.keys import Keys
from .config import Config, Descriptors
from .keeping import Keep
from .telling import Teller
from .tls import Certificates

MAX_SOCKETS = 1024
LOOK_S = 300.0
EARLY = timedelta(days=30)


def tasks(
    config: Config,
    given: Descriptors,
    keep: Keep,
    certificates: Certificates | None,
    binder: Binder | None,
    opened: asyncio.Event | None = None,
) -> list[Callable[[], Awaitable[None]]]:
    """What is to run for as long as the door serves. A certificate that was kept is shown at once; one of a CA's is not
    asked for before the data is `opened`, in which the account and the key may lie.

    Raises KeepError: an account that cannot be kept would be a new one at each start, and CAs count accounts.
    """
    plain, teller = PlainHttp(config.origin), Teller(given.talk)
    found: list[Callable[[], Awaitable[None]]] = []
    if given.http:
        door = serving.Door(serving.configuration(plain, MAX_SOCKETS), None)
        sockets = [socket.socket(fileno=number) for number in given.http]
        found.append(lambda: door.beside(sockets))
    if config.tls == "acme" and certificates is not None:
        if opened:
            found.append(lambda: _once(opened, config, keep, certificates, plain, teller))
        else:
            keeper = _keeper(config, keep, certificates, plain, teller)
            keeper.restore()
            found.append(keeper.run)
    if config.tls == "files" and certificates is not None:
        found.append(lambda: replacing.listen(certificates, teller, binder))
    if config.tls == "self-signed" and certificates is not None:
        found.append(lambda: renew_self_signed(certificates))
    return found


async def _once(
    opened: asyncio.Event, config: Config, keep: Keep, certificates: Certificates, plain: PlainHttp, teller: Teller
) -> None:
    """Keep a certificate of a CA's, once the data is open."""
    await opened.wait()
    keeper = await asyncio.to_thread(_keeper, config, keep, certificates, plain, teller)
    keeper.restore()
    await keeper.run()


def rotation(channel: Keys | None, binder: Binder | None) -> list[Callable[[], Awaitable[None]]]:
    """A new key of the encrypted channel each day, where there is somebody to bind it."""

    if channel is None or binder is None:
        return []

    async def bind(text: str) -> None:
        await asyncio.to_thread(binder.bind, channel=text)

    return [lambda: channel.rotate(bind)]


async def renew_self_signed(certificates: Certificates) -> None:
    """Make a new certificate for the same key before the old one ends, and after the clock was set."""
    while True:
        await asyncio.sleep(LOOK_S)
        if certificates.is_due(datetime.now(UTC), EARLY):
            certificates.self_sign()


def _keeper(config: Config, keep: Keep, certificates: Certificates, plain: PlainHttp, teller: Teller) -> Keeper:
    from .issuing import Issuer  # the library takes half a second, which no other start has to wait for

    authority = Authority(config.acme["directory"], config.acme["contact"], file_of(keep.get(AUTHORITIES)))
    issuer = Issuer(authority, account_key(keep, authority.directory, authority.contact), plain)
    return Keeper(config.names, certificates, issuer, keep, teller.say, teller.warn)
