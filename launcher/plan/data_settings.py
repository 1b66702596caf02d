"""Which settings of the data's encryption go together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from data_unlock.outside import is_resource

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
    "ELASTICSEARCH_URL",
    "PGVECTOR_DB_URL",
)
#: Vector databases that are another program, which is asked on this machine where the setting names no address.
_PROGRAMS = {"opensearch": "OPENSEARCH_URI", "elasticsearch": "ELASTICSEARCH_URL"}


def owner(name: str, value: str) -> str:
    """An Ed25519 public key in base64url without padding, or "". Raises SettingError."""
    if value and not _OWNER.fullmatch(value):
        raise SettingError(
            f"{name}={value} is no public key of an owner, as quote-verifier unlock --new-key prints it "
            "(32 bytes in base64url)."
        )
    return value


def volume(name: str, value: str) -> str:
    """A block device's path, or "". Raises SettingError."""
    if value and not re.fullmatch(r"/dev/[A-Za-z0-9._:+/-]+", value):
        raise SettingError(f"{name}={value} is no block device's path, such as /dev/vdb.")
    return value


def resource(name: str, value: str) -> str:
    """Where a Trustee keeps the owner's grant, as `repository/type/tag`, or "". Raises SettingError."""
    if value and not is_resource(value):
        raise SettingError(f"{name}={value} is no resource of a Trustee, such as default/open-webui/data-key.")
    return value


def trustee(settings: Settings) -> str:
    """The address that a Trustee is asked for the owner's grant at, or "": what the launch measures."""
    return f"{settings.trustee_url}/kbs/v0/resource/{settings.trustee_resource}" if settings.trustee_url else ""


def _check_trustee(settings: Settings) -> None:
    given = {
        "DATA_TRUSTEE_URL": settings.trustee_url,
        "DATA_TRUSTEE_RESOURCE": settings.trustee_resource,
        "DATA_TRUSTEE_CA_FILE": settings.trustee_ca_file,
    }
    if settings.data_key != "trustee":
        for name in (name for name, value in given.items() if value):
            raise SettingError(f"{name} is set, but DATA_KEY is {settings.data_key}: set DATA_KEY=trustee.")
        return
    for name in ("DATA_TRUSTEE_URL", "DATA_TRUSTEE_RESOURCE"):
        if not given[name]:
            raise SettingError(
                f"DATA_KEY=trustee needs {name}: the address of your Trustee, and where in it the grant is."
            )


def check(settings: Settings, environ: Mapping[str, str]) -> None:
    """Raises SettingError."""
    _check_trustee(settings)
    if settings.data_key == "none":
        if settings.data_owner:
            raise SettingError("DATA_OWNER is set, but DATA_KEY is none, so nothing is encrypted: set DATA_KEY=unlock.")
        if settings.data_volume:
            raise SettingError(
                "DATA_VOLUME is set, but DATA_KEY is none, so nothing is encrypted: set DATA_KEY=unlock."
            )
        return
    if not settings.data_owner:
        raise SettingError(
            f"DATA_KEY={settings.data_key} needs DATA_OWNER, the public key of who may open the data: make one with "
            "quote-verifier unlock --new-key data.key."
        )
    from .effective import is_local  # which stands on the settings itself

    for name in _KEEPERS:
        if environ.get(name) and is_local(environ[name]):
            raise SettingError(
                f"{name} keeps what people write outside of the encrypted folder, on this machine: take it away, or "
                "set DATA_KEY=none."
            )
    needed = _PROGRAMS.get(environ.get("VECTOR_DB", ""))
    if needed and not environ.get(needed):
        raise SettingError(
            f"VECTOR_DB={environ['VECTOR_DB']} keeps what people write in a program of this machine, outside of the "
            f"encrypted folder: name another machine's with {needed}, take VECTOR_DB away, or set DATA_KEY=none."
        )
    if environ.get("ELASTICSEARCH_CLOUD_ID"):
        raise SettingError(
            "ELASTICSEARCH_CLOUD_ID keeps what people write at an address that no launch can name to them: give it as "
            "ELASTICSEARCH_URL, or set DATA_KEY=none."
        )
