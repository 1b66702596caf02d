"""What of earlier boots lies in the encrypted data: the drawn TLS key, and what ACME needs. Taken up once that is open.

While the data is locked the door shows a key of this boot alone, with a certificate that nobody signed: the owner's
message is sealed, whoever ends TLS. No certificate is ordered for that key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from .binding import Binder, BindError
from .keeping import KEY, LASTING, Keep, KeepError
from .tls import Certificates, TlsError


async def take_up(kept: Mapping[str, str], certificates: Certificates | None, keep: Keep, binder: Binder) -> str:
    """Show the key of earlier boots from the next handshake on, and have it bound before. Why not, or ""."""
    pem = kept.get(KEY, "")
    if certificates is None or not pem:
        return ""
    try:
        made = Certificates(pem.encode(), certificates.names, certificates.kind)
        made.self_sign()
        if made.spki_sha256 != certificates.spki_sha256:
            await asyncio.to_thread(binder.bind, tls=made.bound)
        for name in LASTING:
            if kept.get(name, "") != keep.get(name):
                keep.put(name, kept.get(name, ""))
    except (TlsError, BindError, KeepError) as error:
        return f"The TLS key that lies in the encrypted data is not used, and this boot's stays. {error}"
    certificates.take(made)
    return ""
