"""Run one stand-in until it is told to stop (SIGTERM, SIGINT)."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from .server import StandIn
from .tokens import FAULTS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.standins", description=__doc__)
    parser.add_argument("service", choices=("alibaba", "trustee"))
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--shape", choices=("old", "new"), default="new", help="the Trustee generation")
    parser.add_argument("--fault", choices=tuple(FAULTS), help="misbehave in this way")
    parser.add_argument("--ready-file", type=Path, help="gets the URL once it answers")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with StandIn(options.service, port=options.port, shape=options.shape, fault=options.fault) as service:
        print(service.url, flush=True)
        if options.ready_file:
            beside = options.ready_file.with_name(options.ready_file.name + ".new")
            beside.write_text(service.url + "\n")
            beside.replace(options.ready_file)
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
