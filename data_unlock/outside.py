"""Where a locked TD takes messages, and of what type they are; how a key broker names what it keeps."""

from __future__ import annotations

import re

PATH = "/api/v1/tee/unlock"
MESSAGE_TYPE, ANSWER_TYPE = "application/octet-stream", "application/octet-stream"
#: How a Trustee names its resources (its `ResourceDesc`).
_RESOURCE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*){2}")


def is_resource(path: str) -> bool:
    """Whether `path` is `repository/type/tag` as a Trustee takes it."""
    return _RESOURCE.fullmatch(path) is not None
