"""Which certificate authority the door asks, and how it says no: what `acme` and `issuing` share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol

#: In the keep: the CAs (PEM) that the launcher found in ACME_CA_FILE, which the door's account may not read.
AUTHORITIES = "acme-authorities"
_open_for_good: list[int] = []


@dataclass(frozen=True)
class Authority:
    """An ACME server and who asks it. `ca_file`: PEM file of CAs for its own certificate, "" for the usual ones;
    `contact`: a mail address or ""."""

    directory: str
    contact: str = ""
    ca_file: str = ""


class AcmeTrouble(Exception):
    """No certificate this time. `why` and `todo` are sentences without their full stop; `wait_s` is for how many
    seconds at least it would be useless, or harmful, to ask again."""

    def __init__(self, why: str, todo: str = "", wait_s: float = 0) -> None:
        super().__init__(f"{why}. {todo}." if todo else f"{why}.")
        self.why, self.todo, self.wait_s = why, todo, wait_s


class Answers(Protocol):
    """Who answers challenges while an order is under way (`door.challenges.PlainHttp`). Called from another thread."""

    def put(self, token: str, authorisation: str) -> None:
        """Answer `token` from now on."""

    def remove(self, token: str) -> None:
        """Answer it no longer."""


def file_of(pem: str) -> str:
    """A path to `pem` in memory, or "" for none: the library takes certificates of CAs from a file alone."""
    if not pem:
        return ""
    _open_for_good.append(os.memfd_create("authorities", os.MFD_CLOEXEC))
    with open(_open_for_good[-1], "w", encoding="utf-8", closefd=False) as file:
        file.write(pem)
    return f"/proc/self/fd/{_open_for_good[-1]}"
