"""The backend's new files, imported without upstream: `open_webui` is then a namespace package of ours alone."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FILES = Path(__file__).resolve().parents[2] / "patches" / "files" / "backend"
if str(FILES) not in sys.path:
    sys.path.insert(0, str(FILES))


Answer = Callable[[dict[str, Any]], bytes | None]


class FakeAttester:
    """Answers each request line on a Unix socket with what `answer` returns for it (bytes, or None to hang up)."""

    def __init__(self, path: Path, answer: Answer) -> None:
        self.path = path
        self.requests: list[dict[str, Any]] = []
        self._answer = answer
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                request = json.loads(lines.readline())
                self.requests.append(request)
                answer = self._answer(request)
                if answer is not None:
                    connection.sendall(answer)

    def close(self) -> None:
        self._socket.close()


Attester = Callable[..., FakeAttester]


def answer_to(request: dict[str, Any], quote: bytes = b"\x04\x00quote") -> bytes:
    """What an attester answers: evidence for all of the nonces, and a proof for each, here told by its nonce."""
    proofs = [
        {"index": place, "size": len(request["nonces"]), "path": [one]} for place, one in enumerate(request["nonces"])
    ]
    return json.dumps({"ok": True, "evidence": evidence(quote), "proofs": proofs}).encode() + b"\n"


def evidence(quote: bytes = b"\x04\x00quote") -> dict[str, Any]:
    return {
        "quote": quote.hex(),
        "tee": "tdx-simulated",
        "runtime_data": {"v": 2, "nonces": {"root": "r", "size": 1}},
        "event_log": "",
        "quote_parse": {"mr_td": "00" * 48},
    }


@pytest.fixture
def attester(tmp_path: Path) -> Iterator[Attester]:
    """Starts a FakeAttester; by default it gives evidence for the nonces asked."""
    started: list[FakeAttester] = []

    def start(answer: Answer | None = None) -> FakeAttester:
        started.append(FakeAttester(tmp_path / f"attester-{len(started)}.sock", answer or answer_to))
        return started[-1]

    yield start
    for one in started:
        one.close()
