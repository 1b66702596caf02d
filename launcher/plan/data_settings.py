"""Which settings of the data's encryption go together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import SettingError

if TYPE_CHECKING:
    from .settings import Settings

#: An Ed25519 public key: 32 bytes in base64url without padding, whose last digit has two bits that are zero.
_OWNER = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
#: Settings of Open WebUI that lead what it keeps elsewhere. A verifier warns of one that leads off this machine; a
#: program of this machine would keep it on the same disk, in plain text, and nobody would see that.
_KEEPERS = (
    "DATABASE_URL",
    "REDIS_URL",
    "WEBSOCKET_REDIS_URL",
    "S3_ENDPOINT_URL",
    "AZURE_STORAGE_ENDPOINT",
    "CHROMA_HTTP_HOST",
    "MILVUS_URI",
    "QDRANT_URI",
    "OPENSEARCH_URI",
    "PGVECTOR_DB_URL",
)


def owner(name: str, value: str) -> str:
    """An Ed25519 public key in base64url without padding, or "". Raises SettingError."""
    if value and not _OWNER.fullmatch(value):
        raise SettingError(
            f"{name}={value} is no public key of an owner, as quote-verifier unlock --new-key prints it "
            "(32 bytes in base64url)."
        )
    return value


def check(settings: Settings, environ: Mapping[str, str]) -> None:
    """Raises SettingError."""
    if settings.data_key == "none":
        if settings.data_owner:
            raise SettingError("DATA_OWNER is set, but DATA_KEY is none, so nothing is encrypted: set DATA_KEY=unlock.")
        return
    if not settings.data_owner:
        raise SettingError(
            "DATA_KEY=unlock needs DATA_OWNER, the public key of who may open the data: make one with "
            "quote-verifier unlock --new-key data.key."
        )
    from .effective import is_local  # which stands on the settings itself

    for name in _KEEPERS:
        if environ.get(name) and is_local(environ[name]):
            raise SettingError(
                f"{name} keeps what people write outside of the encrypted folder, on this machine: take it away, or "
                "set DATA_KEY=none."
            )
