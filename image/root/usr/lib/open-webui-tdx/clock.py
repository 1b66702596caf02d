"""No service without the time: certificates, sessions and what is written down need a clock that somebody has set.

It waits until systemd-timesyncd has set the clock, unless the configuration says `"clock": "host"`: then the clock is
what the host gave the machine. Neither is proof against a host, which decides the network, too: time is asked for
without authentication. It is proof against a clock that nobody set.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

#: What configure.py wrote: `synchronised` or `host`.
CHOSEN = Path("/run/open-webui-tdx-config/clock")
#: systemd-timesyncd makes it when it has set the clock (systemd-timesyncd.service(8)).
SYNCHRONISED = Path("/run/systemd/timesync/synchronized")
WAIT_S = 120.0
_STEP_S = 0.5


def wait(there: Callable[[], bool], seconds: float, pause: Callable[[float], None] = time.sleep) -> bool:
    """Whether it was there within that time."""
    for _ in range(round(seconds / _STEP_S)):
        if there():
            return True
        pause(_STEP_S)
    return there()


def main() -> int:
    """Wait for the clock; one line on the console says whose it is. 2 where nobody set it."""
    if CHOSEN.read_text(encoding="utf-8") == "host":
        print(
            f"open-webui-tdx image: the host's clock is trusted, as configured: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        )
        return 0
    if wait(SYNCHRONISED.exists, WAIT_S):
        print(f"open-webui-tdx image: the clock is synchronised: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
        return 0
    print(
        f"open-webui-tdx image: no time server answered within {WAIT_S:.0f} s, and the clock says "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC. Nothing is served; let the machine reach a time server (NTP), "
        'or have the configuration say "clock": "host" and start again.',
        file=sys.stderr,
    )
    return 2


if __name__ == "__main__":
    sys.exit(main())
