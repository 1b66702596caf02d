"""Which settings of TLS go together."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import SettingError

if TYPE_CHECKING:
    from .settings import Settings


def check(settings: Settings) -> None:
    """Raises SettingError."""
    files = bool(settings.tls_cert_file), bool(settings.tls_key_file)
    if settings.tls == "files" and not all(files):
        raise SettingError(
            "TLS=files needs TLS_CERT_FILE and TLS_KEY_FILE, the certificate with its chain and the key."
        )
    if settings.tls != "files" and any(files):
        raise SettingError(f"TLS_CERT_FILE or TLS_KEY_FILE is set, but TLS is {settings.tls}: set TLS=files.")
    if settings.tls == "acme":
        _check_acme(settings)
    if settings.tls == "off" and settings.http_port is not None:
        raise SettingError("HTTP_PORT only redirects to https, but TLS is off: set TLS, or take HTTP_PORT away.")
    if settings.tls != "off" and settings.origin and not settings.origin.startswith("https://"):
        raise SettingError(f"ORIGIN={settings.origin} is not an https address, but TLS is {settings.tls}.")


def _check_acme(settings: Settings) -> None:
    host = urlsplit(settings.origin).hostname or ""
    if "." not in host or ":" in host or host.replace(".", "").isdigit():
        raise SettingError("TLS=acme needs ORIGIN=https://<name>, with the DNS name that the certificate is to be for.")
    if not settings.acme_directory.startswith("https://"):
        raise SettingError(f"ACME_DIRECTORY={settings.acme_directory} is not an https address.")
    if settings.redirect_port == 0:
        raise SettingError(
            "HTTP_PORT=0 leaves the CA nothing to ask: TLS=acme needs port 80, or one it is passed on to."
        )
