"""Collateral: what Intel signs about a platform (PCS API version 4), as dcap-qvl's object of nine members.

Nothing here is believed before `genuine` has checked its signatures.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from .encoding import from_hex
from .errors import Malformed
from .quote import pem_certificates
from .strictjson import load_object, text_member

CHAINS = ("pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain")
HEX_MEMBERS = ("root_ca_crl", "pck_crl", "tcb_info_signature", "qe_identity_signature")
TEXTS = ("tcb_info", "qe_identity")
MEMBERS = (*CHAINS, *HEX_MEMBERS, *TEXTS)
MAX_MEMBER = 1024 * 1024


@dataclass(frozen=True)
class Seen:
    """The newest collateral seen before; whatever is older is refused. Zero: nothing seen."""

    tcb_evaluation_data_number: int = 0
    root_ca_crl_number: int = 0
    pck_crl_number: int = 0

    def as_dict(self) -> dict[str, int]:
        return dict(self.__dict__)

    def newest(self, other: "Seen") -> "Seen":
        """Member by member, the greater."""
        mine, theirs = self.as_dict(), other.as_dict()
        return Seen(**{key: max(mine[key], theirs[key]) for key in mine})

    def refusal(self, current: "Seen") -> str | None:
        """A sentence if `current` is older than this in any member."""
        for key, newest in self.as_dict().items():
            if getattr(current, key) < newest:
                name = key.replace("_", " ")
                current_number = getattr(current, key)
                return f"the collateral is older than what was seen before: {name} {current_number}, seen {newest}"
        return None


@dataclass(frozen=True)
class Collateral:
    """Well-formed, not yet believed. Chains are DER, leaf first; CRLs DER; the two texts exactly as signed."""

    members: dict[str, str]
    chains: dict[str, tuple[bytes, ...]]
    documents: dict[str, dict[str, Any]]  # the two texts, parsed

    def for_dcap(self, pck_chain: tuple[bytes, ...]) -> str:
        """dcap-qvl's JSON with every chain re-encoded, so that both readers see the same certificates."""
        members: dict[str, str] = dict(self.members)
        for name, chain in self.chains.items():
            members[name] = pem(chain)
        members["pck_certificate_chain"] = pem(pck_chain)
        return json.dumps(members)


def pem(chain: tuple[bytes, ...]) -> str:
    """PEM text of DER certificates, in one canonical spelling."""
    blocks = []
    for der in chain:
        body = base64.b64encode(der).decode("ascii")
        lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
        blocks.append(f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n")
    return "".join(blocks)


def parse_collateral(value: Any) -> Collateral:
    """Check the shape of a collateral object. Raises `Malformed`: members missing, unknown, or badly encoded.

    Where what came could not even be read as an object, `value` is the `Malformed` that says why, and is raised.
    """
    if isinstance(value, Malformed):
        raise value
    if not isinstance(value, dict):
        raise Malformed("the collateral is malformed: not a JSON object")
    unknown = sorted(set(value) - set(MEMBERS))
    if unknown:
        raise Malformed(f"the collateral is malformed: unknown member {unknown[0][:64]!r}")
    members = {key: text_member(value, key, "the collateral") for key in MEMBERS}
    for key, text in members.items():
        if len(text) > MAX_MEMBER or not text.isascii():
            raise Malformed(f"the collateral's {key} is larger than {MAX_MEMBER} bytes or not ASCII text")
    for key in HEX_MEMBERS:
        members[key] = members[key].lower()
        if not from_hex(members[key], f"the collateral's {key}"):
            raise Malformed(f"the collateral's {key} is empty")
    documents = {key: load_object(members[key], f"the collateral's {key}") for key in TEXTS}
    chains = {key: pem_certificates(members[key].encode("utf-8"), f"the collateral's {key}") for key in CHAINS}
    return Collateral(members, chains, documents)


def crl_number(der: bytes) -> int:
    """The CRL number (RFC 5280, 5.2.3), 0 if there is none. Raises `Malformed`."""
    try:
        crl = x509.load_der_x509_crl(der)
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0
    except ValueError:
        raise Malformed("the collateral holds a CRL that cannot be parsed") from None
