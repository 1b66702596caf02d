"""`python -m quote_verifier`: the same as the command `quote-verifier`."""

from .cli import main

if __name__ == "__main__":
    main()
