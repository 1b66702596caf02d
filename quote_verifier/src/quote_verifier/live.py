"""Evidence of a running service: a fresh nonce, the quote, the collateral, recorded as a bundle that can be kept."""

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from .address import origin_of
from .appraise import Options, verify
from .bundle import Bundle, Token
from .collateral import Seen
from .collateral_cache import CollateralCache
from .collateral_source import Source, Sources
from .encoding import from_hex, to_base64url
from .errors import Malformed, Unreachable
from .fetch import Fetcher, join_url, require_ok
from .genuine import RootName
from .quote import Quote, parse_quote
from .second_opinion import ONLY_RELAY, newest
from .service_client import ask
from .strictjson import load_object, text_member
from .tokens import Service
from .verdict import Verdict

MAX_EVIDENCE = 1024 * 1024


@dataclass(frozen=True)
class Live:
    """What was asked for and came back; `quote` is `None` where the evidence holds none that can be parsed."""

    bundle: Bundle
    quote: Quote | None


def fetch_evidence(base: str, fetcher: Fetcher, boot_log: bool = False) -> Live:
    """Ask the service at `base` for evidence with a nonce drawn here, and for its boot event log where that is wanted.

    Raises `Unreachable`, `Malformed`.
    """
    fetcher.forget()
    nonce = to_base64url(os.urandom(32))
    url = join_url(base, f"/api/v1/tee/quote?nonce={nonce}")
    answer = fetcher.get(url, MAX_EVIDENCE)
    evidence = load_object(require_ok(answer, url), "the evidence")
    bundle = Bundle(datetime.now(UTC), nonce, origin_of(base), answer.spki, evidence, None)
    told = _boot_log(base, fetcher) if boot_log else None
    if told is not None:
        evidence["boot_log"] = told
    try:
        return Live(bundle, parse_quote(from_hex(text_member(evidence, "quote", "the evidence"), "the quote")))
    except Malformed:
        return Live(bundle, None)


def _boot_log(base: str, fetcher: Fetcher) -> Any:
    """The service's boot event log; None where it has none to give. It decides nothing, so its lack is no error."""
    url = join_url(base, "/api/v1/tee/boot-log")
    try:
        return load_object(require_ok(fetcher.get(url, MAX_EVIDENCE), url), "the boot log").get("boot_log")
    except (Unreachable, Malformed):
        return None


def judge(
    live: Live, sources: Sources, cache: CollateralCache, fetcher: Fetcher, options: Options
) -> tuple[Bundle, Verdict]:
    """Fetch what else is needed and judge as of now. Raises `Unreachable` if no collateral can be had."""
    bundle = live.bundle
    if live.quote is None:
        return bundle, verify(bundle, options=options)
    seen: dict[RootName, Seen] = {root: cache.seen(live.quote, root) for root in ("intel", "simulator")}
    collateral, note = _collateral(live.quote, sources, cache)
    services, tokens = _ask_all(options.services, bundle, live.quote, fetcher)
    bundle = replace(bundle, collateral=collateral, tokens=tokens, spki=_key_seen(bundle, fetcher))
    verdict = verify(bundle, options=replace(options, services=services, seen=seen, collateral_note=note))
    if verdict.genuine is not None:
        cache.keep(live.quote, collateral, sources.other_name)
        cache.remember(live.quote, verdict.genuine.root, verdict.genuine.collateral)
    return bundle, verdict


def _key_seen(bundle: Bundle, fetcher: Fetcher) -> str | None:
    """The TLS key of the service's connections; where they were not all ended with one, a key that is not bound.

    Somebody who sits between some connections and lets others pass would else be seen only by chance.
    """
    bound = bundle.bound_key
    strange = fetcher.keys(bundle.origin or "") - {bound}
    return min(strange) if bound and strange else bundle.spki


def _collateral(quote: Quote, sources: Sources, cache: CollateralCache) -> tuple[Any, str]:
    """Collateral, or why there is none that can be read; and a clause about who was asked."""
    try:
        chosen = cache.get(quote, sources.chosen, sources.other_name)
        if cache.offline:
            return chosen, "taken from the cache, nobody was asked"
        return newest(chosen, _relayed(sources.relay, quote)) if sources.other else (chosen, ONLY_RELAY)
    except Malformed as error:
        return error, ""


def _relayed(relay: Source, quote: Quote) -> dict[str, Any] | Malformed | Unreachable:
    try:
        return relay(quote)
    except (Malformed, Unreachable) as error:
        return error


def _ask_all(
    services: tuple[Service, ...], bundle: Bundle, quote: Quote, fetcher: Fetcher
) -> tuple[tuple[Service, ...], tuple[Token, ...]]:
    answers = [ask(service, bundle, quote, fetcher) for service in services]
    return tuple(service for service, _ in answers), tuple(token for _, token in answers if token)


def as_document(bundle: Bundle) -> dict[str, Any]:
    """The bundle in its JSON form, for keeping."""
    connected = {"origin": bundle.origin, "tls_spki_sha256": bundle.spki, "sealed": bundle.sealed or None}
    document: dict[str, Any] = {
        "v": 1,
        "time": bundle.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "nonce": bundle.nonce,
        "connected": {key: value for key, value in connected.items() if value is not None} or None,
        "evidence": bundle.evidence,
        "collateral": None if isinstance(bundle.collateral, Malformed) else bundle.collateral,
        "service_tokens": [dict(token.__dict__) for token in bundle.tokens] or None,
    }
    return {key: value for key, value in document.items() if value is not None}


__all__ = ["Live", "Unreachable", "as_document", "fetch_evidence", "judge"]
