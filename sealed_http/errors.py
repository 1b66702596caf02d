"""What can go wrong with a sealed message; each message is one sentence and says nothing of its content."""


class SealedError(Exception):
    """Base of the errors of this package."""


class MalformedError(SealedError):
    """Bytes that break a format, or are more than one of its limits allows."""


class UnknownKeyError(SealedError):
    """A message for another key, or another suite, than the one that is here: its sender attests again."""


class UnopenedError(SealedError):
    """A sealed chunk that was changed, replayed at another place, or made for another key."""


class TruncatedError(SealedError):
    """A message that ended before its final chunk: never to be taken for a shorter one."""
