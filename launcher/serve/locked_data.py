"""The part of a launch that waits for the owner of its data: measured and attested already, with nothing open."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ..datadir import DataDir
from ..measure import encryption, found
from ..plan.events import Event
from ..plan.plan import Plan
from ..plan.processes import Ready
from ..summary import say
from . import folders, mounts
from .supervisor import Child, Supervisor
from .unlocking import Waiting
from .vault import Vault

LOCKED = "Locked: the owner of the data has not opened it yet (quote-verifier unlock)"


@contextmanager
def left_closed(data: DataDir) -> Iterator[None]:
    """Nothing is mounted before, whatever a killed launcher left there, and nothing after. Raises DataError."""
    if not data.encrypted:
        yield
        return
    mounts.clear(data.kept)
    try:
        yield
    finally:
        mounts.clear(data.kept)


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
        say(f"{LOCKED}: {settings.origin or settings.local_url}")
        self.supervisor.notifier.ready(LOCKED)
        vault = Vault(self.plan.launch, encryption.measure().path, self.supervisor)
        generation = Waiting(self.lock, self.supervisor).for_owner(vault)
        self.supervisor.starting = True  # what is started now may take its time
        say(f"The data is open, for time number {generation}.")
        folders.give_kept(self.plan.launch.data, self.plan.user)
        return found.code(self.plan.launch, self.plan.user)

    def serve(self) -> None:
        """Everything answers: have the door let people in."""
        Waiting(self.lock, self.supervisor).serve()
        self.door.spec = replace(self.door.spec, ready=self.plan.door.ready)
        self.supervisor.wait([self.door], float(self.plan.launch.settings.start_timeout_s))
        self.supervisor.starting = False
