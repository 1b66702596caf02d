"""The bytes of TDX evidence: quotes (versions 4 and 5) and TD reports. Needs neither the extension nor a device.

quote = parse_quote(data)         # FormatError where the bytes are wrong
quote.body.mr_td, quote.body.attributes.debug, quote.pack() == data
"""

from .attributes import TdAttributes, Xfam
from .bodies import EnclaveReport, TdBody10, TdBody15
from .certification import CertificationData, QeCertification, SignatureData
from .quote import Quote, QuoteHeader, parse_quote
from .record import FormatError
from .tdreport import TdReport, parse_report

__all__ = [
    "CertificationData",
    "EnclaveReport",
    "FormatError",
    "QeCertification",
    "Quote",
    "QuoteHeader",
    "SignatureData",
    "TdAttributes",
    "TdBody10",
    "TdBody15",
    "TdReport",
    "Xfam",
    "parse_quote",
    "parse_report",
]
