"""The tokens that the stand-ins sign, right or wrong in exactly one way."""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

KEYS = Path(__file__).resolve().parent / "keys"
LIFETIME_S = {"alibaba": 21600, "trustee": 300}
BODY = (
    ("tcb_svn", 16),
    ("mr_seam", 48),
    ("mrsigner_seam", 48),
    ("seam_attributes", 8),
    ("td_attributes", 8),
    ("xfam", 8),
    ("mr_td", 48),
    ("mr_config_id", 48),
    ("mr_owner", 48),
    ("mr_owner_config", 48),
    ("rtmr_0", 48),
    ("rtmr_1", 48),
    ("rtmr_2", 48),
    ("rtmr_3", 48),
    ("report_data", 64),
    ("tee_tcb_svn2", 16),
    ("mr_servicetd", 48),
)

# name -> what it does; the second group never gets as far as a token
FAULTS = {
    "wrong-signature": "one bit of the signature is flipped",
    "other-key": "signed with a key nobody trusts, and that key in the header",
    "wrong-kid": "the header names a key id that does not exist",
    "alg-none": "algorithm none, no signature",
    "hs256": "HMAC with the public key as its secret",
    "expired": "expired an hour ago",
    "not-yet-valid": "valid from an hour ahead",
    "no-expiry": "no exp",
    "other-audience": "for somebody else",
    "other-issuer": "from somebody else",
    "other-nonce": "about another report data",
    "other-measurements": "about another mr_td",
    "no-claims": "says nothing about the quote",
    "debug": "says that the TD is debuggable",
    "duplicate-key": "a payload in which exp appears twice",
    "byte-order-mark": "a payload that begins with a byte order mark, which JSON forbids",
    "warning": "the appraisal is warning (Trustee)",
    "contraindicated": "the appraisal is contraindicated, answered with 200 (Trustee)",
    "two-cpus": "submodules cpu and cpu0 (Trustee)",
    "critical-extension": "an extension that must be understood, in the header",
    "unencoded-payload": "the header says that the payload is not encoded (RFC 7797)",
    "number-as-key-id": "the key id is a number",
    "padded-signature": "the signature's base64url has padding",
    "far-expiry": "expires in the year 285,428,681",
    "debug-null": "does not say whether the TD is debuggable (Alibaba Cloud)",
    "null-report-data": "report data null beside the true one (Trustee)",
    "two-spellings": "states a field by two names, by the second with another value",
    "error-500": "HTTP 500",
    "hang": "accepts and never answers",
    "drip": "one byte of the answer a second, for ever",
    "garbage": "an answer that is no token",
    "redirect": "redirects elsewhere",
    "endless": "an endless body",
    "no-jwks": "its key set is not served",
}


@cache
def private_key(name: str) -> Any:
    """A published test key: alibaba, other-rsa (RSA 2048), trustee, other-ec (P-256)."""
    return serialization.load_pem_private_key((KEYS / f"{name}.key").read_bytes(), None)


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public_jwk(name: str) -> dict[str, str]:
    """The public half as a JWK (RFC 7517); RSA keys carry their key id."""
    key = private_key(name).public_key()
    if isinstance(key, rsa.RSAPublicKey):
        n = key.public_numbers()
        modulus, exponent = n.n.to_bytes(256), n.e.to_bytes(3)
        return {
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": key_id(name),
            "n": _b64(modulus),
            "e": _b64(exponent),
        }
    point = key.public_numbers()
    return {
        "kty": "EC",
        "alg": "ES256",
        "crv": "P-256",
        "x": _b64(point.x.to_bytes(32)),
        "y": _b64(point.y.to_bytes(32)),
    }


def key_id(name: str) -> str:
    """A UUID that follows from the key's name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://stand-in.invalid/{name}"))


def jwks(service: str) -> dict[str, Any]:
    """The service's key set."""
    return {"keys": [public_jwk(service)]}


def _sign(name: str, data: bytes) -> bytes:
    key = private_key(name)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    der = key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    r, s = utils.decode_dss_signature(der)
    return r.to_bytes(32) + s.to_bytes(32)


def read_quote(quote: bytes) -> dict[str, str]:
    """Header and body of a TDX quote as lower-case hex, by the services' names, `header.` and `body.` in front."""
    version = int.from_bytes(quote[:2], "little")
    names = {"header.version": quote[0:2], "header.att_key_type": quote[2:4], "header.tee_type": quote[4:8]}
    names |= {"header.reserved": quote[8:12], "header.vendor_id": quote[12:28], "header.user_data": quote[28:48]}
    offset, count = (48, 15) if version == 4 else (54, 17 if quote[48] == 3 else 15)
    if version == 5:
        names |= {"type": quote[48:50], "size": quote[50:54]}
    for field, size in BODY[:count]:
        names[f"body.{field}"] = quote[offset : offset + size]
        offset += size
    return {name: value.hex() for name, value in names.items()}


def _lied_about(fields: dict[str, str], fault: str | None) -> dict[str, str]:
    changed = dict(fields)
    if fault == "other-nonce":
        changed["body.report_data"] = "ab" * 64
    if fault == "other-measurements":
        changed["body.mr_td"] = "cd" * 48
    if fault == "two-spellings":
        changed["body.mr_signer_seam"] = "ef" * 48
    return {} if fault == "no-claims" else changed


def _alibaba_payload(quote: bytes, origin: str, now: int, fault: str | None) -> dict[str, Any]:
    fields = _lied_about(read_quote(quote), fault)
    attributes = int.from_bytes(bytes.fromhex(fields.get("body.td_attributes", "00" * 8)), "little")
    flags = {"debug": 0, "septve_disable": 28, "protection_keys": 30, "key_locker": 31, "perfmon": 63}
    status: dict[str, Any] = {"init_data": "", "report_data": fields.get("body.report_data", "")}
    status |= {f"tdx.quote.{name}": value for name, value in fields.items()}
    status |= {f"tdx.td_attributes.{name}": bool(attributes >> bit & 1) for name, bit in flags.items()}
    if fault == "debug":
        status["tdx.td_attributes.debug"] = True
    if fault == "debug-null":
        status["tdx.td_attributes.debug"] = None
    if fault == "no-claims":
        status = {}
    return {
        "aud": "https://elsewhere.example" if fault == "other-audience" else origin,
        "customized_claims": {"init_data": None, "runtime_data": None},
        "eat_profile": "tag:alibabacloud.com,2024:attestation",
        "evaluation-reports": [{"policy-id": "default", "policy-hash": None}],
        "exp": now + LIFETIME_S["alibaba"],
        "iat": now,
        "iss": "https://elsewhere.example" if fault == "other-issuer" else origin,
        "jti": str(uuid.uuid5(uuid.NAMESPACE_OID, hashlib.sha256(quote).hexdigest())),
        "nbf": now,
        "tcb-status": json.dumps(status, sort_keys=True),
        "tee": "tdx",
    }


def _trustee_payload(quote: bytes, shape: str, now: int, fault: str | None) -> dict[str, Any]:
    fields = _lied_about(read_quote(quote), fault)
    part: dict[str, dict[str, Any]] = {
        name: {key.split(".", 1)[1]: value for key, value in fields.items() if key.startswith(f"{name}.")}
        for name in ("header", "body")
    }
    if fault == "null-report-data":
        part["body"]["report_data"] = None
    annotated = {
        "init_data": "",
        "init_data_claims": None,
        "report_data": fields.get("body.report_data", ""),
        "runtime_data_claims": None,
        "tdx": {"quote": part, "td_attributes": {"debug": False}, "tcb_status": "UpToDate", "advisory_ids": []},
    }
    module = {
        "ear.status": fault if fault in ("warning", "contraindicated") else "affirming",
        "ear.trustworthiness-vector": {"configuration": 2, "executables": 3, "hardware": 2},
        "ear.appraisal-policy-id": "default",
        "ear.veraison.annotated-evidence": annotated if fault != "no-claims" else {},
    }
    name = "cpu0" if shape == "new" else "cpu"
    return {
        "eat_profile": "tag:github.com,2024:confidential-containers/Trustee",
        "iat": now,
        "exp": now + LIFETIME_S["trustee"],
        "ear.verifier-id": {"build": "stand-in", "developer": "https://confidentialcontainers.org"},
        "submods": {name: module} | ({"cpu": module} if fault == "two-cpus" else {}),
    }


def _shift(payload: dict[str, Any], seconds: int) -> None:
    for key in ("iat", "nbf", "exp"):
        if key in payload:
            payload[key] += seconds


def _header(service: str, fault: str | None) -> dict[str, Any]:
    signer = signer_of(service, fault)
    header: dict[str, Any] = {"typ": "JWT", "alg": "RS256" if service == "alibaba" else "ES256"}
    if service == "trustee":
        header["jwk"] = public_jwk(signer)
    else:
        header["kid"] = key_id(service)
        if fault == "other-key":
            header["jwk"] = public_jwk(signer)
    if fault == "wrong-kid":
        header["kid"] = key_id("nobody")
    if fault in ("alg-none", "hs256"):
        header["alg"] = {"alg-none": "none", "hs256": "HS256"}[fault]
    odd: dict[str, dict[str, Any]] = {
        "critical-extension": {"crit": ["exp"], "exp": 1},
        "unencoded-payload": {"b64": True},
        "number-as-key-id": {"kid": 1},
    }
    return header | odd.get(fault or "", {})


def signer_of(service: str, fault: str | None) -> str:
    """Which of the published keys signs."""
    return {"alibaba": "other-rsa", "trustee": "other-ec"}[service] if fault == "other-key" else service


def make_token(
    service: str,
    quote: bytes,
    *,
    origin: str,
    now: int,
    shape: str = "new",
    fault: str | None = None,
    respell: Callable[[str], str] | None = None,
    header: dict[str, Any] | None = None,
) -> str:
    """A compact JWT about `quote` (raw bytes) from `service` ("alibaba" or "trustee") at `now` (Unix seconds).

    `origin`: the service's own. `shape`: the Trustee generation, "old" (up to v0.13) or "new". `fault`: of `FAULTS`.
    `respell` changes the payload's text before it is signed; `header` stands in place of the usual one.
    """
    if service == "alibaba":
        payload = _alibaba_payload(quote, origin, now, fault)
    else:
        payload = _trustee_payload(quote, shape, now, fault)
    if fault == "expired":
        _shift(payload, -LIFETIME_S[service] - 3600)
    if fault == "not-yet-valid":
        _shift(payload, 3600)
    if fault == "no-expiry":
        del payload["exp"]
    if fault == "far-expiry":
        payload["exp"] = 2**53 - 1
    text = json.dumps(payload, separators=(",", ":"))
    if fault == "duplicate-key":
        text = text.replace('"exp":', f'"exp":{now - 1},"exp":', 1)
    if fault == "byte-order-mark":
        text = "\ufeff" + text
    text = respell(text) if respell else text
    head = _header(service, fault) if header is None else header
    signed = f"{_b64(json.dumps(head, separators=(',', ':')).encode())}.{_b64(text.encode('utf-8', 'surrogatepass'))}"
    padding_signs = "==" if fault == "padded-signature" else ""
    return f"{signed}.{_b64(_signature(service, signed.encode(), fault))}{padding_signs}"


def _signature(service: str, signed: bytes, fault: str | None) -> bytes:
    if fault == "alg-none":
        return b""
    if fault == "hs256":
        public = private_key(service).public_key()
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        return hmac.new(pem, signed, hashlib.sha256).digest()
    signature = _sign(signer_of(service, fault), signed)
    return bytes((signature[0] ^ 1,)) + signature[1:] if fault == "wrong-signature" else signature
