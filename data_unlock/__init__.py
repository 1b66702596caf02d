"""How the owner of a service's data has it opened by a TD that was verified: one message, one answer.

The message is signed by the owner's Ed25519 key, and the data's key in it is sealed (HPKE, RFC 9180) to an X25519 key
that the TD drew for one use and that its quote binds. The answer carries a MAC that only the two can make. Nothing here
opens a connection. The door of the release and `quote-verifier` carry this folder.
"""
