"""What the man in the middle changes: quotes made anew, documents edited, another verifier."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import rfc8785

from simulator.quotes import make_quote
from tests.browser.proxy import Answer, Document, Proxy
from tests.browser.running import Server
from tests.vectors.ground import EVENTS, KEPT, OWNER, event, launch, replay

Edit = Callable[[Document], Document]

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


def flip(at: int, mask: int = 1) -> Edit:
    """Flip bits of one byte of the quote."""

    def edit(evidence: Document) -> Document:
        quote = bytearray.fromhex(evidence["quote"])
        quote[at] ^= mask
        return {**evidence, "quote": quote.hex()}

    return edit


def with_origin(evidence: Document, origin: str = "https://elsewhere.example") -> Document:
    """Evidence of a service that was launched for this origin, and is bound to it."""
    plan = [with_site(line, origin=origin) if is_site(line) else line for line in plain(evidence)]
    return relaunched(evidence, plan, runtime_data={**evidence["runtime_data"], "origin": origin})


def far(server: Server) -> str:
    """The login page at an address that is not loopback, over plain http: no WebCrypto there."""
    return f"{server.url.replace('127.0.0.1', FAR)}/auth"


def change_answer(proxy: Proxy, path: str, edit: Edit) -> None:
    """Change what `GET /api/v1/tee/<path>` answers; a later edit gets what an earlier one made."""
    proxy.change_json(f"/api/v1/tee/{path}", edit)


def refuse(proxy: Proxy, path: str, status: int, body: bytes = b'{"detail": "Gone."}', **headers: str) -> None:
    """Answer `GET /api/v1/tee/<path>` with this status instead; `Retry_After` is the header Retry-After."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    proxy.change(f"/api/v1/tee/{path}", lambda _: Answer(status, {"Content-Type": "application/json", **named}, body))


# What a launch measures on a machine where nothing is left to doubt. A developer's machine may add `account`: the web
# server runs as root where another account cannot reach the interpreter, which is a warning.
PLAIN = ("release", "python", "settings", "site", "gocryptfs", "ollama", "llm", "model")


def without_doubts(evidence: Document) -> Document:
    """The same evidence of a launch that recorded nothing doubtful and keeps its data encrypted, signed anew."""
    encrypting = next(line for line in EVENTS if line.split(" ")[1] == "gocryptfs")
    plan = [with_site(line, data_owner=OWNER) if is_site(line) else line for line in plain(evidence)]
    plan += [] if encrypting in plan else [encrypting]
    return relaunched(evidence, plan, runtime_data={**evidence["runtime_data"], "data": KEPT})


def with_site(site: str, **choices: str) -> str:
    """The event `site` with these choices, and the others as they are."""
    return event("site", json.loads(site.split(" ", 2)[2]) | choices)


def of_another(evidence: Document) -> Document:
    """Evidence that names another owner of the data than the one who was measured."""
    return remade(evidence, runtime_data={**evidence["runtime_data"], "data": KEPT | {"owner": "A" * 43}})


def plain(evidence: Document) -> list[str]:
    """The lines of the log that are not doubtful, without INIT and launch."""
    return [line for line in evidence["event_log"].splitlines() if line.split(" ")[1] in PLAIN]


def is_site(line: str) -> bool:
    return line.split(" ")[1] == "site"


def relaunched(evidence: Document, plan: list[str], **changes: Any) -> Document:
    """The evidence of a launch that measured the lines of `plan`; `changes` go to `remade`."""
    lines = [evidence["event_log"].splitlines()[0], *plan]
    lines.append(launch(lines, plan))
    rtmrs = (*(field(evidence["quote"], f"rtmr_{index}") for index in range(3)), replay(lines))
    return remade({**evidence, "event_log": "".join(f"{line}\n" for line in lines)}, rtmrs=rtmrs, **changes)


def replace_verifier(proxy: Proxy, script: bytes) -> None:
    """Serve another verifier to the page's worker."""
    proxy.change("*/verifier*.js", lambda answer: replace(answer, body=script))
