"""Starts the built release once, asks it for a quote, and stops it: whether what was built runs at all."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import urllib.request
from pathlib import Path

from scripts.config import Config
from scripts.errors import CommandError, MissingError
from scripts.run import Runner

READY = "Ctrl-C stops it"  # the last line that the launcher prints when everything serves
START_S = 300.0
STOP_S = 60.0


def try_release(cfg: Config, run: Runner) -> str:
    """One sentence about what answered; MissingError without a release, CommandError if it fails at any of it."""
    launcher = cfg.release / "open-webui-tdx"
    if not launcher.is_file():
        raise MissingError(f"{launcher} is not there; run `make build` first.")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="open-webui-tdx.try.") as data:
        settings = {**os.environ, "DATA_DIR": data, "HOST": "127.0.0.1", "PORT": str(port), "PYTHON": str(cfg.python)}
        process = subprocess.Popen(
            [launcher],
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        late = threading.Timer(START_S, process.kill)
        late.start()
        try:
            _until_ready(process, run)
            answer = _quote(port)
        finally:
            late.cancel()
            process.send_signal(signal.SIGTERM)
            rest, _ = process.communicate(timeout=STOP_S)
            run.log.open("a", encoding="utf-8").write(rest)
        if process.returncode:
            raise CommandError(
                f"The release left with exit status {process.returncode} when it was stopped; see {run.log}."
            )
    return f"{Path(launcher).parent.name} started with Python {cfg.python_version}, gave a {answer} quote, and stopped."


def _until_ready(process: subprocess.Popen[str], run: Runner) -> None:
    assert process.stdout is not None
    last = "nothing"
    with run.log.open("a", encoding="utf-8") as log:
        for line in process.stdout:
            log.write(line)
            last = line.strip() or last
            if READY in line:
                return
    raise CommandError(
        f"The release ended, or was ended after {START_S:.0f} s, before it was ready: {last} ({run.log})"
    )


def _quote(port: int) -> str:
    """The kind of TEE that the quote is of."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/tee/quote", timeout=30) as answer:
            evidence = json.load(answer)
    except (OSError, ValueError) as error:
        raise CommandError(f"The release answers no request for a quote: {error}.") from None
    return str(evidence["tee"])
