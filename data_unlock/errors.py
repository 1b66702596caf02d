"""What can go wrong with an unlock message or its answer; each message is one sentence and says nothing of a key."""


class UnlockError(Exception):
    """Base of the errors of this package."""


class MalformedError(UnlockError):
    """Bytes that are no message or no answer of this form."""


class RefusedError(UnlockError):
    """A message for another key, another owner, or changed on its way: nothing is opened."""


class UnprovenError(UnlockError):
    """An answer that does not come from the TD that the message was sealed to."""
