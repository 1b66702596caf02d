"""What answers chats, as far as a plan knows it: where the embedded model listens is known only once it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .events import Event

# Stands in the plan, and in the `settings` event, for addresses that the kernel chooses when the server starts.
EMBEDDED = "<embedded>"


@dataclass(frozen=True)
class Measured:
    """The Ollama that was measured: its program and libraries by SHA-384 (hex, "" for none), and the process that
    answered then: its id, and its executable's device and inode. `inside`: the launcher started it inside the fence."""

    sha384: str
    libraries: str
    answering: tuple[int, int, int]
    inside: bool = False


@dataclass(frozen=True)
class ModelServer:
    """What answers chats. `kind` is `ollama`, `embedded` or `none`; `key` is the embedded server's."""

    kind: str
    key: str = field(default="", repr=False)
    weights: Path | None = None
    models: tuple[str, ...] = ()
    ollama: Measured | None = None  # only this one gets a word; None for one that cannot be measured

    @property
    def default_model(self) -> str:
        """The model that a new chat begins with; empty if there is none."""
        return self.models[0] if self.models else ""


@dataclass(frozen=True)
class Prepared:
    """The model server, its events, and which models may be chatted with.

    `allowed` is None where the launch cannot know (an Ollama elsewhere, a service of the operator's).
    """

    server: ModelServer
    events: tuple[Event, ...] = ()
    allowed: dict[str, str] | None = None


def model_name(weights: Path) -> str:
    """`SmolLM2-135M-Instruct.Q4_1.gguf` is served as `SmolLM2-135M-Instruct`."""
    return weights.name.removesuffix(".gguf").split(".")[0]
