"""Made for me? That a quote was made for this client's nonce, just now. Whether it is of the TD that this client is
connected to is for `channel` to find out."""

from datetime import datetime
from typing import Any

import rfc8785

from .encoding import from_base64url
from .errors import Malformed
from .nonce_proof import HASH_SIZE, check_proof
from .quote import Quote
from .runtime_data import check_shape, report_data_of
from .site import NEWER
from .verdict import Check

NONCE_SIZE = 32
MAX_CLOCK_SKEW_S = 60


def _check_age(time: datetime, now: int, max_age_s: int) -> str:
    age = now - int(time.timestamp())
    if age > max_age_s:
        raise Malformed(
            f"the evidence is {age} s old, expected at most {max_age_s} s (judge a file as of its time with --at)"
        )
    if age < -MAX_CLOCK_SKEW_S:
        raise Malformed(f"the evidence is dated {-age} s in the future")
    return f"made {max(age, 0)} s before it was judged, for the nonce that was sent"


def _check_bound(evidence: dict[str, Any], nonce: bytes, quote: Quote) -> list[str]:
    """What in runtime_data is newer than this verifier. Raises `Malformed` unless the quote is bound to the nonce."""
    runtime_data = evidence.get("runtime_data")
    newer = check_shape(runtime_data)
    assert isinstance(runtime_data, dict)  # noqa: S101 -- or it would be malformed
    expected = report_data_of(runtime_data)
    if expected != quote.body["report_data"]:
        raise Malformed(f"report_data is {quote.hex('report_data')}, runtime_data hashes to {expected.hex()}")
    nonces = runtime_data["nonces"]
    root = from_base64url(nonces["root"], "the root", HASH_SIZE)
    check_proof(nonce, evidence.get("proof"), root, nonces["size"])
    return newer


def check_nonce(
    evidence: dict[str, Any], nonce: str | None, time: datetime, quote: Quote, now: int, max_age_s: int
) -> Check:
    """`binding.nonce`."""
    try:
        if nonce is None:
            raise Malformed("the bundle records no nonce, so the quote may be an old one")
        newer = _check_bound(evidence, from_base64url(nonce, "the bundle's nonce", NONCE_SIZE), quote)
        age = _check_age(time, now, max_age_s)
        if newer:
            return Check("binding.nonce", "warn", f"{age}, but {NEWER.format(f'runtime_data {newer[0][:40]}')}")
        return Check("binding.nonce", "pass", age)
    except (Malformed, rfc8785.CanonicalizationError, UnicodeError) as error:
        return Check("binding.nonce", "fail", str(error))
