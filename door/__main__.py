"""Entry of the door: `python -m door CONFIG listen=N,.. keep=N [bind=N] [talk=N] [http=N,..]`, started by the launcher.

`CONFIG` is one JSON object (door/config.py), the numbers are open files. It has the attester bind its key, waits for
one line of JSON on its standard input, the variables of the environment that only a running launch knows, and serves.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from functools import partial

from . import keys, protecting
from .binding import Binder, BindError
from .channel.keys import Keys
from .config import Config, Descriptors
from .keeping import Keep, KeepError
from .locking import Lock
from .protecting import ExposedError
from .tls import Certificates, TlsError


def main() -> int:
    """Serve until SIGTERM. Every known failure is one sentence on standard error and exit code 1."""
    try:
        protecting.harden()
        config, given = Config.parse(sys.argv[1]), Descriptors.parse(sys.argv[2:])
        keep = Keep(given.keep)
        certificates = keys.certificates(config.tls, config.names, keep)
        channel = Keys() if config.channel != "off" else None
        binder = Binder(given.bind) if given.bind >= 0 else None
        lock = Lock(config.data, socket.socket(fileno=given.unlock), binder) if given.unlock >= 0 and binder else None
        if binder:
            more = {"unlock": lock.bound} if lock else {}
            more |= {"channel": channel.bound} if channel else {}
            tls = certificates.bound if certificates else None
            binder.bind(tls=tls, data=config.data, **more)
        return serve(config, given, keep, certificates, channel, binder, lock)
    except (TlsError, KeepError, BindError, ExposedError) as error:
        print(error, file=sys.stderr)
        return 1


def serve(
    config: Config,
    given: Descriptors,
    keep: Keep,
    certificates: Certificates | None,
    channel: Keys | None,
    binder: Binder | None,
    lock: Lock | None,
) -> int:
    """Load what takes long, wait to be told, serve."""
    from . import app, beside, connections, granting, serving

    told = sys.stdin.buffer.readline()
    if not told:
        print("The launcher ended before it said what to serve.", file=sys.stderr)
        return 1
    if lock and binder:
        lock.take_up = partial(_take_up, certificates, keep, binder)
    application = app.build(config, {**os.environ, **json.loads(told)}, channel, lock)
    most = min(connections.MAX_SOCKETS, protecting.open_files() // 2 - 64)  # each may need one to the web server
    door = serving.Door(
        serving.configuration(application, most),
        certificates,
        [
            *beside.tasks(config, given, keep, certificates, binder, lock.opened if lock else None),
            *beside.rotation(channel, binder),
            *([lock.hear] if lock else []),
            *granting.tasks(config, keep, binder, lock),
        ],
    )
    door.run([socket.socket(fileno=number) for number in given.listen])
    return 0


async def _take_up(certificates: Certificates | None, keep: Keep, binder: Binder, kept: dict[str, str]) -> None:
    from .taking_up import take_up

    problem = await take_up(kept, certificates, keep, binder)
    if problem:
        print(problem, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
