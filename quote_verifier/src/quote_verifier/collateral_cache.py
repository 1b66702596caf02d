"""Collateral on disk: usable offline, and a memory of the newest seen, so that nothing older is taken again.

Files lie in `$XDG_CACHE_HOME/open-webui-tdx/quote-verifier` (or `~/.cache/...`), written beside and renamed. What is
read back is verified like anything fetched; a damaged file counts as absent, except the memory of the newest seen.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from .collateral import MEMBERS, PCK_CHAIN, Seen
from .collateral_source import Source, platform_of
from .errors import Malformed, Unreachable, UsageError
from .quote import Quote
from .storing import write_json
from .strictjson import load_object
from .times import parse_time

FRESH_S = 3600


def default_folder() -> Path:
    """Where the cache lies unless the caller says otherwise."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "open-webui-tdx" / "quote-verifier"


class CollateralCache:
    """One folder. `offline`: never ask the source."""

    def __init__(self, folder: Path | None = None, offline: bool = False) -> None:
        self.folder, self.offline = folder or default_folder(), offline

    def _path(self, kind: str, quote: Quote, root: str = "") -> Path:
        fmspc, ca = platform_of(quote)
        return self.folder / f"{kind}-{fmspc}-{ca}{'-' + root if root else ''}.json"

    def _write(self, path: Path, document: dict[str, Any]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(path, document)
        except OSError as error:
            raise UsageError(
                f"the cache {self.folder} cannot be written ({error.strerror}); name another with --cache"
            ) from None

    def _cached(self, path: Path, asked: str) -> tuple[dict[str, Any] | None, float]:
        """What is cached and when it was fetched; nothing where `asked` was not among those that were asked then."""
        try:
            document = load_object(path.read_bytes(), "the cached collateral")
            fetched, collateral = document.get("fetched"), document.get("collateral")
            if (
                isinstance(fetched, int)
                and isinstance(collateral, dict)
                and set(collateral) - {PCK_CHAIN} == set(MEMBERS)
                and (self.offline or asked in ("", document.get("asked")))
            ):
                return collateral, float(fetched)
        except (OSError, Malformed):
            pass
        return None, 0.0

    def _fresh(self, collateral: dict[str, Any], fetched: float) -> bool:
        now = time.time()
        try:
            due = parse_time(json.loads(collateral["tcb_info"])["nextUpdate"], "nextUpdate").timestamp()
        except (ValueError, KeyError, TypeError, Malformed):
            return False
        return 0 <= now - fetched < FRESH_S and now < due

    def get(self, quote: Quote, source: Source, asked: str = "") -> dict[str, Any]:
        """Collateral for a quote's platform: from disk if fetched within the hour, else from `source`, else from disk.

        `asked` names a source that does not depend on the judged server. Then what is on disk counts only if that
        source had been asked for it: a server's old collateral must not stand in for a second opinion.

        Raises `Unreachable` if neither has any, `Malformed` if what the source sent has the wrong shape.
        """
        path = self._path("collateral", quote)
        cached, fetched = self._cached(path, asked)
        if cached is not None and (self.offline or self._fresh(cached, fetched)):
            return cached
        if self.offline:
            raise Unreachable(
                f"there is no collateral for this platform in {self.folder}, and --offline forbids to fetch it"
            )
        try:
            return source(quote)
        except Unreachable:
            if cached is None:
                raise
            return cached

    def keep(self, quote: Quote, collateral: dict[str, Any], asked: str = "") -> None:
        """Remember collateral that was verified, and the source that was asked besides the server."""
        document = {"fetched": int(time.time()), "asked": asked, "collateral": collateral}
        self._write(self._path("collateral", quote), document)

    def seen(self, quote: Quote, root: str) -> Seen:
        """The newest collateral seen for this platform under that root. Raises `UsageError` if the file is damaged."""
        path = self._path("seen", quote, root)
        try:
            document = load_object(path.read_bytes(), "the memory of collateral seen")
            if set(document) != set(Seen().as_dict()) or not all(isinstance(value, int) for value in document.values()):
                raise Malformed("it has the wrong members")
            return Seen(**document)
        except FileNotFoundError:
            return Seen()
        except (OSError, Malformed) as error:
            raise UsageError(f"{path} is damaged ({error}); delete it to forget which collateral was seen") from None

    def remember(self, quote: Quote, root: str, current: Seen) -> None:
        """Raise the memory to `current` where that is newer."""
        before = self.seen(quote, root)
        newest = before.newest(current)
        if newest != before:
            self._write(self._path("seen", quote, root), newest.as_dict())
