"""Relay of Intel's collateral for this platform, from the PCCS that the operator configured.

All of it is signed by Intel, so the relay need not be trusted: it can withhold, and clients then do not see green.
Paths and header names are those of Intel's PCS and PCCS, version 4.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

QCNL_CONF = Path("/etc/sgx_default_qcnl.conf")
#: Fetched again after this long although still in date: a TCB recovery should not wait for nextUpdate.
REFRESH_S = 6 * 3600
#: After a failure the PCCS is left alone for this long.
RETRY_S = 10
TIMEOUT_S = 20
MAX_BODY_BYTES = 4 * 1024 * 1024

_SGX_EXTENSION = x509.ObjectIdentifier("1.2.840.113741.1.13.1")
#: DER of the FMSPC's OID (1.2.840.113741.1.13.1.4) and the head of its 6-byte OCTET STRING.
_FMSPC_DER = bytes.fromhex("060a2a864886f84d010d01040406")
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class CollateralError(Exception):
    """No collateral can be given; the text is one sentence."""


@dataclass(frozen=True)
class Pccs:
    """A PCCS: `base` without the `/sgx/certification/v4` part; `verify_tls` as qcnl's use_secure_cert."""

    base: str
    verify_tls: bool = True


@dataclass(frozen=True)
class Platform:
    """What the PCCS needs to know: 6 bytes of FMSPC in hex, and which CA issued the PCK ("platform" or "processor")."""

    fmspc: str
    ca: str


def find_pccs(configured: str | None, conf: Path = QCNL_CONF) -> Pccs:
    """The PCCS to ask: `configured`, else the one in Intel's `conf` (JSON with comments, or old key=value lines)."""
    if configured:
        return Pccs(_base(configured))
    try:
        text = conf.read_text(encoding="utf-8")
    except OSError:
        raise CollateralError(f"No PCCS is configured: set TEE_PCCS_URL or write {conf}.") from None
    url = re.search(r"""^\s*(?:"pccs_url"\s*:\s*"([^"]+)"|PCCS_URL\s*=\s*(\S+))""", text, re.MULTILINE | re.IGNORECASE)
    if url is None:
        raise CollateralError(f"{conf} names no pccs_url: add one or set TEE_PCCS_URL.")
    insecure = re.search(r"""^\s*"?use_secure_cert"?\s*[:=]\s*"?false""", text, re.MULTILINE | re.IGNORECASE)
    return Pccs(_base(url.group(1) or url.group(2)), verify_tls=insecure is None)


def _base(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise CollateralError(f"The PCCS address {url!r} is not an http or https URL.")
    return re.sub(r"/(sgx|tdx)/certification/v\d+/?$", "", url.rstrip("/"))


def platform_of(quote: bytes) -> Platform:
    """FMSPC and CA of the platform that signed `quote`, from the PCK certificate that it carries (type 5 data)."""
    pem = _PEM.search(quote)
    if pem is None:
        raise CollateralError("This platform's quote carries no PCK certificate, so its collateral cannot be named.")
    try:
        leaf = x509.load_pem_x509_certificate(pem.group())
        sgx = leaf.extensions.get_extension_for_oid(_SGX_EXTENSION).value
    except x509.ExtensionNotFound:
        raise CollateralError("The PCK certificate has no SGX extension.") from None
    except ValueError as error:
        raise CollateralError(f"The PCK certificate cannot be read: {error}.") from None
    data = sgx.value if isinstance(sgx, x509.UnrecognizedExtension) else b""
    at = data.find(_FMSPC_DER)
    if at < 0 or len(data) < at + len(_FMSPC_DER) + 6:
        raise CollateralError("The PCK certificate's SGX extension has no FMSPC.")
    start = at + len(_FMSPC_DER)
    names = leaf.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    issuer = str(names[0].value) if names else ""
    return Platform(
        fmspc=data[start : start + 6].hex().upper(), ca="processor" if "Processor" in issuer else "platform"
    )


async def fetch(pccs: Pccs, platform: Platform) -> dict[str, str]:
    """The collateral object of docs/design.md for `platform`; raises CollateralError."""
    ssl: bool = pccs.verify_tls
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:

            async def get(url: str, header: str | None = None) -> tuple[bytes, str]:
                async with session.get(url, ssl=ssl) as response:
                    if response.status != 200:
                        raise CollateralError(f"The PCCS answered {response.status} for {url}.")
                    body = await response.content.read(MAX_BODY_BYTES + 1)
                    while len(body) <= MAX_BODY_BYTES and (more := await response.content.read(65536)):
                        body += more
                    if len(body) > MAX_BODY_BYTES:
                        raise CollateralError(f"The PCCS sent more than {MAX_BODY_BYTES} bytes for {url}.")
                    chain = unquote(response.headers.get(header, "")) if header else ""
                    if header and not chain:
                        raise CollateralError(f"The PCCS sent no {header} for {url}.")
                    return body, chain

            sgx, tdx = f"{pccs.base}/sgx/certification/v4", f"{pccs.base}/tdx/certification/v4"
            (crl, crl_chain), (tcb, tcb_chain), (qe, qe_chain) = await asyncio.gather(
                get(f"{sgx}/pckcrl?ca={platform.ca}&encoding=der", "SGX-PCK-CRL-Issuer-Chain"),
                get(f"{tdx}/tcb?fmspc={platform.fmspc}", "TCB-Info-Issuer-Chain"),
                get(f"{tdx}/qe/identity", "SGX-Enclave-Identity-Issuer-Chain"),
            )
            try:
                root_crl, _ = await get(f"{sgx}/rootcacrl")
            except CollateralError:  # Intel's own PCS has no such path: the root certificate says where its CRL is
                root_crl, _ = await get(_crl_address(crl_chain))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise CollateralError(f"The PCCS at {pccs.base} cannot be reached: {error or type(error).__name__}.") from None
    tcb_info, tcb_signature = _signed_member(tcb, "tcbInfo")
    qe_identity, qe_signature = _signed_member(qe, "enclaveIdentity")
    return {
        "pck_crl_issuer_chain": crl_chain,
        "root_ca_crl": _der_hex(root_crl),
        "pck_crl": _der_hex(crl),
        "tcb_info_issuer_chain": tcb_chain,
        "tcb_info": tcb_info,
        "tcb_info_signature": tcb_signature,
        "qe_identity_issuer_chain": qe_chain,
        "qe_identity": qe_identity,
        "qe_identity_signature": qe_signature,
    }


def _crl_address(chain: str) -> str:
    try:
        root = x509.load_pem_x509_certificates(chain.encode())[-1]
        points = root.extensions.get_extension_for_oid(ExtensionOID.CRL_DISTRIBUTION_POINTS).value
    except (x509.ExtensionNotFound, ValueError):
        points = None
    for point in points if isinstance(points, x509.CRLDistributionPoints) else ():
        for name in point.full_name or ():
            if isinstance(name, x509.UniformResourceIdentifier) and name.value.startswith("https://"):
                return name.value
    raise CollateralError("The PCCS has no root CRL, and the root certificate names no https address for it.")


def _der_hex(body: bytes) -> str:
    """A CRL as lower-case hex of its DER: a PCCS sends some as hex text, some as DER."""
    if body[:1] == b"\x30":  # DER: a SEQUENCE; the hex text of one starts with the letter "3", 0x33
        return body.hex()
    try:
        return bytes.fromhex(body.decode("ascii").strip()).hex()
    except ValueError:
        raise CollateralError("The PCCS sent a CRL that is neither DER nor hex.") from None


def _signed_member(body: bytes, name: str) -> tuple[str, str]:
    """The exact text of member `name`, over which the signature is, and the signature in hex."""
    try:
        text = body.decode("utf-8")
        signature = json.loads(text)["signature"]
        start = re.search(rf'"{name}"\s*:\s*', text)
        if start is None or not isinstance(signature, str):
            raise ValueError(name)
        _, end = json.JSONDecoder().raw_decode(text, start.end())
        return text[start.end() : end], bytes.fromhex(signature).hex()
    except (ValueError, KeyError, TypeError):
        raise CollateralError(f"The PCCS sent no readable {name}.") from None


def expires_at(collateral: dict[str, str]) -> datetime:
    """When the first part of `collateral` goes out of date (UTC)."""
    try:
        times = [
            datetime.fromisoformat(json.loads(collateral[part])["nextUpdate"].replace("Z", "+00:00"))
            for part in ("tcb_info", "qe_identity")
        ]
        for part in ("pck_crl", "root_ca_crl"):
            following = x509.load_der_x509_crl(bytes.fromhex(collateral[part])).next_update_utc
            if following is None:
                raise CollateralError(f"The PCCS sent a {part} without an end of validity.")
            times.append(following)
    except (ValueError, KeyError, TypeError):
        raise CollateralError("The PCCS sent collateral whose dates cannot be read.") from None
    return min(times)


class CollateralCache:
    """One copy of the collateral, fetched by one request at a time, never given out once expired."""

    def __init__(
        self,
        fetch_now: Callable[[], Awaitable[dict[str, str]]],
        clock: Callable[[], float] = time.monotonic,
        utcnow: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._fetch_now = fetch_now
        self._clock = clock
        self._utcnow = utcnow
        self._lock = asyncio.Lock()
        self._held: tuple[dict[str, str], datetime] | None = None
        self._next_try = 0.0
        self._last_error = ""

    async def get(self) -> dict[str, Any]:
        """Collateral that is in date now; raises CollateralError."""
        async with self._lock:
            if self._clock() >= self._next_try:
                await self._refresh()
            if self._held is not None and self._held[1] > self._utcnow():
                return self._held[0]
            raise CollateralError(self._last_error or "The collateral has expired and the PCCS has no newer one.")

    async def _refresh(self) -> None:
        self._last_error = ""
        try:
            fresh = await self._fetch_now()
            until = expires_at(fresh)
            if until <= self._utcnow():
                raise CollateralError(f"The PCCS sent collateral that expired at {until:%Y-%m-%d %H:%M} UTC.")
        except CollateralError as error:
            self._last_error = str(error)
            self._next_try = self._clock() + RETRY_S
            return
        self._held = (fresh, until)
        left = (until - self._utcnow()).total_seconds()
        self._next_try = self._clock() + min(REFRESH_S, left)
