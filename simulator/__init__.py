"""Software TDX for machines without the hardware.

Quotes, collateral and a drop-in `libtdx_attest.so.1`, all under one published test root (`pki/root.der`). Its private
key lies beside it, so nothing signed here protects anything: a verifier that meets this root must say "simulated".

    profile, pki            the platform that is pretended, its keys and certificates
    plans                   what decides the bytes of a quote and of its collateral, and those bytes
    faults                  ways to be wrong: each changes a plan in exactly one way
    quotes.make_quote       a quote, right or with a fault
    collateral.collateral   the collateral for it, right or with a fault
    pccs.Pccs               serves that collateral on 127.0.0.1 as a PCCS does
    build, src/             the library, in C

The package needs Python 3.11 and `cryptography`; it runs from the repository and from a release's folder alike.
"""

VERSION = "1.0"
