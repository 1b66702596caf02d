"""A man in the middle: passes the server's own answers on, changed in exactly one thing.

It stands in the browser's network layer, so everything behind it (the page, its worker, the guard) is what a release
ships, and everything before it is the running server.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import rfc8785
from playwright.sync_api import BrowserContext, Route

from simulator.quotes import make_quote

Document = dict[str, Any]
Change = Callable[[Document], Document]

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


def change_answer(context: BrowserContext, path: str, change: Change) -> None:
    """Pass on what `GET /api/v1/tee/<path>` answers, through `change`."""

    def handle(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=json.dumps(change(answer.json())))

    context.route(f"**/api/v1/tee/{path}*", handle)


def replace_verifier(context: BrowserContext, script: bytes) -> None:
    """Serve another verifier to the page's worker."""
    context.route("**/verifier*.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
