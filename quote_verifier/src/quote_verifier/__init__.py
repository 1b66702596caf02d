"""The relying party's side of Intel TDX remote attestation: genuine? acceptable? bound to me?

from quote_verifier import load_bundle, verify
verdict = verify(load_bundle(data))
if verdict.overall != "verified": ...
"""

from .appraise import Options, verify, verify_bare
from .bundle import Bundle, load_bundle
from .collateral import Seen
from .errors import Malformed, Unreachable, UsageError, VerifierError
from .policy import Policy, load_policy
from .quote import Quote, parse_quote
from .references import References, load_references
from .tokens import Service
from .verdict import Check, Verdict

__all__ = [
    "Bundle",
    "Check",
    "Malformed",
    "Options",
    "Policy",
    "Quote",
    "References",
    "Seen",
    "Service",
    "Unreachable",
    "UsageError",
    "Verdict",
    "VerifierError",
    "load_bundle",
    "load_policy",
    "load_references",
    "parse_quote",
    "verify",
    "verify_bare",
]
