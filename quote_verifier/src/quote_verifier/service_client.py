"""Asks an attestation service for its token about a quote (docs: Alibaba Cloud remote attestation; CoCo Trustee REST).

Establishes nothing: the answer is judged by `tokens`, with keys from a file (`--service-key`) or from the service's own
key set, fetched over verified TLS. A service that cannot be asked leaves a reason behind, which fails `service.token`.
"""

import base64
import json
import re
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from .address import origin_of, parse_address
from .bundle import Bundle, Token
from .channel import is_loopback
from .encoding import to_base64url
from .errors import Malformed, Unreachable, UsageError
from .facts import load
from .fetch import Fetcher, join_url, require_ok
from .quote import Quote
from .strictjson import load_object, loads, text_member
from .tokens import PATHS, Service, base_of, keys_from

DEFAULT_URLS: dict[str, str] = {name: service["url"] for name, service in load("services").items() if "url" in service}
MAX_ANSWER = 256 * 1024
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\Z")


def load_keys(path: Path) -> tuple[dict[str, Any], ...]:
    """Pinned keys from a file: a JWKS, a JWK, or a PEM public key. Raises `UsageError`."""
    try:
        raw = path.read_bytes()
        if raw.lstrip().startswith(b"-----BEGIN"):
            return (_jwk_of(load_pem_public_key(raw)),)
        return keys_from(loads(raw, f"the key file {path}"))
    except OSError as error:
        raise UsageError(f"the key file {path} cannot be read: {error.strerror}") from None
    except (Malformed, ValueError) as error:
        raise UsageError(f"the key file {path} is no JWKS, JWK or PEM public key: {error}") from None


def _jwk_of(key: Any) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPublicKey):
        return dict(RSAAlgorithm.to_jwk(key, as_dict=True))
    if isinstance(key, ec.EllipticCurvePublicKey):
        return dict(ECAlgorithm.to_jwk(key, as_dict=True))
    raise ValueError("neither an RSA nor an EC key")


def choose(name: str, url: str | None, key_file: Path | None) -> Service:
    """A service by the names of the command line. Raises `UsageError`."""
    if name not in PATHS:
        raise UsageError(f"--service is {name!r}, expected alibaba or trustee")
    given = url or DEFAULT_URLS.get(name)
    if not given:
        raise UsageError(f"--service {name} needs --service-url")
    try:
        address = parse_address(given)
    except Malformed as error:
        raise UsageError(f"--service-url: {error}") from None
    if not address.origin.startswith("https:") and not is_loopback(address.origin):
        raise UsageError(f"--service-url is {given!r}: plain http is taken only on this machine")
    return Service(name, base_of(name, address.url), load_keys(key_file) if key_file else ())


def _fetch_keys(service: Service, fetcher: Fetcher) -> tuple[dict[str, Any], ...]:
    origin = origin_of(service.url)
    url = f"{origin}/.well-known/jwks.json"
    if service.service == "alibaba":
        discovery_url = f"{origin}/.well-known/openid-configuration"
        document = load_object(
            require_ok(fetcher.get(discovery_url, MAX_ANSWER), discovery_url), "the service's discovery document"
        )
        if document.get("issuer") != origin:
            raise Malformed(f"the service calls itself {str(document.get('issuer'))[:200]!r}, not {origin!r}")
        url = text_member(document, "jwks_uri", "the service's discovery document")
        if origin_of(url) != origin:
            raise Malformed(f"the service's keys lie elsewhere: {url[:200]!r}")
    return keys_from(load_object(require_ok(fetcher.get(url, MAX_ANSWER), url), "the service's key set"))


def _evidence(quote: Quote, event_log: Any) -> str:
    log = event_log if isinstance(event_log, str) and event_log else None
    members = {"quote": base64.b64encode(quote.raw).decode(), "aa_eventlog": log, "cc_eventlog": None}
    return to_base64url(json.dumps(members).encode())


def _requests(service: Service, bundle: Bundle, quote: Quote) -> list[dict[str, Any]]:
    """The bodies to try, newest shape first (Trustee changed its request in v0.14)."""
    request: dict[str, Any] = {"tee": "tdx", "evidence": _evidence(quote, bundle.evidence.get("event_log"))}
    if service.service == "alibaba":
        return [request | {"policy_ids": []}]
    runtime_data = bundle.evidence.get("runtime_data")
    if isinstance(runtime_data, dict):
        request |= {"runtime_data": {"structured": runtime_data}, "runtime_data_hash_algorithm": "sha384"}
    return [{"verification_requests": [request], "policy_ids": []}, request | {"policy_ids": []}]


def _ask(service: Service, bundle: Bundle, quote: Quote, fetcher: Fetcher) -> str:
    url = join_url(service.base, PATHS[service.service])
    bodies = _requests(service, bundle, quote)
    for last, body in zip([False] * (len(bodies) - 1) + [True], bodies, strict=True):
        answer = fetcher.post_json(url, json.dumps(body).encode(), MAX_ANSWER)
        if answer.status == 200 or last:
            text = require_ok(answer, url).decode("latin-1").strip().strip('"')
            if not _TOKEN.match(text):
                raise Malformed(f"{url} answered with something that is no token")
            return text
    raise Unreachable(f"{url} was not asked")


def ask(service: Service, bundle: Bundle, quote: Quote, fetcher: Fetcher) -> tuple[Service, Token | None]:
    """The service with the keys to believe, and its token. What goes wrong becomes the service's `problem`."""
    try:
        keys = service.keys or _fetch_keys(service, fetcher)
        token = _ask(service, bundle, quote, fetcher)
    except (Unreachable, Malformed) as error:
        return Service(service.service, service.url, service.keys, str(error)), None
    return Service(service.service, service.url, keys), Token(service.service, service.url, token)
