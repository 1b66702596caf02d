"""Notifications that leave the machine: the launch's own webhook, and people's own only where the launch allows them.

A message in a channel is somebody else's words, and a notification carries it to wherever its reader says.
"""

from __future__ import annotations

import os
from typing import Any

import requests
from open_webui.tee import outside

TIMEOUT_S = 30


def post(url: str, payload: dict[str, Any]) -> None:
    """Post `payload` as JSON. Raises OutsideError if this webhook is not allowed, or an error of requests."""
    if url == os.environ.get("WEBHOOK_URL"):  # an endpoint of the launch, measured
        requests.post(url, json=payload, timeout=TIMEOUT_S, allow_redirects=False).raise_for_status()
        return
    if os.environ.get("ENABLE_USER_WEBHOOKS", "false").lower() != "true":
        raise outside.OutsideError(
            "people's own webhooks are off here: ENABLE_USER_WEBHOOKS=true at launch allows them, and everybody who "
            "verifies this server sees that"
        )
    outside.request_blocking("POST", url, json=payload)
