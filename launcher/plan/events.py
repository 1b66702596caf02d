"""The lines of the event log to be: what each operation says (docs/design.md, "Event log").

Nothing here touches a register; `launcher.measure.registers` does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quote_generator import aael

from . import data_settings
from .settings import Settings

# A log is read by people: a release that differs in more files than this is named by one digest over all of them.
MAX_NAMED = 32


@dataclass(frozen=True)
class Difference:
    """What a release folder has instead of what was built: relative path to a few words, and the new digest or None."""

    path: str
    what: str
    sha384: str | None


@dataclass(frozen=True)
class Event:
    """One line of the event log to be: an operation and its content (JSON object)."""

    operation: str
    content: Mapping[str, Any]

    @property
    def line(self) -> str:
        """The exact AAEL line, without a line break."""
        return aael.format_line(self.operation, self.content)


def release_events(digest: str, differences: Sequence[Difference]) -> list[Event]:
    """`release` (the manifest's SHA-384), and `modified` if the folder is not what the manifest says."""
    found = [Event("release", {"sha384": digest})]
    if differences:
        text = "".join(f"{item.path}\0{item.what}\0{item.sha384 or ''}\n" for item in differences)
        found.append(
            Event(
                "modified",
                {
                    "count": len(differences),
                    "sha384": hashlib.sha384(text.encode("utf-8", "surrogateescape")).hexdigest(),
                    "files": [
                        {
                            "path": item.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
                            "what": item.what,
                        }
                        | ({"sha384": item.sha384} if item.sha384 else {})
                        for item in differences[:MAX_NAMED]
                    ],
                },
            )
        )
    return found


def python_event(found: Mapping[str, str]) -> Event:
    """`python`: version, SHA-384 of the interpreter, one digest over its standard library."""
    return Event("python", found)


def site_event(
    settings: Settings, endpoints: Sequence[Mapping[str, str]], admin_access: bool, egress: str | list[str]
) -> Event:
    """`site`: what a site chooses for itself, so that no build can know its line; verifiers judge it by rule.

    Its `origin`, where people reach it, or ""; `tls`: how it ends in here, or `off`; `endpoints`: everything that
    leaves this machine, by setting; `admin_access`: whether administrators can read what others wrote; `egress`: what
    holds that nothing else leaves (`plan.egress.Egress.said`); `data_owner`, where the data is encrypted: the Ed25519
    public key (base64url) of who may have it opened; `data_trustee`, where its key comes from a Trustee: the address
    that is asked for it.
    """
    leading = [dict(each) for each in endpoints]
    content = {"origin": settings.origin, "tls": settings.tls, "endpoints": leading, "admin_access": admin_access}
    said = {"data_owner": settings.data_owner, "data_trustee": data_settings.trustee(settings)}
    return Event("site", content | {"egress": egress} | {name: value for name, value in said.items() if value})


def encryption_event(name: str, version: str, sha384: str) -> Event:
    """`gocryptfs`, or `cryptsetup` for a volume: what encrypts what is kept, by its version and SHA-384 (hex)."""
    content = {"version": version, "sha384": sha384}
    return Event("cryptsetup", content) if name == "cryptsetup" else Event("gocryptfs", content)


def embedded_events(engine: str, model: str, weights: str) -> list[Event]:
    """`llm` (the engine's library) and `model` (its name and weights), by their SHA-384 (hex)."""
    return [
        Event("llm", {"engine": "xllamacpp", "sha384": engine}),
        Event("model", {"name": model, "digest": f"sha384:{weights}"}),
    ]


def ollama_event(version: str, sha384: str, libraries: str) -> Event:
    """`ollama`: its version, the SHA-384 of the binary that answers, one digest over its libraries (or "")."""
    return Event("ollama", {"version": version, "sha384": sha384, "libraries": libraries})


def model_event(name: str, digest: str, broken: Sequence[str] = ()) -> Event:
    """`model`: the name as Ollama shows it and its manifest's SHA-256 (hex), which names every blob in turn.

    `broken` is there only where a launch with --allow-modified serves blobs that are not what their names say.
    """
    content = {"name": name, "digest": f"sha256:{digest}"}
    return Event("model", content | ({"broken": list(broken)} if broken else {}))


def code_event(kind: str, identifier: str, content: str) -> Event:
    """`tool` or `function`: administrators' Python, by the SHA-384 of its UTF-8 text."""
    return Event(kind, {"id": identifier, "sha384": hashlib.sha384(content.encode()).hexdigest()})


def account_event(name: str) -> Event:
    """`account`: the web server can reach the TDX device, which it should not."""
    return Event("account", {"web_server": name})


def rtmr3(events: Sequence[Event]) -> str:
    """RTMR 3 (hex) after a first launch that measures exactly these events: INIT before them, `launch` after them."""
    plan = [event.line for event in events]
    lines = [aael.INIT_LINE, *plan]
    closing = aael.format_line(aael.LAUNCH, aael.launch_content(lines, plan))
    return aael.replay_lines([*lines, closing]).hex()
