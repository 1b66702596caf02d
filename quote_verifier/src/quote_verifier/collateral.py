"""Collateral: what Intel signs about a platform (PCS API version 4), as dcap-qvl's object of nine members; a tenth,
the PCK chain that dcap-qvl adds, must equal the quote's.

Nothing here is believed before `genuine` has checked its signatures.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

from .encoding import from_hex
from .errors import Malformed
from .intel_documents import require_shape
from .quote import pem_certificates
from .strictjson import load_object, text_member

CHAINS = ("pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain")
HEX_MEMBERS = ("root_ca_crl", "pck_crl", "tcb_info_signature", "qe_identity_signature")
TEXTS = ("tcb_info", "qe_identity")
MEMBERS = (*CHAINS, *HEX_MEMBERS, *TEXTS)
PCK_CHAIN = "pck_certificate_chain"
SIGNATURE_SIZE = 64  # r || s
MAX_MEMBER = 1024 * 1024


@dataclass(frozen=True)
class Seen:
    """The newest collateral seen before; whatever is older is refused. Zero: nothing seen."""

    tcb_evaluation_data_number: int = 0
    root_ca_crl_number: int = 0
    pck_crl_number: int = 0

    def as_dict(self) -> dict[str, int]:
        """As JSON holds it."""
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
        members[PCK_CHAIN] = pem(pck_chain)
        return json.dumps(members)

    def fault(self, pck_chain: tuple[bytes, ...]) -> str | None:
        """A sentence if the collateral says that it was fetched for another PCK chain than the quote's."""
        if self.chains.get(PCK_CHAIN, pck_chain) != pck_chain:
            return f"the collateral's {PCK_CHAIN} is not the quote's: it was fetched for another quote"
        return None


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
    unknown = sorted(set(value) - {*MEMBERS, PCK_CHAIN})
    if unknown:
        raise Malformed(f"the collateral is malformed: unknown member {unknown[0][:64]!r}")
    given = (*MEMBERS, PCK_CHAIN) if PCK_CHAIN in value else MEMBERS
    members = {key: text_member(value, key, "the collateral") for key in given}
    for key, text in members.items():
        if len(text) > MAX_MEMBER or not text.isascii():
            raise Malformed(f"the collateral's {key} is larger than {MAX_MEMBER} bytes or not ASCII text")
    for key in HEX_MEMBERS:
        members[key] = members[key].lower()
        size = SIGNATURE_SIZE if key.endswith("_signature") else None
        if not from_hex(members[key], f"the collateral's {key}", size):
            raise Malformed(f"the collateral's {key} is empty")
    documents = {key: load_object(members[key], f"the collateral's {key}") for key in TEXTS}
    for key, document in documents.items():
        require_shape(key, document)
    chains = {
        key: pem_certificates(text.encode("utf-8"), f"the collateral's {key}")
        for key, text in members.items()
        if key.endswith("_chain")
    }
    return Collateral(members, chains, documents)
