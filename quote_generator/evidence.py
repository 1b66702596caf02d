"""The evidence document: a quote bound to a nonce, with the event log that its RTMR 3 replays to.

`runtime_data` is `{"v": 1, "nonce", "release", "origin", "tls_spki_sha256"}`, absent members left out, and
report data = SHA-384(JCS(runtime_data)) || 16 zero bytes (JCS is RFC 8785). Everything but the nonce is fixed when the
attester starts: no caller chooses report data.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
import secrets
from dataclasses import dataclass
from typing import Any

import rfc8785

from . import quoting
from .aael import replay_lines, to_text
from .formats import Quote, parse_quote
from .logfolder import LogFolder

NONCE_SIZE = 32
_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[0-9a-z._-]+)(:[0-9]{1,5})?")


def new_nonce() -> str:
    """A nonce of our own, 32 random bytes, base64url without padding."""
    return base64.urlsafe_b64encode(secrets.token_bytes(NONCE_SIZE)).decode().rstrip("=")


def check_nonce(nonce: str) -> str:
    """The nonce itself; raises ValueError unless it is the canonical base64url of 32 bytes, without padding."""
    if re.fullmatch(r"[A-Za-z0-9_-]{43}", nonce):
        decoded = base64.urlsafe_b64decode(nonce + "=")
        if base64.urlsafe_b64encode(decoded).decode() == nonce + "=":  # no stray bits in the last character
            return nonce
    raise ValueError(f"a nonce is 32 bytes in base64url without padding (43 characters), not {nonce[:60]!r}")


@dataclass(frozen=True)
class Binding:
    """What every quote of this attester is bound to, beside the nonce. Raises ValueError for a malformed value."""

    release: str | None = None
    origin: str | None = None
    tls_spki_sha256: str | None = None

    def __post_init__(self) -> None:
        for name, value, digits in (("release digest", self.release, 96), ("TLS key digest", self.tls_spki_sha256, 64)):
            if value is not None and not re.fullmatch(f"[0-9a-f]{{{digits}}}", value):
                raise ValueError(f"the {name} is {digits} lower-case hex digits, not {value[:100]!r}")
        if self.origin is not None and not _ORIGIN.fullmatch(self.origin):
            message = "the origin is scheme, lower-case host and port, as in https://chat.example.org, with no path"
            raise ValueError(f"{message}; not {self.origin[:100]!r}")

    def runtime_data(self, nonce: str) -> dict[str, Any]:
        """What the quote is bound to; members without a value are left out."""
        members = {"release": self.release, "origin": self.origin, "tls_spki_sha256": self.tls_spki_sha256}
        return {"v": 1, "nonce": nonce, **{name: value for name, value in members.items() if value is not None}}


def report_data(runtime_data: dict[str, Any]) -> bytes:
    """The 64 bytes that bind a quote to `runtime_data`."""
    return hashlib.sha384(rfc8785.dumps(runtime_data)).digest() + bytes(16)


class EvidenceSource:
    """Makes evidence documents. `event_log` is the folder that EventLog.open was given, or None."""

    def __init__(self, binding: Binding, event_log: str | os.PathLike[str] | None = None) -> None:
        self._binding = binding
        self._log = LogFolder(event_log) if event_log is not None else None

    def evidence(self, nonce: str | None = None) -> dict[str, Any]:
        """The document for a checked nonce, or for one drawn here. Raises TdxAttestError, FormatError or
        EventLogError."""
        runtime_data = self._binding.runtime_data(nonce or new_nonce())
        quote, parsed, event_log = self._quote_and_log(report_data(runtime_data))
        return {
            "quote": quote.hex(),
            "tee": quoting.tee_kind(),
            "runtime_data": runtime_data,
            "event_log": event_log,
            "quote_parse": parsed.fields(),
        }

    def _begun_log(self) -> LogFolder | None:
        """The log, once somebody has begun one."""
        log = self._log
        return log if log is not None and (log.directory / "lock").exists() else None

    def _quote_and_log(self, data: bytes) -> tuple[bytes, Quote, str]:
        """Quote and log under one lock, so that the two agree.

        A log that was left half-way by a killed writer is the one that the quote's RTMR 3 says. If neither fits, the
        committed one is given: the relying party will refuse it, which is right.
        """
        log = self._begun_log()
        if log is None:
            quote = quoting.generate_quote(data)
            log = self._begun_log()  # one that began meanwhile may be in the quote, or not: then take both again
            if log is None:
                return quote, parse_quote(quote), ""
        with log.locked(fcntl.LOCK_SH):
            logs = log.candidates()
            quote = quoting.generate_quote(data)
        parsed = parse_quote(quote)
        fitting = [lines for lines in logs if replay_lines(lines) == parsed.body.rtmr_3]
        return quote, parsed, to_text((fitting or logs)[0])
