"""What can go wrong, as four exceptions: their messages are one sentence and are shown to people as they are."""


class VerifierError(Exception):
    """Base of all errors that this package raises on purpose."""


class Malformed(VerifierError):
    """A document or byte string breaks its format. Evidence that is malformed is not genuine."""


class NotGenuine(VerifierError):
    """No known root signs the quote; the message says why in one sentence."""


class UsageError(VerifierError):
    """The caller's own input (a policy, reference values, a key, an option) cannot be used."""


class Unreachable(VerifierError):
    """A service, PCCS or server did not answer in time with something usable."""


def shown(value: object, limit: int = 60) -> str:
    """A wrong value as an error message shows it: at most `limit` characters of it."""
    try:
        text = repr(value)
    except ValueError:  # a number of more digits than Python writes
        return "a huge number"
    return text if len(text) <= limit else f"{text[:limit]}..."
