"""Whole HTTP messages, sealed to a key that only the measured TD holds: what the door and a client say to each other.

Binary HTTP (RFC 9292) inside chunked Oblivious HTTP (RFC 9458 and draft-ietf-ohai-chunked-ohttp-08), without a relay.
Nothing here opens a connection. The door of the release and `quote-verifier` carry this folder.
"""
