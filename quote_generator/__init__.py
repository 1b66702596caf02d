"""Quotes of an Intel TDX confidential VM: the attester's side.

    import quote_generator
    quote = quote_generator.generate_quote(report_data)

Importing works on any machine; the first call looks for libtdx_attest (or configfs-tsm) and says what is missing.
Formats, event log and attester are modules of their own: `quote_generator.formats`, `.eventlog`, `.attester`.
"""

from .errors import TdxAttestError
from .quoting import generate_quote, get_report, get_supported_key_ids
from .registers import extend_rtmr

__version__ = "1.0.0"
__all__ = ["TdxAttestError", "extend_rtmr", "generate_quote", "get_report", "get_supported_key_ids"]
