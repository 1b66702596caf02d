"""Tokens of attestation services, verified in full: Alibaba Cloud's (RS256 JWT) and Trustee's (ES256 EAR).

Establishes that the service whose key the relying party holds has appraised this very quote, and said yes. It adds a
second opinion; it never replaces the other checks. PyJWT checks the signature, with the algorithm pinned per service.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import jwt
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.api_jws import PyJWS

from .address import origin_of
from .bundle import Token
from .encoding import from_base64url
from .errors import Malformed, UsageError
from .facts import load
from .quote import Quote
from .strictjson import load_object
from .verdict import Check

ServiceName = Literal["alibaba", "trustee"]
ALGORITHMS: dict[str, str] = {name: service["algorithm"] for name, service in load("services").items()}
MAX_TOKEN_BYTES = 256 * 1024
MAX_KEYS = 32
MIN_RSA_BITS = 2048
CLOCK_SKEW_S = 60
# where each answers, below its address
PATHS: dict[str, str] = {name: service["path"] for name, service in load("services").items()}
_PARTS = ("header", "payload", "signature")
# claims that must be there and equal; further ones must be equal where they are there
REQUIRED_CLAIMS: tuple[str, ...] = tuple(load("service_claims")["required"])
# names of both services -> ours
_CLAIM_NAMES: dict[str, str] = load("service_claims")["names"]
MAX_TIME = 253402300799  # the end of the year 9999


@dataclass(frozen=True)
class Service:
    """A chosen service: its URL, and the keys to believe (JWK objects). `problem`: why it could not be asked."""

    service: str
    url: str
    keys: tuple[dict[str, Any], ...] = field(default=())
    problem: str | None = None

    @property
    def base(self) -> str:
        """The address without the service's documented path."""
        return base_of(self.service, self.url)


def base_of(service: str, url: str) -> str:
    """The address that a service's documented path is below, whether `url` ends with that path or not."""
    return url.rstrip("/").removesuffix(PATHS[service])


class Refused(Exception):
    """The token does not establish what it should; the message is one sentence."""


def _check_header(header: dict[str, Any]) -> None:
    """No extension of JWS is known here, and libraries differ about those that are not (RFC 7515, 4.1.11; RFC 7797)."""
    for name in ("crit", "b64"):
        if name in header:
            raise Refused(f"the token's header has {name!r}, which this verifier does not know")
    if not isinstance(header.get("kid", ""), str):
        raise Refused("the token's key id is not a text")


def keys_from(jwks: Any) -> tuple[dict[str, Any], ...]:
    """The keys of a JWKS object, or of a single JWK. Raises `Malformed`."""
    keys = jwks.get("keys", [jwks]) if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or not 1 <= len(keys) <= MAX_KEYS or not all(isinstance(key, dict) for key in keys):
        raise Malformed(f"the key set is not a JWKS of 1 to {MAX_KEYS} keys")
    return tuple(keys)


def _public_key(service: str, jwk: dict[str, Any]) -> Any:
    """The key, if it is of the one type that the service signs with; else `None`."""
    try:
        if service == "alibaba" and jwk.get("kty") == "RSA":
            key = RSAAlgorithm.from_jwk({"kty": "RSA", "n": jwk["n"], "e": jwk["e"]})
            return key if key.key_size >= MIN_RSA_BITS else None
        if service == "trustee" and jwk.get("kty") == "EC" and jwk.get("crv") == "P-256":
            return ECAlgorithm.from_jwk({"kty": "EC", "crv": "P-256", "x": jwk["x"], "y": jwk["y"]})
    except (jwt.PyJWTError, KeyError, ValueError, TypeError):
        return None
    return None


def _candidates(service: Service, header: dict[str, Any]) -> list[Any]:
    kid = header.get("kid")
    if service.service == "alibaba" and kid is None:
        raise Refused("the token's header has no key id")
    chosen = [jwk for jwk in service.keys if kid is None or jwk.get("kid") in (None, kid)]
    keys = [key for key in (_public_key(service.service, jwk) for jwk in chosen) if key is not None]
    if not keys:
        raise Refused(f"none of the keys held for the service has the token's key id {str(kid)[:80]!r}")
    return keys


def _payload(service: Service, token: str) -> dict[str, Any]:
    """The payload, once its signature is verified."""
    if len(token) > MAX_TOKEN_BYTES or token.count(".") != 2:
        raise Refused("the answer is not a compact JWT")
    try:
        parts = {
            name: from_base64url(part, f"the token's {name}")
            for name, part in zip(_PARTS, token.split("."), strict=True)
        }
        header = load_object(parts["header"], "the token's header")
    except Malformed as error:
        raise Refused(str(error)) from None
    _check_header(header)
    algorithm = ALGORITHMS[service.service]
    if header.get("alg") != algorithm:
        raise Refused(f"the token's algorithm is {str(header.get('alg'))[:40]!r}, expected {algorithm!r}")
    for key in _candidates(service, header):
        try:
            raw = PyJWS().decode_complete(token, key, algorithms=[algorithm])["payload"]
            return load_object(raw, "the token's payload")
        except jwt.PyJWTError:
            continue
        except Malformed as error:
            raise Refused(str(error)) from None
    raise Refused("the token's signature is wrong")


def _number(payload: dict[str, Any], key: str) -> float | None:
    value = payload.get(key)
    if value is not None and (not isinstance(value, (int, float)) or isinstance(value, bool)):
        raise Refused(f"the token's {key} is not a number")
    if value is not None and not 0 <= value <= MAX_TIME:
        raise Refused(f"the token's {key} is {value!r:.40}, no time until the year 9999")
    return value


def _check_times(payload: dict[str, Any], now: int) -> None:
    expires = _number(payload, "exp")
    if expires is None or _number(payload, "iat") is None:
        raise Refused("the token has no exp or no iat")
    if now > expires:
        raise Refused(f"the token expired {int(now - expires)} s ago")
    for key in ("nbf", "iat"):
        starts = _number(payload, key)
        if starts is not None and starts > now + CLOCK_SKEW_S:
            raise Refused(f"the token is not yet valid: its {key} is {int(starts - now)} s in the future")


def _check_claims(claims: dict[str, Any], quote: Quote) -> None:
    """`claims`: body fields by the service's names, lower-case hex of the raw bytes."""
    missing = [name for name in REQUIRED_CLAIMS if name not in claims]
    if missing:
        raise Refused(f"the token does not state {', '.join(missing)}")
    for theirs, value in claims.items():
        name = _CLAIM_NAMES.get(theirs, theirs)
        if name in quote.body and value != quote.hex(name):
            raise Refused(f"the token's {name} is {str(value)[:160]}, the quote's is {quote.hex(name)}")


def _check_alibaba(payload: dict[str, Any], service: Service, quote: Quote) -> str:
    origin = origin_of(service.url)
    for key in ("iss", "aud"):
        if payload.get(key) != origin:
            raise Refused(f"the token's {key} is {str(payload.get(key))[:200]!r}, expected {origin!r}")
    if payload.get("tee") != "tdx" or not isinstance(payload.get("tcb-status"), str):
        raise Refused("the token is not about a TDX quote")
    status = load_object(payload["tcb-status"], "the token's tcb-status")
    prefix = "tdx.quote.body."
    _check_claims({key.removeprefix(prefix): value for key, value in status.items() if key.startswith(prefix)}, quote)
    if status.get("report_data", quote.hex("report_data")) != quote.hex("report_data"):
        raise Refused("the token's report_data is not the quote's")
    if status.get("tdx.td_attributes.debug", False) is not False:
        raise Refused("the token says that the TD is debuggable")
    return "affirming"


def _submodule(payload: dict[str, Any]) -> dict[str, Any]:
    submodules = payload.get("submods")
    if not isinstance(submodules, dict) or not all(isinstance(item, dict) for item in submodules.values()):
        raise Refused("the token has no submods")
    cpus = [name for name in ("cpu0", "cpu") if name in submodules]
    if len(cpus) != 1:
        raise Refused("the token has not exactly one of the submodules cpu and cpu0")
    return dict(submodules[cpus[0]])


def _check_trustee(payload: dict[str, Any], service: Service, quote: Quote) -> str:
    cpu = _submodule(payload)
    statuses = {str(item.get("ear.status"))[:40] for item in payload["submods"].values()}
    for status in statuses - {"affirming", "warning"}:
        raise Refused(f"the service's appraisal is {status!r}")
    evidence = cpu.get("ear.veraison.annotated-evidence")
    tdx = evidence.get("tdx") if isinstance(evidence, dict) else None
    body = tdx.get("quote", {}).get("body") if isinstance(tdx, dict) and isinstance(tdx.get("quote"), dict) else None
    if not isinstance(evidence, dict) or not isinstance(body, dict):
        raise Refused("the token's annotated evidence holds no TDX quote")
    _check_claims({**body, "report_data": body.get("report_data", evidence.get("report_data"))}, quote)
    if evidence.get("report_data", quote.hex("report_data")) != quote.hex("report_data"):
        raise Refused("the token's report_data is not the quote's")
    return "warning" if "warning" in statuses else "affirming"


def verify_token(service: Service, token: str, quote: Quote, now: int) -> str:
    """The service's appraisal, "affirming" or "warning". Raises `Refused` unless everything about the token holds."""
    payload = _payload(service, token)
    _check_times(payload, now)
    try:
        check = _check_alibaba if service.service == "alibaba" else _check_trustee
        return check(payload, service, quote)
    except Malformed as error:
        raise Refused(str(error)) from None


def check_tokens(
    services: tuple[Service, ...], required: tuple[str, ...], tokens: tuple[Token, ...], quote: Quote, now: int
) -> Check:
    """`service.token`: every chosen service's token, and every service that the policy requires."""
    missing = [name for name in required if name not in {service.service for service in services}]
    if missing:
        return Check(
            "service.token", "fail", f"the policy requires the service {missing[0]}, which was not chosen (--service)"
        )
    answers = {}
    for service in services:
        mine = [
            item
            for item in tokens
            if item.service == service.service and base_of(item.service, item.url) == service.base
        ]
        try:
            if service.problem:
                raise Refused(service.problem)
            if len(mine) != 1:
                raise Refused(f"there are {len(mine)} tokens of it, expected 1")
            answers[service.service] = verify_token(service, mine[0].token, quote, now)
        except Refused as error:
            return Check("service.token", "fail", f"{service.service} ({service.url}): {error}")
    if not services:
        return Check("service.token", "skipped", "No attestation service was chosen")
    warned = [name for name, answer in answers.items() if answer != "affirming"]
    if warned:
        return Check("service.token", "warn", f"{warned[0]} appraises it with a warning")
    return Check("service.token", "pass", f"{', '.join(answers)} appraised the same quote and affirms")


def service_from(value: dict[str, Any]) -> Service:
    """A chosen service from `{"service", "url", "keys": JWKS}` and perhaps `problem`. Raises `UsageError`."""
    name, url = value.get("service"), value.get("url")
    if name not in ALGORITHMS or not isinstance(url, str):
        raise UsageError(f"the service is {name!r} at {url!r}, expected alibaba or trustee and a URL")
    try:
        return Service(str(name), url, keys_from(value.get("keys")), value.get("problem"))
    except Malformed as error:
        raise UsageError(str(error)) from None
