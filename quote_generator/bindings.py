"""How door and launcher say what quotes are bound to: over a socket that they were given, and nobody else has.

    {"bind": {"tls": {"spki_sha256": "<64 hex>", "key": "drawn"}}}  ->  {"ok": true}
    {"bind": {"tls": null}}                                         ->  {"ok": true}, and the member is gone
    {"key_broker": {...}}, with --key-broker (key_broker.py)        ->  {"ok": true, "quote": "<hex>"}
    anything else                                                   ->  {"ok": false, "error": {"code", "message"}}

One JSON object a line. Every quote that begins after the answer has the members. They stay when the connection ends:
whoever held it may be started anew with the same key.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any

from . import key_broker
from .runtime_data import RuntimeData

LINE_LIMIT = 64 * 1024  # bytes
log = logging.getLogger("quote_generator.attester")


def _carry_out(line: bytes, runtime_data: RuntimeData) -> str | None:
    """Why the request is refused, or None: it is done."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        return "a request is one JSON object on a line"
    if not isinstance(request, dict) or set(request) != {"bind"}:
        return 'a request is a JSON object with the member "bind" alone'
    if not isinstance(request["bind"], dict) or not request["bind"]:
        return "bind is an object of the members to bind"
    try:
        runtime_data.bind(request["bind"])
    except ValueError as error:
        return str(error)
    log.info("bound: %s", ", ".join(request["bind"]))
    return None


def _for_broker(line: bytes) -> Any:
    """What a request for a key broker's quote holds; None for any other request."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return request[key_broker.NAME] if isinstance(request, dict) and list(request) == [key_broker.NAME] else None


async def hear(
    channel: socket.socket, runtime_data: RuntimeData, bound: Callable[[], object], brokered: bool = False
) -> None:
    """Serve one connection until the other end closes it; `bound` is called each time that something was bound.
    `brokered`: whether a key broker's quote is made for it."""
    reader, writer = await asyncio.open_connection(sock=channel, limit=LINE_LIMIT)
    try:
        while line := await reader.readline():
            asked = _for_broker(line) if brokered else None
            fault = _carry_out(line, runtime_data) if asked is None else None
            answer: dict[str, object] = {"ok": True} if fault is None else _refused(fault)
            if asked is not None:
                answer = await asyncio.to_thread(key_broker.answer, asked)
            elif fault is None:
                bound()
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
    except (OSError, ValueError) as error:  # ValueError: a line over the limit
        writer.write(json.dumps(_refused(f"the connection ends: {error}")).encode() + b"\n")
    finally:
        writer.close()


def _refused(message: str) -> dict[str, object]:
    return {"ok": False, "error": {"code": "bad-request", "message": message}}


def inherited(descriptors: Sequence[int]) -> list[socket.socket]:
    """The connections behind inherited descriptors. Raises ValueError for one that is no connected Unix socket."""
    channels = []
    for descriptor in descriptors:
        try:
            channel = socket.socket(fileno=descriptor)
            channel.getpeername()
        except OSError as error:
            raise ValueError(f"--bind-fd {descriptor} is no connected socket: {error.strerror}") from None
        if channel.family != socket.AF_UNIX or channel.type != socket.SOCK_STREAM:
            raise ValueError(f"--bind-fd {descriptor} is no stream of a Unix socket")
        channel.set_inheritable(False)
        channels.append(channel)
    return channels
