"""The evidence bundle: one JSON file with everything a judgement needs, written and read by both verifiers."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .address import is_origin
from .encoding import from_hex
from .errors import Malformed
from .strictjson import load_object, text_member
from .times import parse_time

_MEMBERS = {"v", "time", "nonce", "connected", "evidence", "collateral", "service_tokens"}


@dataclass(frozen=True)
class Token:
    """An attestation service's answer, not yet believed."""

    service: str
    url: str
    token: str


@dataclass(frozen=True)
class Bundle:
    """`origin`, `spki` and `sealed` (that it seals what it sends to the bound key, as pages do) are the client's own
    record of its connection; everything else came from others."""

    time: datetime
    nonce: str | None
    origin: str | None
    spki: str | None
    evidence: dict[str, Any]
    collateral: Any  # or the `Malformed` that came of it
    tokens: tuple[Token, ...] = field(default=())
    sealed: bool = False

    @property
    def bound_key(self) -> str | None:
        """The TLS key that the evidence says is the TD's (SHA-256 of its SPKI, hex), as far as it names one."""
        runtime_data = self.evidence.get("runtime_data")
        tls = runtime_data.get("tls") if isinstance(runtime_data, dict) else None
        key = tls.get("spki_sha256") if isinstance(tls, dict) else None
        return key if isinstance(key, str) else None


def _connected(value: Any) -> tuple[str | None, str | None, bool]:
    if value is None:
        return None, None, False
    if not isinstance(value, dict) or set(value) - {"origin", "tls_spki_sha256", "sealed"}:
        raise Malformed("the bundle is malformed: connected is not an object of origin, tls_spki_sha256 and sealed")
    if value.get("sealed", True) is not True:
        raise Malformed("the bundle is malformed: sealed is true, or not there")
    origin = text_member(value, "origin", "the bundle's connected")
    if not is_origin(origin):
        raise Malformed(f"the bundle is malformed: {origin[:200]!r} is not an origin")
    spki = value.get("tls_spki_sha256")
    if spki is not None:
        from_hex(text_member(value, "tls_spki_sha256", "the bundle's connected"), "tls_spki_sha256", 32)
    return origin, spki, "sealed" in value


def _tokens(value: Any) -> tuple[Token, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > 16:
        raise Malformed("the bundle is malformed: service_tokens is not a short list")
    tokens = []
    for item in value:
        if not isinstance(item, dict):
            raise Malformed("the bundle is malformed: an entry of service_tokens is not an object")
        members = {key: text_member(item, key, "a service token") for key in ("service", "url", "token")}
        tokens.append(Token(**members))
    return tuple(tokens)


def bundle_from(value: dict[str, Any]) -> Bundle:
    """Check the shape of a bundle. Raises `Malformed`."""
    unknown = sorted(set(value) - _MEMBERS)
    if unknown:
        raise Malformed(f"the bundle is malformed: unknown member {unknown[0][:64]!r}")
    if value.get("v") != 1 or isinstance(value.get("v"), (bool, float)):
        raise Malformed(f"the bundle is malformed: v is {str(value.get('v'))[:40]!r}, expected 1")
    time = parse_time(text_member(value, "time", "the bundle"), "the bundle's time")
    nonce = text_member(value, "nonce", "the bundle") if value.get("nonce") is not None else None
    if not isinstance(value.get("evidence"), dict):
        raise Malformed("the bundle is malformed: evidence is missing or not an object")
    origin, spki, sealed = _connected(value.get("connected"))
    tokens = _tokens(value.get("service_tokens"))
    return Bundle(time, nonce, origin, spki, value["evidence"], value.get("collateral"), tokens, sealed)


def load_bundle(data: bytes | str) -> Bundle:
    """A bundle from the bytes of a file. Raises `Malformed`, also for all that strict JSON refuses."""
    return bundle_from(load_object(data, "the bundle"))
