"""Fetch one of Ollama's models: room first, resumed as often as the connection is lost, every blob compared at the end.

Ollama's own program fetches, on a port of its own and with the network that the serving one has not. What it has of a
blob it keeps (`OLLAMA_NOPRUNE`), so that each attempt goes on where the one before was cut off.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import ModifiedError, SettingError, UnavailableError
from .measure import model_store, ollama, ollama_program
from .plan import environment, settings
from .plan.effective import is_local
from .summary import say

MAX_MANIFEST = model_store.MAX_MANIFEST
SPARE = 1 << 30  # bytes that stay free beside the model
START_S = 60.0
SILENCE_S = 120.0  # without a line of progress for so long, the connection is lost
REPORT_S = 10.0


def pull(environ: Mapping[str, str], name: str) -> str:
    """The SHA-256 (hex) of the manifest of the model that is in the store afterwards. Raises LauncherError."""
    chosen = settings.load({key: value for key, value in environ.items() if key in settings.NAMES})
    store, binary = chosen.ollama_models, ollama_program.installed(chosen.ollama_binary)
    attempts, pause = _number(environ, "ATTEMPTS", 30), _number(environ, "RETRY_S", 10)
    _check_room(store, name, _wanted(name, environ))
    with _server(binary, store, environ) as url:
        _fetch(url, name, attempts, pause)
    model = model_store.load(store, name)
    if problems := model_store.verify(store, [model]):
        raise ModifiedError(problems[0].sentence)
    say(f"{model.name} is whole: {len(model.blobs)} blobs are what their names say; its digest is {model.digest}.")
    return model.digest


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name) or str(default)
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= 10_000:
        raise SettingError(f"{name}={value} is not a whole number from 1 to 10000.")
    return int(value)


def registry(name: str) -> tuple[str, bool]:
    """The registry's address for a model, and whether it is one on this machine, which is asked without TLS."""
    host = model_store.path_of(name).split("/", 1)[0]
    local = is_local(f"http://{host}")
    return f"{'http' if local else 'https'}://{host}", local


def _wanted(name: str, environ: Mapping[str, str]) -> dict[str, int]:
    """Sizes of the model's blobs by SHA-256, as its registry says."""
    _, namespace, model, tag = model_store.path_of(name).split("/")
    address = registry(name)[0]
    proxy = urllib.request.ProxyHandler(environment.proxies(environ) if not registry(name)[1] else {})
    accepted = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    asked = urllib.request.Request(f"{address}/v2/{namespace}/{model}/manifests/{tag}", headers=accepted)  # noqa: S310
    try:
        with urllib.request.build_opener(proxy).open(asked, timeout=30) as answer:
            return model_store.blobs_of(json.loads(answer.read(MAX_MANIFEST)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnavailableError(
            f"The registry {address} does not say what the model {name} consists of ({error}): check its name and the "
            "network. Nothing was changed."
        ) from error


def _check_room(store: Path, name: str, blobs: Mapping[str, int]) -> None:
    there = next(place for place in (store, *store.parents) if place.is_dir())
    missing = sum(max(0, size - _has(store, blob)) for blob, size in blobs.items())
    state = os.statvfs(there)
    free = state.f_bavail * state.f_frsize
    if missing and missing + SPARE > free:
        raise UnavailableError(
            f"The model {name} needs {missing / 1e9:.1f} GB more and {SPARE / 1e9:.1f} GB to spare on the disk of "
            f"{store}, and {free / 1e9:.1f} GB are free: make room, or use a larger disk. Nothing was changed."
        )
    say(f"{name}: {sum(blobs.values()) / 1e9:.2f} GB, of which {missing / 1e9:.2f} GB are to be fetched.")


def _has(store: Path, blob: str) -> int:
    """How many bytes of a blob are there: Ollama makes a partial one at its full size, with holes."""
    path = store / "blobs" / f"sha256-{blob}"
    if path.is_file():
        return path.stat().st_size
    partial = path.with_name(f"{path.name}-partial")
    return partial.stat().st_blocks * 512 if partial.is_file() else 0


@contextmanager
def _server(binary: Path, store: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """An Ollama that fetches, at an address of its own on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    own = {"OLLAMA_HOST": url[7:], "OLLAMA_MODELS": str(store), "OLLAMA_NOPRUNE": "1"}
    home = {"HOME": environ.get("HOME") or str(store.parent)}
    env = environment.base(environ) | environment.proxies(environ) | home | own
    process = subprocess.Popen([binary, "serve"], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        deadline = time.monotonic() + START_S
        while ollama.version(url) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise UnavailableError(f"{binary} serve does not answer; its own messages are above.")
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _fetch(url: str, name: str, attempts: int, pause: int) -> None:
    failed, furthest = 0, -1
    while True:
        progress = _Progress()
        try:
            for line in _ask(url, name):
                progress.take(line)
            if progress.done:
                return
            problem = "the stream ended early"
        except (OSError, ValueError) as error:
            problem = str(error)
        if progress.completed > furthest:  # it gets on: only attempts in vain are counted
            failed, furthest = 0, progress.completed
        failed += 1
        if failed >= attempts:
            raise UnavailableError(
                f"The model {name} could not be fetched in {attempts} attempts in a row ({problem}): check the network "
                "and do this again. What was fetched is kept, and it goes on from there."
            )
        say(f"Interrupted ({problem}); going on in {pause} s from what is there.")
        time.sleep(pause)


def _ask(url: str, name: str) -> Iterator[dict[str, Any]]:
    """The lines of `POST /api/pull`. Raises OSError, ValueError; an `error` line is a ValueError."""
    body = json.dumps({"model": name, "stream": True, "insecure": registry(name)[1]}).encode()
    asked = urllib.request.Request(f"{url}/api/pull", body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=SILENCE_S) as answer:
        for raw in answer:
            line = json.loads(raw)
            if not isinstance(line, dict) or "error" in line:
                raise ValueError(str(line.get("error") if isinstance(line, dict) else line)[:300])
            yield line


class _Progress:
    """What one attempt has got so far, told every few seconds."""

    def __init__(self) -> None:
        self.done = False
        self._layers: dict[str, tuple[int, int]] = {}
        self._told = time.monotonic()

    @property
    def completed(self) -> int:
        return sum(got for got, _ in self._layers.values())

    def take(self, line: Mapping[str, Any]) -> None:
        if line.get("status") == "success":
            self.done = True
        if "digest" in line and isinstance(line.get("total"), int):
            self._layers[str(line["digest"])] = (int(line.get("completed") or 0), line["total"])
        if time.monotonic() - self._told >= REPORT_S and self._layers:
            self._told = time.monotonic()
            total = sum(size for _, size in self._layers.values())
            say(f"{self.completed / 1e9:.2f} of {total / 1e9:.2f} GB ({100 * self.completed // max(total, 1)} %)")
