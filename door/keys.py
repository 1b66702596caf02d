"""Which key the door has: drawn in this boot, or given in files."""

from __future__ import annotations

from datetime import datetime

from .keeping import CHAIN, KEY, Keep
from .tls import Certificates, TlsError, draw


def certificates(mode: str, names: tuple[str, ...], keep: Keep, now: datetime | None = None) -> Certificates | None:
    """The key for `mode` (a value of the setting TLS), and the certificate as far as there is one; None for `off`.

    A drawn key is the same for a whole boot. With `acme` the certificate is a self-signed one until a CA's is there.
    Raises TlsError, KeepError.
    """
    if mode == "off":
        return None
    if mode == "files":
        given = Certificates(keep.get(KEY).encode(), names, "given")
        given.install(keep.get(CHAIN).encode(), now)
        return given
    drawn = _drawn(names, keep)
    drawn.self_sign(now)
    return drawn


def _drawn(names: tuple[str, ...], keep: Keep) -> Certificates:
    kept = keep.get(KEY)
    if kept:
        try:
            return Certificates(kept.encode(), names, "drawn")
        except TlsError:
            pass  # cut short by a kill: a new key takes its place, and is bound
    drawn = Certificates(draw(), names, "drawn")
    keep.put(KEY, drawn.key_pem.decode("ascii"))
    return drawn
