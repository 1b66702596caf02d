"""The command line: `python -m quote_generator quote|report|parse|extend|log|info`.

Exit codes: 0 done, 1 failed, 2 usage. Failures are one sentence on standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import aael, info, quoting, registers
from .errors import TdxAttestError
from .eventlog import EventLog, EventLogError
from .formats import FormatError, Quote, TdReport, parse_quote, parse_report
from .logfolder import LogFolder
from .output import show, write_binary


def hex_bytes(text: str) -> bytes:
    """Bytes from hexadecimal digits, as argparse wants them."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is no hex string") from None


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line, read."""
    parser = argparse.ArgumentParser("python -m quote_generator", description="Quotes and measurements of this TD.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON document")
    binary = argparse.ArgumentParser(add_help=False)
    binary.add_argument("--report-data", type=hex_bytes, default=b"", metavar="HEX", help="0 to 64 bytes")
    binary.add_argument("--out", metavar="FILE", help="write the binary there; - is standard output, for a pipe")
    commands = parser.add_subparsers(dest="command", required=True)

    commands.add_parser("quote", parents=[common, binary], help="a quote of this TD").set_defaults(run=quote)
    commands.add_parser("report", parents=[common, binary], help="a TD report").set_defaults(run=report)
    parse = commands.add_parser("parse", parents=[common], help="what a quote or TD report says (genuine or not)")
    parse.add_argument("file", metavar="FILE", help="binary or hex; - is standard input")
    parse.set_defaults(run=parse_file)
    extend = commands.add_parser("extend", parents=[common], help="extend a register by a digest, without a log")
    extend.add_argument("index", type=int, choices=(2, 3), help="the register; an event log of RTMR 3 becomes invalid")
    extend.add_argument("digest", type=hex_bytes, metavar="HEX", help="48 bytes")
    extend.set_defaults(run=extend_register)
    log = commands.add_parser("log", parents=[common], help="the event log of this boot, compared with RTMR 3")
    log.add_argument("directory", type=Path, metavar="DIR", help="the folder that holds the logs")
    log.add_argument("--append", nargs=2, metavar=("OPERATION", "CONTENT"), help="measure and log an event first")
    log.set_defaults(run=event_log)
    commands.add_parser("info", parents=[common], help="what this machine has").set_defaults(run=machine)
    return parser.parse_args(argv)


def quote(options: argparse.Namespace) -> None:
    """Write a quote, or the evidence around it."""
    data = quoting.generate_quote(options.report_data)
    if options.out:
        return write_binary(options.out, data)
    show(
        options.json,
        {"tee": quoting.tee_kind(), "quote": data.hex(), "quote_parse": described(parse_quote(data))},
        hide=("quote",),
    )


def report(options: argparse.Namespace) -> None:
    """Write the TDREPORT, 1,024 bytes."""
    data = quoting.get_report(options.report_data)
    if options.out:
        return write_binary(options.out, data)
    show(
        options.json,
        {"tee": quoting.tee_kind(), "report": data.hex(), "report_parse": described(parse_report(data))},
        hide=("report",),
    )


def parse_file(options: argparse.Namespace) -> None:
    """Print the fields of a quote or TDREPORT in a file."""
    data = sys.stdin.buffer.read() if options.file == "-" else Path(options.file).read_bytes()
    show(options.json, described(parse_any(data)))


def parse_any(data: bytes) -> Quote | TdReport:
    """A quote or a TD report, binary or hex."""
    with contextlib.suppress(ValueError):  # not hex: binary
        data = bytes.fromhex(data.decode("ascii"))
    return parse_report(data) if len(data) == TdReport.size() else parse_quote(data)


def described(parsed: Quote | TdReport) -> dict[str, Any]:
    """The fields of a quote or TDREPORT by name, and the flags that are set."""
    body = parsed.body if isinstance(parsed, Quote) else parsed.td_info
    return {
        **parsed.fields(),
        "td_attributes_set": body.attributes.names(),
        "xfam_set": body.features.names(),
    }


def extend_register(options: argparse.Namespace) -> None:
    """Extend RTMR 2 or 3 with a digest of 48 bytes."""
    registers.extend_rtmr(options.index, options.digest)
    register = registers.find_registers(index=options.index)
    show(options.json, {f"rtmr_{options.index}": register.read().hex()})


def event_log(options: argparse.Namespace) -> None:
    """Print the event log, or compare it with the register."""
    if not options.append and not options.directory.is_dir():
        raise EventLogError(f"there is no folder {options.directory}")
    if options.append:
        log = EventLog.open(options.directory, registers.find_registers())
        log.append(*options.append)
    else:
        log = EventLog(LogFolder(options.directory), registers.find_registers())
    lines = log.lines()
    show(options.json, {"rtmr_3": aael.replay_lines(lines).hex(), "agrees": True, "event_log": lines})


def machine(options: argparse.Namespace) -> None:
    """Print what this machine has of TDX."""
    show(options.json, info.collect())


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; a failure is one sentence and exit code 1."""
    options = arguments(argv)
    try:
        options.run(options)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, FormatError) else 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing left to flush at exit
        return 1
    except OSError as error:
        print(f"error: {error.filename or 'output'}: {error.strerror}", file=sys.stderr)
        return 1
    except (TdxAttestError, EventLogError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
