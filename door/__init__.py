"""The door of a release: the one process that holds the TLS key and the network's connections.

It runs nothing of upstream's and no administrator's Python. `python -m door` listens, ends TLS, answers
`/api/v1/tee/*` and the release's static pages itself, and passes everything else to the web server's Unix socket.
"""
