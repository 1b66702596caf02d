"""Show another key and certificate that the launcher read from files (TLS=files), without ending a connection."""

from __future__ import annotations

import asyncio

from .binding import Binder, BindError
from .telling import Teller
from .tls import Certificates, TlsError


async def listen(certificates: Certificates, teller: Teller, binder: Binder | None) -> None:
    """Replace what is shown by what is given, each time, until the launcher is gone."""
    async for pair in teller.given():
        await replace(certificates, pair, teller, binder)


async def replace(certificates: Certificates, pair: dict[str, str], teller: Teller, binder: Binder | None) -> None:
    """Show the key and certificate in `pair` from the next handshake on, and have the attester bind the key before.

    What does not fit, or is not bound, is said, and what was shown stays.
    """
    try:
        made = Certificates(pair["key"].encode(), certificates.names, certificates.kind)
        made.install(pair["chain"].encode())
        same = made.spki_sha256 == certificates.spki_sha256
        if binder and not same:
            await asyncio.to_thread(binder.bind, tls=made.bound)
    except (TlsError, BindError) as error:
        teller.warn(f"The certificate that was read anew is not used, and the old one stays. {error}")
        return
    certificates.take(made)
    whose = "for the same key as before" if same else "for another key, which every quote binds from now on"
    teller.say(f"The certificate that was read anew is in use, {whose}, until {made.not_after:%Y-%m-%d %H:%M} UTC.")
