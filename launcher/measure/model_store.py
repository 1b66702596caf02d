"""Measure the models of an Ollama on this machine, from its store on the disk.

A model is a manifest (JSON, named by host, namespace, model and tag) and blobs, each named by its own SHA-256. The
manifest's SHA-256 is the digest that Ollama shows for a model. Each blob is read once and compared with its name.

    <store>/manifests/<host>/<namespace>/<model>/<tag>
    <store>/blobs/sha256-<64 hex digits>
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModifiedError, SettingError, UnavailableError, reason
from . import hashing

HOST, NAMESPACE, TAG = "registry.ollama.ai", "library", "latest"
MAX_MANIFEST = 4 * 1024 * 1024
_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_])?")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?(?::[0-9]{1,5})?")


@dataclass(frozen=True)
class Model:
    """A model of the store: the name Ollama shows, its manifest's SHA-256 (hex), sizes of its blobs by SHA-256."""

    name: str
    digest: str
    blobs: dict[str, int]


def path_of(name: str) -> str:
    """The manifest's path below `manifests` for a model's name. Raises SettingError for anything that is no name."""
    rest, host = name, HOST
    parts = rest.split("/")
    if len(parts) == 3:
        host, parts = parts[0], parts[1:]
    namespace = parts[0] if len(parts) == 2 else NAMESPACE
    model, colon, tag = parts[-1].partition(":")
    tag = tag if colon else TAG
    ok = len(parts) <= 2 and _HOST.fullmatch(host) and all(_PART.fullmatch(part) for part in (namespace, model, tag))
    if not ok or ".." in name:
        raise SettingError(f"{name!r} is not the name of a model, such as llama3.1:8b.")
    return f"{host}/{namespace}/{model}/{tag}"


def canonical(name: str) -> str:
    """The name with its tag, as Ollama lists it (`llama3` is `llama3:latest`)."""
    path_of(name)
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:{TAG}"


def load(store: Path, name: str) -> Model:
    """Read a model's manifest. Raises UnavailableError where there is none, ModifiedError where it is broken."""
    path = store / "manifests" / path_of(name)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            data = file.read(MAX_MANIFEST + 1)
    except FileNotFoundError:
        raise UnavailableError(
            f"The model {name} is not in Ollama's store {store}: pull it (ollama pull {name}), "
            "or name the store with OLLAMA_MODELS."
        ) from None
    except OSError as error:
        raise UnavailableError(
            f"The manifest of the model {name} at {path} cannot be read: {reason(error)}."
        ) from error
    try:
        if len(data) > MAX_MANIFEST:
            raise ValueError("it is too large")
        blobs = blobs_of(json.loads(data))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModifiedError(
            f"The manifest of the model {name} at {path} is broken: {error}. Pull the model again."
        ) from error
    return Model(canonical(name), hashlib.sha256(data).hexdigest(), blobs)


def blobs_of(document: Any) -> dict[str, int]:
    """Sizes of a manifest's blobs by SHA-256 (hex). Raises ValueError, KeyError, TypeError for anything else."""
    found: dict[str, int] = {}
    for layer in [document["config"], *document["layers"]]:
        digest, size = layer["digest"], layer["size"]
        if not isinstance(digest, str) or not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise ValueError(f"{digest!r} is not a SHA-256")
        if type(size) is not int or size < 0:
            raise ValueError(f"the layer {digest} has no size")
        if found.setdefault(digest[7:], size) != size:
            raise ValueError(f"the layer {digest} has two sizes")
    return found


@dataclass(frozen=True)
class Problem:
    """A blob that is not what its name says: a sentence, and the SHA-256 it has instead (hex, or "")."""

    model: str
    sentence: str
    sha256: str


def verify(store: Path, models: Iterable[Model], check: Callable[[], None] = lambda: None) -> list[Problem]:
    """Read every blob of `models` once and compare it with its name; what does not hold, in order of blobs."""
    sizes: dict[str, int] = {}
    owners: dict[str, str] = {}
    for model in models:
        sizes.update(model.blobs)
        owners.update((blob, model.name) for blob in model.blobs)
    paths = {store / "blobs" / f"sha256-{blob}": blob for blob in sizes}
    with hashing.progress("Measuring models", sum(sizes.values()), check) as tick:
        results = hashing.digest_files(paths, "sha256", tick)
    found = []
    for path, result in sorted(results.items()):
        blob = paths[path]
        name = owners[blob]
        if isinstance(result, FileNotFoundError):
            found.append(Problem(name, f"The model {name} lacks its blob {path}: pull the model again.", ""))
        elif isinstance(result, OSError):
            found.append(Problem(name, f"The blob {path} of the model {name} cannot be read: {reason(result)}.", ""))
        elif result.size != sizes[blob] or result.hex != blob:
            found.append(
                Problem(
                    name,
                    (
                        f"The blob {path} of the model {name} is not what its name says (its SHA-256 is {result.hex}): "
                        "remove the model and pull it again."
                    ),
                    result.hex,
                )
            )
    return found
