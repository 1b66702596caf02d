"""One module a stage; `scripts/stage.py` says what each offers, and the order."""
