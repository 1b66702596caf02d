"""The attester: the one process that opens the TDX device. A nonce in, evidence out, over a Unix socket.

    python -m quote_generator.attester --socket PATH [--release-digest HEX] [--origin URL] [--event-log DIR] ...

The socket appears when the attester is ready. Exit codes: 0 after SIGTERM or SIGINT, 1 for a failure, 2 for usage.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import os
import signal
import socket
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from . import bindings, boot_log
from .errors import TdxAttestError
from .eventlog import EventLogError
from .evidence import EvidenceSource
from .files import beside
from .quoting import tee_kind
from .runtime_data import RuntimeData
from .service import Limits, Service

log = logging.getLogger("quote_generator.attester")


class StartError(Exception):
    """The attester cannot start; the message is one sentence."""


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line, read."""
    parser = argparse.ArgumentParser("python -m quote_generator.attester", description=__doc__.splitlines()[0])
    parser.add_argument("--socket", required=True, type=Path, metavar="PATH", help="where to listen")
    parser.add_argument("--release-digest", metavar="HEX", help="SHA-384 of release.json, bound into every quote")
    parser.add_argument("--origin", metavar="URL", help="the public origin, bound into every quote")
    parser.add_argument(
        "--bind-fd",
        type=int,
        action="append",
        default=[],
        metavar="N",
        help="an inherited connection over which its holder says what else quotes are bound to (bindings.py)",
    )
    parser.add_argument("--await-binding", action="store_true", help="listen only once something was bound")
    parser.add_argument("--key-broker", action="store_true", help="make a key broker's quotes for these connections")
    parser.add_argument("--event-log", type=Path, metavar="DIR", help="the folder of the event log")
    parser.add_argument(
        "--allow-uid", type=int, action="append", default=[], metavar="N", help="a user who may ask, beside our own"
    )
    parser.add_argument("--socket-gid", type=int, metavar="N", help="group of the socket, which then has mode 0660")
    parser.add_argument("--ready-fd", type=int, metavar="N", help="a line is written to this descriptor when ready")
    return parser.parse_args(argv)


def listen(path: Path, owner: int, group: int | None) -> socket.socket:
    """A listening socket at `path`, mode 0600 (0660 with a group). It is renamed into place with its final mode."""
    clear_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old_umask = os.umask(0o177)
    try:
        with beside(path) as fresh:
            listener.bind(str(fresh))
            if owner != os.geteuid() or group is not None:
                os.chown(fresh, owner, -1 if group is None else group)
            fresh.chmod(0o600 if group is None else 0o660)
            listener.listen(128)
    except OSError as error:
        listener.close()
        raise StartError(f"cannot listen at {path}: {error.strerror or error}") from None
    finally:
        os.umask(old_umask)
    return listener


def clear_stale(path: Path) -> None:
    """Raises StartError if something lives at `path`; a socket that nobody listens at is left to be replaced."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise StartError(f"{path} exists and is no socket; remove it or choose another --socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        if (code := probe.connect_ex(str(path))) in (0, errno.EAGAIN):
            raise StartError(f"another attester is listening at {path}")
        log.info("replacing the stale socket %s (%s)", path, os.strerror(code))


def socket_owner(allowed: Sequence[int], group: int | None) -> int:
    """Who must own the socket so that the allowed users can open it."""
    others = sorted(set(allowed) - {0, os.geteuid()})
    if not others or group is not None:
        return os.geteuid()
    if len(others) > 1:
        raise StartError("several --allow-uid need --socket-gid, a group that all these users are in")
    if os.geteuid() != 0:
        raise StartError("--allow-uid of another user needs root, or --socket-gid")
    return others[0]


async def first_binding(bound: asyncio.Event, stop: asyncio.Event, channels: Sequence[asyncio.Task[None]]) -> bool:
    """Whether something was bound before `stop`. Raises StartError if all who could bind have gone."""
    gone = asyncio.gather(*channels)
    waits = [asyncio.ensure_future(one) for one in (bound.wait(), stop.wait(), gone)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for one in waits[:2]:
        one.cancel()
    if not bound.is_set() and not stop.is_set():
        raise StartError("the --bind-fd connections ended before anything was bound")
    return bound.is_set()


async def serve(runtime_data: RuntimeData, options: argparse.Namespace) -> None:
    """From the signal handlers on, so that no stop can come too early to clean up, to the removal of the socket."""
    tee = tee_kind()
    owner = socket_owner(options.allow_uid, options.socket_gid)
    stop, bound = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    inherited = bindings.inherited(options.bind_fd)
    heard = [bindings.hear(one, runtime_data, bound.set, options.key_broker) for one in inherited]
    channels = [loop.create_task(one) for one in heard]
    if not options.await_binding or await first_binding(bound, stop, channels):
        await listen_until(stop, EvidenceSource(runtime_data, options.event_log), owner, tee, options)
    log.info("stopped")


async def listen_until(
    stop: asyncio.Event, source: EvidenceSource, owner: int, tee: str, options: argparse.Namespace
) -> None:
    """The socket's life."""
    allowed = frozenset({0, os.geteuid(), *options.allow_uid})
    service = Service(source.evidence, allowed, Limits(), boot_log.find(tee == "tdx-simulated"))
    listener = listen(options.socket, owner, options.socket_gid)
    ours = options.socket.lstat().st_ino
    log.info("%s: listening at %s", tee, options.socket)
    try:
        if options.ready_fd is not None:
            os.write(options.ready_fd, b"ready\n")
            os.close(options.ready_fd)
        await service.run(listener, stop)
    finally:
        if options.socket.exists() and options.socket.lstat().st_ino == ours:
            options.socket.unlink()


def run(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    if options.await_binding and not options.bind_fd:
        raise ValueError("--await-binding needs a --bind-fd, over which to wait")
    asyncio.run(serve(RuntimeData(options.release_digest, options.origin), options))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the attester; a failure to start is one sentence and exit code 1."""
    options = arguments(argv)
    logging.basicConfig(level=logging.INFO, format="attester: %(message)s", stream=sys.stderr)
    try:
        run(options)
    except (StartError, ValueError) as error:
        print(f"attester: {error}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    except (TdxAttestError, EventLogError, OSError) as error:
        print(f"attester: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    os._exit(status)  # a call that hangs in the device must not keep the process alive
