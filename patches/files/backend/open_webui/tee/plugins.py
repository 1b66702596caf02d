"""Tools and Functions are administrators' Python: each is measured before it runs.

The launcher extends the register; this asks it over the Unix socket `TEE_MEASURER_SOCKET` and waits for its answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket

TIMEOUT_S = 30.0
MAX_ANSWER = 4096

_measured: set[tuple[str, str, str]] = set()


def measure(kind: str, identifier: str, content: str) -> None:
    """Have the launcher measure a `tool` or `function` before it is run. Raises RuntimeError if it does not."""
    path = os.environ.get("TEE_MEASURER_SOCKET")
    if not path:
        return
    item = (kind, identifier, hashlib.sha384(content.encode()).hexdigest())
    if item in _measured:
        return
    problem = _ask(path, dict(zip(("kind", "id", "sha384"), item, strict=True)))
    if problem is not None:
        raise RuntimeError(f"The {kind} {identifier} cannot be measured, so it is not run: {problem}.")
    _measured.add(item)


def _ask(path: str, request: dict[str, str]) -> str | None:
    """None once it is measured, else why it is not."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.connect(path)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer = json.loads(answers.readline(MAX_ANSWER))
    except (OSError, ValueError) as error:
        return f"the launcher does not answer ({error})"
    if answer.get("ok") is True:
        return None
    return str(answer.get("message", "the launcher refused"))
