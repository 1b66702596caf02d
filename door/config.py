"""What the launcher tells the door when it starts it: one JSON object, without secrets, since anybody can read it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path

MODES = ("off", "self-signed", "acme", "files")
CHANNELS = ("off", "offer", "require")


@dataclass(frozen=True)
class Config:
    """`names`: what the certificate is for; `origin`: at which people reach the door, for redirects, or "";
    `trusted`: proxies whose forwarded headers are believed; `acme`: `directory` and `contact` (door/authority.py);
    `data`: how the service's data lies, as it is bound into every quote; `trustee`: `url` and `resource` of the key
    broker that is asked to have it opened (door/key_broker.py); `channel`: whether sealed requests are taken,
    and, with `require`, no other ones but for what is public."""

    release: Path
    web_socket: Path
    tls: str
    names: tuple[str, ...]
    origin: str = ""
    trusted: tuple[str, ...] = ()
    acme: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=lambda: {"state": "plain"})
    trustee: dict[str, str] = field(default_factory=dict)
    channel: str = "offer"

    @classmethod
    def parse(cls, text: str) -> Config:
        """The configuration in `text`. Raises ValueError, KeyError, TypeError: the launcher wrote it."""
        found = json.loads(text)
        unknown = found.keys() - {each.name for each in fields(cls)}
        if unknown or found["tls"] not in MODES or found.get("channel", "offer") not in CHANNELS:
            raise ValueError(f"unknown in the door's configuration: {unknown or (found['tls'], found.get('channel'))}")
        found |= {name: Path(found[name]) for name in ("release", "web_socket")}
        return cls(**found | {name: tuple(found.get(name, ())) for name in ("names", "trusted")})


@dataclass(frozen=True)
class Descriptors:
    """Open files that the launcher handed over: listening sockets, those for plain http, the keep, the channels to
    the attester and to the launcher, and the one over which data is opened; -1 for what there is not."""

    listen: tuple[int, ...]
    http: tuple[int, ...] = ()
    keep: int = -1
    bind: int = -1
    talk: int = -1
    unlock: int = -1

    @classmethod
    def parse(cls, arguments: list[str]) -> Descriptors:
        """From arguments such as `listen=5,6 keep=7`. Raises ValueError, TypeError."""
        given = dict(argument.split("=", 1) for argument in arguments)
        listen, http = (
            tuple(int(number) for number in given.pop(name, "").split(",") if number) for name in ("listen", "http")
        )
        return cls(listen, http, **{name: int(number) for name, number in given.items()})
