"""The door's certificate while the service runs: what the door says of it, and files that are read anew when asked."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import SettingError
from ..files import beside
from ..plan.settings import Settings
from ..summary import notice, say
from . import tls_keys
from .notify import Notifier

MAX_HEARD_BYTES = 64 * 1024
MAX_TEXT = 2000
SEND_S = 10.0
RELOADED = "SIGHUP: with TLS=files the certificate would be read anew; TLS={}, and there is nothing to read."


@dataclass
class Certificate:
    """`channel` leads to the door (door/telling.py); `state` is the file in which others find what was said last."""

    settings: Settings
    channel: socket.socket
    state: Path
    notifier: Notifier
    _heard: bytes = field(default=b"", repr=False)

    def tend(self, read_anew: bool) -> None:
        """To be called now and then: say what the door said; where it was asked for, read the files and hand them over.

        What is wrong with the files is said, and the door keeps what it has.
        """
        if read_anew and self.settings.tls != "files":
            say(RELOADED.format(self.settings.tls))
        elif read_anew:
            self._hand_over()
        for wrong, text in self._hear():
            self._tell(wrong, text)

    def _hand_over(self) -> None:
        try:
            key, chain = tls_keys.given(self.settings)
        except SettingError as error:
            self._tell(True, f"The certificate was not read anew, and the old one stays. {error}")
            return
        self.channel.settimeout(SEND_S)
        try:
            self.channel.sendall(json.dumps({"key": key, "chain": chain}).encode() + b"\n")
        except OSError as error:
            self._tell(
                True, f"The door does not take the certificate that was read anew, and keeps the old one: {error}."
            )

    def _hear(self) -> Iterator[tuple[bool, str]]:
        self.channel.setblocking(False)
        with suppress(BlockingIOError, ConnectionError):
            self._heard += self.channel.recv(MAX_HEARD_BYTES)
        *lines, rest = self._heard.split(b"\n")
        self._heard = rest[:MAX_HEARD_BYTES]
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):
                said = json.loads(line)
                yield bool(said["wrong"]), _plain(str(said["text"]))

    def _tell(self, wrong: bool, text: str) -> None:
        """At the terminal, to the service manager, and in a file for the doctor."""
        (notice if wrong else say)(f"TLS: {text}")
        self.notifier.trouble(f"TLS: {text}" if wrong else "")
        with suppress(OSError), beside(self.state) as fresh:  # a full disk ends no service
            fresh.write_text(json.dumps({"wrong": wrong, "text": text, "at": int(time.time())}))


def _plain(text: str) -> str:
    """Printable, on one line, and not long: a CA's words may be in it."""
    return "".join(char if char.isprintable() else " " for char in text[:MAX_TEXT])
