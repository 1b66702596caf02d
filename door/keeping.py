"""What outlives the door within one boot: its key, and what ACME needs, in one file that it was given open.

The launcher opens the file, where nobody but root can (docs/threat-model.md says where), and hands over the
descriptor; the door has no path to it. One JSON object a line, `{"name": ..., "value": ...}`; the last of a name
counts, and a line that a kill cut short counts as not written.
"""

from __future__ import annotations

import json
import os

MAX_BYTES = 1024 * 1024
#: The private key, which the door draws, or with TLS=files the launcher gives, as it does the chain.
KEY, CHAIN = "tls-key", "tls-chain"
#: The key of the account at a CA, and the certificate that a CA made for the drawn key.
ACCOUNT, CERTIFICATE = "acme-account", "acme-chain"
#: The CAs (PEM) that the launcher found in DATA_TRUSTEE_CA_FILE, for the certificate of a key broker.
BROKER_AUTHORITIES = "trustee-authorities"
#: What lies in encrypted data from one boot to the next (door/taking_up.py).
LASTING = (KEY, ACCOUNT, CERTIFICATE)


class KeepError(Exception):
    """Nothing more can be kept; the text is one sentence."""


class Keep:
    """Names and texts in the file behind descriptor `handle`, which is open for reading and writing."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._values: dict[str, str] = {}
        lines = os.pread(handle, MAX_BYTES, 0).split(b"\n")
        self._end = sum(len(line) + 1 for line in lines[:-1])
        for line in lines[:-1]:
            try:
                entry = json.loads(line)
                self._values[str(entry["name"])] = str(entry["value"])
            except (ValueError, KeyError, TypeError):
                continue

    def get(self, name: str) -> str:
        """The text that was kept last under `name`, or ""."""
        return self._values.get(name, "")

    def put(self, name: str, value: str) -> None:
        """Keep `value` under `name`. Raises KeepError."""
        line = json.dumps({"name": name, "value": value}).encode() + b"\n"
        if self._end + len(line) > MAX_BYTES:
            self._compact()
        if self._end + len(line) > MAX_BYTES:
            raise KeepError(f"What the door keeps is longer than {MAX_BYTES} bytes.")
        self._write(line)
        self._values[name] = value

    def _write(self, data: bytes) -> None:
        done = os.pwrite(self._handle, data, self._end)
        if done != len(data):
            raise KeepError("What the door keeps cannot be written: its file system is full.")
        self._end += done
        os.ftruncate(self._handle, self._end)

    def _compact(self) -> None:
        entries = [json.dumps({"name": name, "value": value}) + "\n" for name, value in self._values.items()]
        self._end = 0
        self._write("".join(entries).encode())
