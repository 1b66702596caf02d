"""Stand-ins for attestation services: Alibaba Cloud's and a Trustee, on 127.0.0.1, well-behaved or with one fault.

They speak the services' formats exactly, so that tests reach none of the real ones. Their keys (`keys/`) are published:
they protect nothing. In Python: `with StandIn("alibaba", fault="expired") as service: service.url`. As a program:
`python -m tests.standins alibaba --port 0 --ready-file ready.txt`.
"""

from .server import StandIn
from .tokens import FAULTS

__all__ = ["FAULTS", "StandIn"]
