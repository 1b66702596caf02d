"""Keep asking the owner's Trustee until the data is open: how often, and what people are told meanwhile."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .authority import file_of
from .binding import Binder, BindError
from .config import Config
from .keeping import BROKER_AUTHORITIES, Keep
from .locking import Lock

NOT_OPENED = "What its Trustee released does not open the data."
NOT_ASKED = "Its Trustee could not be asked."
NO_QUOTE = "No quote could be made for its Trustee."

if TYPE_CHECKING:
    from data_unlock.grant import Grant


class Asked(Protocol):
    """`door.key_broker.KeyBroker`."""

    def ask(self) -> Grant:
        """The owner's grant, in a thread."""


@dataclass(frozen=True)
class Waits:
    """Seconds between two attempts: twice as many after each, up to a bound."""

    first: float = 2.0
    longest: float = 60.0


async def keep_asking(lock: Lock, broker: Asked, waits: Waits = Waits()) -> None:
    """Until the data is open, by this or by the owner's own message. What is wrong is said once, where people look."""
    wait = waits.first
    while True:
        why, said, kind = await _attempt(lock, broker)
        if lock.given:
            return
        if why != lock.trouble:
            print(said, flush=True)
            await lock.tell(said)
        lock.trouble, lock.trouble_kind = why, kind  # what everybody may hear: sentences of ours alone
        await asyncio.sleep(wait)
        wait = min(2 * wait, waits.longest)


async def _attempt(lock: Lock, broker: Asked) -> tuple[str, str, str]:
    """Why the data is not open, for everybody and for the log, and its kind; unless it is."""
    from .key_broker import BrokerTrouble

    if lock.given:
        return "", "", ""
    try:
        grant = await asyncio.to_thread(broker.ask)
        return NOT_OPENED, await lock.take_grant(grant), "useless"
    except BrokerTrouble as error:
        return error.why, str(error), error.kind
    except BindError as error:
        return NO_QUOTE, str(error), "unasked"
    except Exception as error:  # whatever answers there must not end the door
        return NOT_ASKED, f"{NOT_ASKED[:-1]} ({type(error).__name__}).", "unasked"


def tasks(config: Config, keep: Keep, binder: Binder | None, lock: Lock | None) -> list[Callable[[], Awaitable[None]]]:
    """What asks for as long as the door serves; nothing where no Trustee is named."""
    if not (config.trustee and lock and binder):
        return []
    return [lambda: _for_good(lock, _broker(config.trustee, config.data["owner"], keep, binder))]


async def _for_good(lock: Lock, broker: Asked) -> None:
    """Keep asking, and then rest: what runs beside the door ends it where it ends itself."""
    await keep_asking(lock, broker)
    await asyncio.Event().wait()


def _broker(place: Mapping[str, str], owner: str, keep: Keep, binder: Binder) -> Asked:
    from .key_broker import KeyBroker, Place  # requests takes a moment, which no other start has to wait for

    where = Place(place["url"], place["resource"], file_of(keep.get(BROKER_AUTHORITIES)))
    return KeyBroker(where, base64.urlsafe_b64decode(owner + "="), binder.quote)
