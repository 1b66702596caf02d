"""dcap-qvl's reasons in plain sentences: what is wrong, and what to do where something can be done."""

import re
from datetime import UTC, datetime

_AGAIN = "fetch the collateral again, or judge a file as of its time with --at"
_SENTENCES = {
    "TCBInfo expired": f"the TCB info has expired; {_AGAIN}",
    "QE Identity expired": f"the QE identity has expired; {_AGAIN}",
    "TCBInfo issue date is in the future": "the TCB info is dated in the future; check the clock",
    "QE Identity issue date is in the future": "the QE identity is dated in the future; check the clock",
    "Failed to verify certificate chain": (
        "a certificate chain does not lead to the root, or a certificate or CRL on it is expired, revoked or forged"
    ),
    "Failed to parse root CA CRL": "the root's CRL is not one that the root signed",
    "Failed to parse PCK CRL": "the PCK CRL is not a CRL",
    "ISV enclave report signature is invalid": "the quote's signature is wrong",
    "Signature is invalid for qe_report in quote": "the quoting enclave's report is not signed by the platform's PCK",
    "QE report hash mismatch": "the quoting enclave does not vouch for this attestation key",
    "QE report validation failed": "the quoting enclave is not Intel's production one",
    "Fmspc mismatch": "the collateral is of another platform model",
    "No matching TCB level found": "the platform is below every TCB level that the collateral lists",
    "Signature is invalid for tcb_info in quote_collateral": "the TCB info's signature is wrong",
    "Signature is invalid for qe_identity in quote_collateral": "the QE identity's signature is wrong",
    "TDX module identity check": "the TDX module's signer or attributes are not those in the TCB info",
    "TDX module TCB level check": "the TDX module is unknown to the TCB info, or below all its levels",
}
_EXPIRED = re.compile(r"CrlExpired .*next_update: UnixTime\((\d{1,11})\)")


def explain(reason: str) -> str:
    """One sentence for dcap-qvl's `reason`; the reason itself where there is no better one (at most 200 characters)."""
    expired = _EXPIRED.match(reason)
    if expired:
        day = datetime.fromtimestamp(int(expired[1]), UTC).strftime("%Y-%m-%d %H:%M")
        return f"a CRL of the collateral expired on {day} UTC; {_AGAIN}"
    return _SENTENCES.get(reason, " ".join(reason.split())[:200])
