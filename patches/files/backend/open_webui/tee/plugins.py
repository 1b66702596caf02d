"""Tools and Functions are administrators' Python: each is measured before it runs, and nothing is installed for one.

The launcher extends the register; this asks it over the Unix socket `TEE_MEASURER_SOCKET` and waits for its answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement

TIMEOUT_S = 30.0
MAX_ANSWER = 4096

_measured: set[tuple[str, str, str]] = set()


class RequirementError(RuntimeError):
    """A Tool or Function needs a package that this release does not hold; the message names it."""


def require(requirements: str | None) -> None:
    """Raise RequirementError unless the release holds every package of a `requirements:` line, comma-separated.

    Nothing is ever installed at run time: a package's build code would run before anything of it was measured.
    """
    for text in filter(None, (part.strip() for part in _split(requirements or ""))):
        problem = _missing(text)
        if problem is not None:
            raise RequirementError(
                f"This needs {text}, {problem}. Packages are not installed while the server runs, because they would "
                "not be measured: "
                "take the line out of requirements, or add the package to the release and build it anew."
            )


def _split(requirements: str) -> list[str]:
    """At the commas between requirements, not at those inside a version or extras ("a>=1,<2" is one requirement)."""
    parts: list[str] = []
    for part in requirements.split(","):
        if parts and (
            part.strip().startswith(("<", ">", "=", "!", "~")) or parts[-1].count("[") > parts[-1].count("]")
        ):
            parts[-1] += "," + part
        else:
            parts.append(part)
    return parts


def _missing(text: str) -> str | None:
    """None if the release holds what this requirement asks for, else what is wrong with it."""
    try:
        wanted = Requirement(text)
    except InvalidRequirement:
        return "which is not a package's name and version"
    if wanted.url is not None:
        return "which is an address and not a package of this release"
    if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
        return None
    try:
        held = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return "which is not in this release"
    if not wanted.specifier.contains(held, prereleases=True):
        return f"and this release holds {wanted.name} {held}"
    return None


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
