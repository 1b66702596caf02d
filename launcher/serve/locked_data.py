"""The part of a launch that waits for the owner of its data: measured and attested already, with nothing open."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NoReturn

from ..datadir import DataDir
from ..errors import Stopped
from ..measure import encryption, found
from ..plan.events import Event
from ..plan.launch import Launch
from ..plan.plan import Plan
from ..plan.processes import VAULT, Ready
from ..summary import say
from . import folders, kept_keys, mounts, taking_over, volume
from .damage import Damage, VolumeDamage
from .supervisor import Child, Supervisor
from .unlocking import Waiting
from .vault import Vault
from .volume import Volume

LOCKED = "Locked: the owner of the data has not opened it yet (quote-verifier unlock)"

ASKING = "Locked: the Trustee at {} is asked to have the data opened (quote-verifier unlock opens it, too)"


@contextmanager
def left_closed(data: DataDir) -> Iterator[None]:
    """Nothing is mounted before, whatever a killed launcher left there, and nothing after. Raises DataError."""
    if not data.volume:
        volume.close_left_over(data)
    if not data.encrypted:
        yield
        return
    _close(data)
    try:
        yield
    finally:
        _close(data)


def _close(data: DataDir) -> None:
    if data.volume:
        volume.close(data)
    for place in (data.kept, data.before):
        mounts.clear(place)


def damage(data: DataDir, supervisor: Supervisor) -> Damage | VolumeDamage:
    """Follows what is said of damage, where data is encrypted."""
    if data.volume:
        return VolumeDamage(volume.MAPPER / volume.NAME)
    log = next((child.log for child in supervisor.children if child.spec.name == VAULT), data.logs / "none")
    return Damage(log, data.cipher)


def tending(launch: Launch, supervisor: Supervisor, keep: int) -> Callable[[], None]:
    """What open data asks for now and then; `keep` is what the door keeps for this boot."""
    if not launch.data.encrypted:
        return lambda: None
    following, keys = damage(launch.data, supervisor), kept_keys.Keys(launch, keep)

    def tend() -> None:
        following.tend()
        keys.tend()

    return tend


@dataclass(frozen=True)
class LockedData:
    """A launch whose data is locked; `lock` is the channel to its `door`."""

    plan: Plan
    supervisor: Supervisor
    door: Child
    lock: socket.socket

    def wait_for_owner(self) -> tuple[Event, ...]:
        """Stay locked until the owner has the data opened; returns administrators' Python in it.

        Raises Stopped, LauncherError.
        """
        settings = self.plan.launch.settings
        # The door is alive, though /health says that nothing is served.
        self.door.spec = replace(self.door.spec, ready=Ready(url=f"{settings.local_url}/api/v1/tee/config"))
        self.supervisor.wait([self.door], float(settings.start_timeout_s))
        locked = ASKING.format(settings.trustee_url) if settings.data_key == "trustee" else LOCKED
        say(f"{locked}: {settings.origin or settings.local_url}")
        self.supervisor.notifier.ready(locked)
        kind = Volume if self.plan.launch.data.volume else Vault
        program = encryption.measure(kind is Volume).path
        vault = kind(self.plan.launch, program, self.supervisor)
        generation = Waiting(self.lock, self.supervisor).for_owner(vault)
        self.supervisor.starting = True  # what is started now may take its time
        say(f"The data is open, for time number {generation}.")
        if self.plan.launch.data.taking_over:
            self._take_over()
        self.plan.launch.data.begun.unlink(missing_ok=True)  # of one that was killed when all was done
        folders.give_kept(self.plan.launch.data, self.plan.user)
        return found.code(self.plan.launch, self.plan.user)

    def _take_over(self) -> NoReturn:
        """Raises Stopped: what was started for this ends here."""
        say("Taking over what lies in plain text; nobody is served meanwhile, and this can be stopped at any time.")
        taking_over.take_over(self.plan.launch.data, self.supervisor.check)
        say(taking_over.DONE)
        raise Stopped

    def serve(self) -> None:
        """Everything answers: have the door let people in."""
        Waiting(self.lock, self.supervisor).serve(kept_keys.read(self.plan.launch))
        self.door.spec = replace(self.door.spec, ready=self.plan.door.ready)
        self.supervisor.wait([self.door], float(self.plan.launch.settings.start_timeout_s))
        self.supervisor.starting = False
