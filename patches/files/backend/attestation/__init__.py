"""Remote attestation over HTTP: ask the attester, relay Intel's collateral, say how the server is set up.

One implementation of `/api/v1/tee/*`, and of every answer's headers, for both that serve them: the backend itself in
the procedure by hand, and a process before it that runs no line of upstream's. So nothing here imports `open_webui`.
Nothing here has access to the TDX device or vouches for anything: every answer is evidence that the client judges.
"""
