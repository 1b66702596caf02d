"""What stands outside of a sealed message, where anybody on the way reads it: address, media types, problem types."""

from __future__ import annotations

PATH = "/api/v1/tee/channel"
REQUEST_TYPE, ANSWER_TYPE = "message/ohttp-chunked-req", "message/ohttp-chunked-res"
KEY_PROBLEM = "https://iana.org/assignments/http-problem-types#ohttp-key"  # RFC 9458, section 5.3
DATE_PROBLEM = "https://iana.org/assignments/http-problem-types#date"  # RFC 9458, section 6.5.2
