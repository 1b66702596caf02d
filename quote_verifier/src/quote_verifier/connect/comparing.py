"""Which files of the release's code the service would have served differently to a browser that came by itself.

Nobody depends on it here, since the pages are the release's. It says what others get: as far as a service does not tell
who asks, and answers this as it answers a browser.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote as percent_encode

from ..errors import Unreachable
from ..fetch import Fetcher, join_url
from .pages import CODE, File, Pages

WORKERS = 4
SHOWN = 5


def differences(pages: Pages, base: str, fetcher: Fetcher) -> list[str]:
    """The addresses at which the service at `base` does not serve what the release has."""
    code = {path: file for path, file in pages.files.items() if file.name.endswith(CODE)}
    with ThreadPoolExecutor(WORKERS) as pool:
        same = pool.map(lambda path: _same(code, path, base, fetcher), code)
        return [path for path, equal in zip(code, same, strict=True) if not equal]


def _same(code: Mapping[str, File], path: str, base: str, fetcher: Fetcher) -> bool:
    try:
        answer = fetcher.get(join_url(base, percent_encode(path)), code[path].size + 1)
    except Unreachable:
        return False
    return answer.status == 200 and hashlib.sha384(answer.body).hexdigest() == code[path].sha384


def sentence(different: list[str], pages: Pages) -> str:
    """What came of it, in one sentence."""
    if not different:
        return f"The service serves the code of its pages as release {pages.digest[:16]}... has it."
    more = f" and {len(different) - SHOWN} more" if len(different) > SHOWN else ""
    return (
        f"The service would have served another page: {', '.join(different[:SHOWN])}{more} differ from the release's."
    )
