"""One module a stage; `scripts/building/stage.py` says what each offers, and the order."""
