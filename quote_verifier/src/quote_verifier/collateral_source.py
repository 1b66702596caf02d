"""Where collateral comes from: the server's relay, a PCCS, or Intel's PCS (PCS API version 4).

An untrusted source is fine, because Intel signs every part; what it can do is withhold or send old parts, against which
the dates and `Seen` stand.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import dcap_qvl  # type: ignore[import-untyped]

from .errors import Malformed, Unreachable
from .fetch import Fetcher, join_url, require_ok
from .quote import Quote
from .strictjson import load_object

INTEL_PCS = "https://api.trustedservices.intel.com"
INTEL_ROOT_CRL = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
MAX_PART = 1024 * 1024

Source = Callable[[Quote], dict[str, Any]]


def platform_of(quote: Quote) -> tuple[str, str]:
    """FMSPC (12 upper-case hex digits) and PCK CA ("platform" or "processor") that a quote's PCK certificate names."""
    try:
        parsed = dcap_qvl.parse_quote(quote.raw)
        return str(parsed.fmspc()), str(parsed.ca())
    except (ValueError, AttributeError) as error:
        raise Malformed(f"the quote's PCK certificate names no platform: {error}") from None


def relay(fetcher: Fetcher, base: str) -> Source:
    """The judged server's own relay."""

    def fetch(quote: Quote) -> dict[str, Any]:
        url = join_url(base, "/api/v1/tee/collateral")
        return load_object(require_ok(fetcher.get(url), url), "the relayed collateral")

    return fetch


def _signed_text(body: bytes, member: str, what: str) -> tuple[str, str]:
    """The exact text of the signed member, and its signature (hex)."""
    document = load_object(body, what)
    signature = document.get("signature")
    if not isinstance(document.get(member), dict) or not isinstance(signature, str):
        raise Malformed(f"{what} is malformed: {member} or signature is missing")
    text = body.decode("utf-8")
    start = re.search(rf'"{member}"\s*:\s*', text)
    if start is None:
        raise Malformed(f"{what} is malformed: {member} cannot be found")
    _, end = json.JSONDecoder().raw_decode(text, start.end())
    return text[start.end() : end], signature


@dataclass(frozen=True)
class Sources:
    """Who is asked: the judged server's own relay, and a source that does not depend on it, where one is named."""

    relay: Source
    other: Source | None = None
    other_name: str = ""  # its address

    @property
    def chosen(self) -> Source:
        """Whose answer is judged."""
        return self.other or self.relay


class PccsClient:
    """Fetches the four parts of a quote's collateral from a PCCS or Intel's PCS."""

    def __init__(self, fetcher: Fetcher, base: str) -> None:
        self.fetcher = fetcher
        self.base = re.sub(r"/(sgx|tdx)/certification/v4/*$", "", base.rstrip("/"))

    def _get(self, path: str, *chain_headers: str) -> tuple[bytes, str]:
        url = path if path.startswith("https://") else self.base + path
        answer = self.fetcher.get(url, MAX_PART)
        body = require_ok(answer, url)
        chains = [answer.headers[name] for name in chain_headers if name in answer.headers]
        if chain_headers and not chains:
            raise Unreachable(f"{url} answered without the header {chain_headers[0]}")
        return body, unquote(chains[0]) if chains else ""

    def _root_crl(self) -> str:
        if self.base.startswith(INTEL_PCS):
            return self._get(INTEL_ROOT_CRL)[0].hex()
        body = self._get("/sgx/certification/v4/rootcacrl")[0]
        text = body.decode("latin-1").strip().lower()
        return text if re.fullmatch(r"[0-9a-f]+", text) else body.hex()

    def fetch(self, quote: Quote) -> dict[str, Any]:
        """The collateral object for a quote's platform. Raises `Unreachable` or `Malformed`."""
        fmspc, ca = platform_of(quote)
        crl, crl_chain = self._get(f"/sgx/certification/v4/pckcrl?ca={ca}&encoding=der", "sgx-pck-crl-issuer-chain")
        tcb, tcb_chain = self._get(
            f"/tdx/certification/v4/tcb?fmspc={fmspc}", "tcb-info-issuer-chain", "sgx-tcb-info-issuer-chain"
        )
        qe, qe_chain = self._get("/tdx/certification/v4/qe/identity", "sgx-enclave-identity-issuer-chain")
        tcb_text, tcb_signature = _signed_text(tcb, "tcbInfo", "the PCCS's TCB info")
        qe_text, qe_signature = _signed_text(qe, "enclaveIdentity", "the PCCS's QE identity")
        return {
            "pck_crl_issuer_chain": crl_chain,
            "root_ca_crl": self._root_crl(),
            "pck_crl": crl.hex(),
            "tcb_info_issuer_chain": tcb_chain,
            "tcb_info": tcb_text,
            "tcb_info_signature": tcb_signature,
            "qe_identity_issuer_chain": qe_chain,
            "qe_identity": qe_text,
            "qe_identity_signature": qe_signature,
        }


def pccs(fetcher: Fetcher, base: str) -> Source:
    """A PCCS, or Intel's PCS with `INTEL_PCS`."""
    return PccsClient(fetcher, base).fetch
