"""Where a locked TD takes messages, and of what type they are."""

from __future__ import annotations

PATH = "/api/v1/tee/unlock"
MESSAGE_TYPE, ANSWER_TYPE = "application/octet-stream", "application/octet-stream"
