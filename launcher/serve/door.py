"""What the launcher opens for the door, hands over, and lets go of."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from door.protecting import ExposedError, harden

from ..datadir import DataDir
from ..errors import UnavailableError
from ..plan.processes import Process
from ..plan.settings import Settings
from ..summary import notice
from . import listening, tls_keys
from .supervisor import Child, Supervisor


@dataclass(frozen=True)
class Opened:
    """Sockets to listen on, those for redirects, the file in which the door keeps its key, both ends of the channel
    over which the door has the attester bind that key, and of the one on which it talks with the launcher; where data
    is encrypted, also of the one over which the door has it opened."""

    listen: list[socket.socket]
    redirect: list[socket.socket]
    keep: int
    door_end: socket.socket
    attester_end: socket.socket
    door_talk: socket.socket
    talk: socket.socket
    lock: socket.socket | None = None
    lock_door_end: socket.socket | None = None

    def start_door(self, supervisor: Supervisor, door: Process) -> Child:
        """Start the door with what is its own."""
        sockets = {"listen": self.listen, "http": self.redirect, "bind": [self.door_end], "talk": [self.door_talk]}
        sockets["unlock"] = [self.lock_door_end] if self.lock_door_end else []
        numbers = {name: [each.fileno() for each in found] for name, found in sockets.items() if found}
        numbers["keep"] = [self.keep]
        named = [f"{name}={','.join(map(str, found))}" for name, found in numbers.items()]
        given = [number for found in numbers.values() for number in found]
        child = supervisor.start(replace(door, command=(*door.command, *named)), given)
        for each in (each for found in sockets.values() for each in found):  # when the door has gone, nobody listens
            each.close()
        return child

    def start_attester(self, supervisor: Supervisor, attester: Process) -> Child:
        """Start the attester, which answers nobody before the door has said which key to bind."""
        number = self.attester_end.fileno()
        command = (*attester.command, "--bind-fd", str(number), "--await-binding")
        child = supervisor.start(replace(attester, command=command), [number])
        self.attester_end.close()
        return child


@contextmanager
def opened(settings: Settings, data: DataDir) -> Iterator[Opened]:
    """Everything that the door needs open. Raises LauncherError."""
    encrypted = settings.data_key != "none"
    if settings.tls != "off" or encrypted:
        try:
            harden()  # the launcher holds the file with the key open, too, and passes the data's key on
        except ExposedError as error:
            raise UnavailableError(str(error)) from None
    (door_end, attester_end), (door_talk, talk) = socket.socketpair(), socket.socketpair()
    lock, lock_door_end = socket.socketpair()
    with (
        door_end,
        attester_end,
        door_talk,
        talk,
        lock,
        lock_door_end,
        listening.opened(settings) as (listen, redirect),
        tls_keys.opened(settings, data) as keep,
    ):
        ends = (lock, lock_door_end) if encrypted else (None, None)
        yield Opened(listen, redirect, keep, door_end, attester_end, door_talk, talk, *ends)


def say_what_others_may_read(settings: Settings) -> None:
    """What of the settings leaves people's words open to others, on their way here."""
    if settings.public and settings.tls == "off":
        what = "reads every word"
        if settings.channel == "require":
            what = "reads no word, but delivers the pages that browsers get, and could change them"
        notice(
            "TLS=off, and people on other machines reach this server: whoever ends TLS before it, or the network "
            f"where nobody does, {what}, and verifiers say so. TLS=self-signed ends it in here."
        )
    tls_keys.say_what_is_forgotten(settings)
    if settings.tls == "files":
        notice("TLS=files: whoever made the key may still hold it, and verifiers say so.")
