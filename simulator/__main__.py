"""python -m simulator: build the library, make quotes and collateral, serve collateral, remake the PKI."""

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

IN_RELEASE = not Path(__file__).with_name("build.py").exists()  # a release carries the library ready-made


def _build(arguments: argparse.Namespace) -> None:
    from .build import BuildError, compile_library

    try:
        print(compile_library(arguments.out, cc=shlex.split(arguments.cc)))
    except BuildError as error:
        raise SystemExit(f"simulator: {error}") from None


def _pki(arguments: argparse.Namespace) -> None:
    from . import embed, pki

    pki.generate()
    embed.write()
    embed.write_boot_log()
    print(pki.FOLDER)


def _hexadecimal(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"--report-data is {text!r}; it must be hexadecimal digits, two a byte") from None


def _quote(arguments: argparse.Namespace) -> None:
    from .quotes import make_quote

    quote = make_quote(_hexadecimal(arguments.report_data), version=arguments.version, fault=arguments.fault)
    arguments.out.write_bytes(quote)


def _collateral(arguments: argparse.Namespace) -> None:
    from .collateral import collateral

    made = collateral(arguments.now, fault=arguments.fault)
    text = json.dumps(made, indent=2) + "\n"
    if arguments.out:
        arguments.out.write_text(text)
    else:
        sys.stdout.write(text)


def _faults(arguments: argparse.Namespace) -> None:
    from .faults import collateral as of_collateral
    from .faults import quote as of_quotes

    for kind in (of_quotes.FAULTS, of_collateral.FAULTS):
        for fault in kind.values():
            print(f"{kind.kind:10}  {fault.name:38}  {fault.verdict:34}  {fault.summary}")


def _pccs(arguments: argparse.Namespace) -> None:
    from .pccs import serve

    serve(arguments.port, fault=arguments.fault, ready_file=arguments.ready_file)


def _add_build_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    build = commands.add_parser("build", help="compile libtdx_attest.so.1")
    build.add_argument("--out", type=Path, required=True, help="folder for the library")
    build.add_argument(
        "--cc", default=os.environ.get("CC") or "cc", help='compiler, for example "gcc" (default: $CC or cc)'
    )
    build.set_defaults(run=_build)

    pki = commands.add_parser("pki", help="write the published keys and certificates again")
    pki.set_defaults(run=_pki)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    if not IN_RELEASE:
        _add_build_commands(commands)

    quote = commands.add_parser("quote", help="write a quote")
    quote.add_argument("--out", type=Path, required=True)
    quote.add_argument("--report-data", default="", metavar="HEX", help="0 to 64 bytes")
    quote.add_argument("--version", type=int, default=4, choices=(4, 5))
    quote.add_argument("--fault")
    quote.set_defaults(run=_quote)

    collateral = commands.add_parser("collateral", help="print or write the collateral (JSON)")
    collateral.add_argument("--out", type=Path)
    collateral.add_argument("--now", type=float, help="seconds since 1970 (default: the clock)")
    collateral.add_argument("--fault")
    collateral.set_defaults(run=_collateral)

    faults = commands.add_parser("faults", help="list the faults of quotes and collateral")
    faults.set_defaults(run=_faults)

    pccs = commands.add_parser("pccs", help="serve the collateral on 127.0.0.1 as a PCCS does")
    pccs.add_argument("--port", type=int, default=0, help="0: any free one")
    pccs.add_argument("--fault", help="a collateral fault")
    pccs.add_argument("--ready-file", type=Path, help="gets the URL once the server listens")
    pccs.set_defaults(run=_pccs)
    return top


def main() -> None:
    """Run one command. A user's mistake is one sentence and exit code 1."""
    arguments = parser().parse_args()
    try:
        arguments.run(arguments)
    except OSError as error:
        raise SystemExit(f"simulator: cannot use {error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise SystemExit(f"simulator: {error}") from None


if __name__ == "__main__":
    main()
