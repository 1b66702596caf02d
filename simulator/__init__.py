"""Software TDX for machines without the hardware.

Quotes, collateral and a drop-in `libtdx_attest.so.1`, all under one published test root (`pki/root.der`). Its private
key lies beside it, so nothing signed here protects anything: a verifier that meets this root must say "simulated".

    quotes.make_quote       a quote, or one that is wrong in exactly one way
    collateral.collateral   the collateral for it, or one that is wrong in exactly one way
    pccs.Pccs               serves that collateral on 127.0.0.1 as a PCCS does
    build.build             compiles the library

The package needs Python 3.11 and `cryptography`; it runs from the repository and from a release's folder alike.
"""

VERSION = "1.0"
