"""A second opinion on collateral: whoever is judged chooses what the relay hands out, the oldest still in date as well.

The newest of each part counts, since Intel signs every part alone. Nothing is believed here: what comes out is verified
as any collateral is, so a server whose relay hands out a forged newer part has only itself refused.
"""

from typing import Any

from .collateral import Collateral, parse_collateral
from .crls import crl_number
from .errors import Malformed, Unreachable

ONLY_RELAY = "no other source than the server itself was asked for it (--pcs, --pccs)"
# each with the certificates and the signature that vouch for it
PARTS = {
    "tcb_info": ("tcb_info", "tcb_info_signature", "tcb_info_issuer_chain"),
    "qe_identity": ("qe_identity", "qe_identity_signature", "qe_identity_issuer_chain"),
    "pck_crl": ("pck_crl", "pck_crl_issuer_chain"),
    "root_ca_crl": ("root_ca_crl",),
}


def _rank(collateral: Collateral, part: str) -> tuple[int, str]:
    """Grows with how new a part is: its number, then its date (ISO 8601, so that its text sorts)."""
    document = collateral.documents.get(part)
    if document is None:
        return crl_number(collateral.members[part]), ""
    return int(document["tcbEvaluationDataNumber"]), str(document["issueDate"])


def _ranks(value: Any) -> dict[str, tuple[int, str]]:
    collateral = parse_collateral(value)
    return {part: _rank(collateral, part) for part in PARTS}


def newest(asked: dict[str, Any], relayed: dict[str, Any] | Malformed | Unreachable) -> tuple[dict[str, Any], str]:
    """The newest parts of what the source that was asked for gave and of what the server's relay gave (or why it gave
    none), and a clause that says what the comparison showed. Raises `Malformed` where `asked` is."""
    mine = _ranks(asked)
    try:
        if isinstance(relayed, Exception):
            raise relayed
        theirs = _ranks(relayed)
    except (Malformed, Unreachable) as error:
        return asked, f"the server's own relay gave none to compare with ({error})"
    older = [part for part in PARTS if theirs[part] < mine[part]]
    newer = [part for part in PARTS if theirs[part] > mine[part]]
    said = [f"the server's own relay hands out an older {', '.join(older)}, which was not used"] if older else []
    said += [f"{', '.join(newer)} from the server's own relay, which has a newer one"] if newer else []
    merged = asked | {member: relayed[member] for part in newer for member in PARTS[part]}
    return merged, "; ".join(said) or "the server's own relay hands out none that is older"
