"""The web server's side of remote attestation: ask the attester, relay Intel's collateral, say how it is set up.

The web server has no access to the TDX device and vouches for nothing: every answer is evidence that the client judges.
"""
