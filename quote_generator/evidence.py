"""The evidence document: a quote bound to a batch of nonces, with the event log that its RTMR 3 replays to.

What it is bound to beside the nonces is `runtime_data`'s business: no caller chooses report data.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass

from . import quoting
from .aael import replay_lines, to_text
from .formats import Quote, parse_quote
from .logfolder import LogFolder
from .nonces import NonceTree
from .runtime_data import RuntimeData, report_data


@dataclass(frozen=True)
class Evidence:
    """One quote's document, a JSON object (UTF-8) that all askers of a batch share, and the tree of their nonces."""

    document: bytes
    tree: NonceTree

    def for_asker(self, index: int) -> bytes:
        """The document with the proof of nonce `index` as its member `proof`."""
        return self.document[:-1] + b',"proof":' + self.tree.proof(index) + b"}"


class EvidenceSource:
    """Makes evidence documents. `event_log` is the folder that EventLog.open was given, or None."""

    def __init__(self, runtime_data: RuntimeData, event_log: str | os.PathLike[str] | None = None) -> None:
        self._runtime_data = runtime_data
        self._log = LogFolder(event_log) if event_log is not None else None

    def evidence(self, nonces: Sequence[bytes]) -> Evidence:
        """Evidence for 1 to 65,536 nonces of 32 bytes. Raises TdxAttestError, FormatError or EventLogError."""
        tree = NonceTree(nonces)
        runtime_data = self._runtime_data.of(tree.root, tree.size)
        quote, parsed, event_log = self._quote_and_log(report_data(runtime_data))
        document = {
            "quote": quote.hex(),
            "tee": quoting.tee_kind(),
            "runtime_data": runtime_data,
            "event_log": event_log,
            "quote_parse": parsed.fields(),
        }
        return Evidence(json.dumps(document, separators=(",", ":")).encode(), tree)

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
