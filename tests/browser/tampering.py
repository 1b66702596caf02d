"""A man in the middle: passes the server's own answers on, changed in exactly one thing.

It stands in the browser's network layer, so everything behind it (the page, its worker, the guard) is what a release
ships, and everything before it is the running server.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import rfc8785
from playwright.sync_api import BrowserContext, Route

from simulator.quotes import make_quote

Document = dict[str, Any]
Change = Callable[[Document], Document]

# A name of this machine that does not look like it: the browser resolves it to 127.0.0.1.
FAR = "chat.example"

# Where the TD 1.0 body lies in a version 4 quote, and its fields (offset in the body, size in bytes).
BODY = 48
FIELDS = {
    "mr_seam": (16, 48),
    "td_attributes": (120, 8),
    "xfam": (128, 8),
    "mr_td": (136, 48),
    "rtmr_0": (328, 48),
    "rtmr_1": (376, 48),
    "rtmr_2": (424, 48),
    "rtmr_3": (472, 48),
}


def field(quote: str, name: str) -> bytes:
    """A field of a version 4 quote in hex."""
    at, size = FIELDS[name]
    return bytes.fromhex(quote)[BODY + at : BODY + at + size]


def platform_of(quote: str) -> dict[str, str]:
    names = ("mr_td", "rtmr_0", "rtmr_1", "rtmr_2", "xfam", "td_attributes", "mr_seam")
    return {name: field(quote, name).hex() for name in names}


def remade(evidence: Document, *, runtime_data: Document | None = None, **changes: Any) -> Document:
    """The same evidence with a quote made anew under the test root: same registers, bound to the runtime data.

    `changes` go to the simulator's `make_quote` (`fault`, `td_attributes`, `rtmrs`, ...).
    """
    data = evidence["runtime_data"] if runtime_data is None else runtime_data
    rtmrs = tuple(field(evidence["quote"], f"rtmr_{index}") for index in range(4))
    same = {name: field(evidence["quote"], name) for name in ("mr_td", "td_attributes", "xfam", "mr_seam")}
    quote = make_quote(hashlib.sha384(rfc8785.dumps(data)).digest(), **{"rtmrs": rtmrs, **same, **changes})
    return {**evidence, "runtime_data": data, "quote": quote.hex()}


_changes: WeakKeyDictionary[BrowserContext, dict[str, list[Change]]] = WeakKeyDictionary()


def change_answer(context: BrowserContext, path: str, change: Change) -> None:
    """Pass on what `GET /api/v1/tee/<path>` answers, through `change`; a later change gets what an earlier one made."""
    changes = _changes.setdefault(context, {})
    known = changes.setdefault(path, [])
    known.append(change)
    if len(known) > 1:
        return

    def handle(route: Route) -> None:
        answer = route.fetch(url=route.request.url.replace(f"//{FAR}", "//127.0.0.1"))
        document = answer.json()
        for one in known:
            document = one(document)
        route.fulfill(response=answer, body=json.dumps(document))

    context.route(f"**/api/v1/tee/{path}*", handle)


# What a launch measures on a machine where nothing is left to doubt. A developer's machine may add `account`: the web
# server runs as root where another account cannot reach the interpreter, which is a warning.
PLAIN = ("INIT", "release", "python", "settings", "ollama", "llm", "model")


def without_doubts(evidence: Document) -> Document:
    """The same evidence of a launch that recorded nothing doubtful, its register made anew to match."""
    lines = evidence["event_log"].splitlines()
    kept = [line for line in lines if line.split(" ")[0 if line.startswith("INIT") else 1] in PLAIN]
    if kept == lines:
        return evidence
    register = bytes(48)
    for line in kept:
        register = hashlib.sha384(register + hashlib.sha384(line.encode()).digest()).digest()
    rtmrs = (*(field(evidence["quote"], f"rtmr_{index}") for index in range(3)), register)
    return remade({**evidence, "event_log": "".join(f"{line}\n" for line in kept)}, rtmrs=rtmrs)


def replace_verifier(context: BrowserContext, script: bytes) -> None:
    """Serve another verifier to the page's worker."""
    context.route("**/verifier*.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
