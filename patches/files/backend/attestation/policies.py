"""Which policy each answer has: where its page may get things from and send things to.

A page that shows what models, documents and other people wrote must not be able to send it anywhere: neither a
picture's address nor a script that somebody smuggled in. `Content-Security-Policy` (W3C CSP 3) holds that in the
browser itself. `quote-verifier connect` serves the same pages under the same policies: this file is part of it, too.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_INLINE_SCRIPT = re.compile(r"<script(?P<attributes>[^>]*)>(?P<text>.*?)</script>", re.DOTALL | re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")
#: Answers of programs, not pages. Everything else is the bundled frontend, which also answers unknown addresses.
PROGRAMS = (
    "/api/", "/ollama/", "/openai/", "/ws/", "/cache/", "/health", "/oauth/", "/manifest.json", "/opensearch.xml",
)  # fmt: skip
_WORKERS = "/_app/immutable/workers/"

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # a page's address names the chat: it is nobody's on the way
    "X-Frame-Options": "SAMEORIGIN",
    "X-DNS-Prefetch-Control": "off",
    "Permissions-Policy": (
        "camera=(self), microphone=(self), display-capture=(self), geolocation=(self), fullscreen=(self), "
        "clipboard-read=(self), clipboard-write=(self), "
        "accelerometer=(), browsing-topics=(), gyroscope=(), hid=(), idle-detection=(), magnetometer=(), "
        "midi=(), payment=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), "
        "xr-spatial-tracking=()"
    ),
}


def script_hashes(html: str) -> list[str]:
    """A source expression (`'sha256-...'`) for each inline script of a page."""
    texts = [match["text"] for match in _INLINE_SCRIPT.finditer(html) if "src=" not in match["attributes"]]
    return [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts]


def page_policy(hashes: Iterable[str], services: Iterable[str]) -> str:
    """For the pages: the release's own scripts, nothing from elsewhere, nothing to elsewhere but measured services."""
    return _policy(
        {
            "default-src": ["'self'"],
            "script-src": ["'self'", *hashes],
            "style-src": ["'self'", "'unsafe-inline'"],
            "img-src": ["'self'", "data:", "blob:"],
            "media-src": ["'self'", "data:", "blob:"],
            "font-src": ["'self'", "data:"],
            "connect-src": ["'self'", *services],
            "frame-src": ["'self'", "blob:"],
            "worker-src": ["'self'"],
            "object-src": ["'none'"],
            "base-uri": ["'none'"],
            "form-action": ["'self'"],
            "frame-ancestors": ["'self'"],
        }
    )


# For answers of programs: should a browser ever show one as a page, it runs nothing and loads nothing.
ANSWER_POLICY = "default-src 'none'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'; sandbox"
# A PDF is shown by the browser's own viewer, without this origin; a viewer that is a page needs scripts.
PDF_POLICY = (
    "sandbox allow-scripts allow-downloads allow-modals; default-src 'none'; object-src 'self'; "
    "form-action 'none'; frame-ancestors 'self'"
)
#: For files that people uploaded, shown to be looked at.
UPLOAD_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
# For somebody's HTML in a frame: what it brings along runs, without an origin, and reaches nothing.
ARTIFACT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "style-src 'unsafe-inline' data: blob:; img-src data: blob:; media-src data: blob:; font-src data:; "
    "worker-src blob:; connect-src data: blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)

# Connection-Allowlist (WICG): to whom a document may connect at all. It also holds what no CSP names: WebRTC, whose
# servers' names carry words, and names that are looked up before a policy refuses the rest. Chromium 152 and later know
# it; others take no notice.
NOWHERE = "()"


def for_program(policies: Iterable[str], content_type: str) -> str:
    """The policy of a program's answer: its own, should that be one of ours, or the one for its type.

    A program that brings a policy of its own making does not get it: it runs code of administrators.
    """
    known = (ANSWER_POLICY, UPLOAD_POLICY)
    pdf = content_type.partition(";")[0].strip().lower() == "application/pdf"
    return next((each for each in policies if each in known), PDF_POLICY if pdf else ANSWER_POLICY)


def worker_policy(host: str) -> str:
    """For workers, whose policy is that of their own script: WebAssembly, and files of the release at `host` (and port;
    "" if unknown). What they ask passes no guard, so they reach nothing that answers more than that."""
    return _policy(
        {
            "default-src": ["'none'"],
            "script-src": ["'self'", "'wasm-unsafe-eval'"],
            "connect-src": [f"http://{host}/_app/" if host else "'none'"],  # a source that says http allows https, too
            "frame-ancestors": ["'self'"],
        }
    )


def python_policy(hashes: Iterable[str]) -> str:
    """For a model's Python in a frame: nothing. The page hands it Pyodide's files: an address may carry words, and a
    policy cannot tell one query from another."""
    return "sandbox allow-scripts; " + _policy(
        {
            "default-src": ["'none'"],
            "script-src": [*hashes, "blob:", "'wasm-unsafe-eval'", "'unsafe-eval'"],
            "worker-src": ["blob:"],
            "form-action": ["'none'"],
            "base-uri": ["'none'"],
            "frame-ancestors": ["'self'"],
        }
    )


def _policy(directives: Mapping[str, list[str]]) -> str:
    return "; ".join(" ".join([name, *sources]) for name, sources in directives.items())


@dataclass(frozen=True)
class Policies:
    """The policies of one site: `page` for its pages, and the hashes of the scripts in its Python frame."""

    page: str
    python_hashes: tuple[str, ...]

    def of(self, path: str, host: str, content_type: str) -> str:
        """The one for the answer at `path`; `host` is where the browser asked, with its port, or ""."""
        known = host if _HOST.fullmatch(host) else ""
        if path.startswith(PROGRAMS):
            return for_program((), content_type)
        if path == "/tee/artifact.html":
            return ARTIFACT_POLICY
        if path == "/tee/python.html":
            return python_policy(self.python_hashes)
        return worker_policy(known) if path.startswith(_WORKERS) else self.page


def reach(path: str) -> str | None:
    """Whom a document at this path may connect to; None: what its policy says. People follow links from the pages."""
    answer = path.startswith(PROGRAMS) and not path.startswith("/oauth/")  # which leads to a provider
    return NOWHERE if answer or path in ("/tee/artifact.html", "/tee/python.html") else None
