"""What the door says about its certificate, and what it is given anew, over a socket that the launcher handed over.

A JSON object a line. From the door: `{"wrong": <bool>, "text": <one sentence or more>}`, which the launcher says where
people look; the door's log has it as well. To the door: `{"key": <PEM>, "chain": <PEM>}` (TLS=files).
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

#: Of one line: two files of at most 256 KiB each (launcher/serve/tls_keys.py), and what JSON makes of them.
MAX_LINE_BYTES = 2 * 1024 * 1024


class Teller:
    """The socket behind descriptor `handle`; -1: there is nobody but the log."""

    def __init__(self, handle: int = -1) -> None:
        self._channel = socket.socket(fileno=handle) if handle >= 0 else None
        if self._channel:
            self._channel.setblocking(False)

    def say(self, text: str) -> None:
        """Something that went well."""
        self._tell(text, wrong=False)

    def warn(self, text: str) -> None:
        """Something that somebody has to look at."""
        self._tell(text, wrong=True)

    def _tell(self, text: str, *, wrong: bool) -> None:
        print(text, flush=True)
        if self._channel:
            with suppress(OSError):  # nobody listens any more, or for long: the log has it
                self._channel.send(json.dumps({"wrong": wrong, "text": text}).encode() + b"\n")

    async def given(self) -> AsyncIterator[dict[str, Any]]:
        """What the launcher gives, for as long as it is there."""
        if self._channel is None:
            return
        reader, writer = await asyncio.open_connection(sock=self._channel.dup(), limit=MAX_LINE_BYTES)
        try:
            while line := await reader.readline():
                yield json.loads(line)
        finally:
            writer.close()
