"""What a door that requires the channel answers outside of it: what everybody may read, and nothing of anybody's.

The release's static files, attestation, whether the service runs, and what CAs ask. Nothing else of a request that
comes outside is looked at, or reaches the web server.
"""

from __future__ import annotations

from attestation.policies import PROGRAMS
from starlette.types import Scope

from ..challenges import reserved
from .requests import INSIDE

ATTESTATION = "/api/v1/tee"
#: Below it, what is not here is the web server's: who becomes the first administrator (open_webui/tee/first.py).
ADMINISTRATOR = f"{ATTESTATION}/administrator"
HEALTH = "/health"
#: Where a provider sends people back: a page that they leave and come to outside.
PROVIDERS = "/oauth/"

OUTSIDE = (
    "This service takes requests only through its encrypted channel (TEE_CHANNEL=require): "
    "use its pages in a browser, or quote-verifier connect for programs."
)
PROVIDER = (
    "Signing in with another provider leads outside of the encrypted channel, which this service requires "
    "(TEE_CHANNEL=require): sign in with a password."
)


def refusal(scope: Scope) -> str:
    """Why this request is not answered, in one sentence; "" if it is."""
    path: str = scope["path"]
    if path.startswith(PROVIDERS):  # inside, too: the way back is outside
        return PROVIDER
    if scope.get(INSIDE):
        return ""
    return OUTSIDE if scope["type"] == "websocket" or not _public(path) else ""


def _public(path: str) -> bool:
    attested = path.startswith(f"{ATTESTATION}/") and path != ADMINISTRATOR
    return attested or path == HEALTH or reserved(path) or not path.startswith(PROGRAMS)
