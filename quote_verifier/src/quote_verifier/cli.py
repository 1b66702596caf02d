"""The command line. Exit codes: 0 verified, 1 internal error, 2 usage, 3 cannot reach, 4 not genuine, 5 not acceptable,
6 simulated, 7 incomplete. Errors are one sentence on standard error, never a traceback."""

import os
import sys

import typer
from rich.console import Console

from . import options
from .errors import Malformed, Unreachable, UsageError
from .report import as_json as verdict_json
from .report import print_verdict, printable
from .request import Request, judge
from .verdict import ERROR_CODES, EXIT_CODES

INTERNAL, USAGE, UNREACHABLE = (ERROR_CODES[error] for error in ("internal error", "usage", "cannot reach"))

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


_CODES = sorted((code, name.replace("-", " ")) for name, code in (EXIT_CODES | ERROR_CODES).items())
EPILOG = (
    f"Exit codes: {', '.join(f'{code} {name}' for code, name in _CODES)}. "
    "See also: quote-verifier connect --help, quote-verifier unlock --help."
)


@app.command(epilog=EPILOG)
def command(
    url: options.Url = None,
    evidence: options.Evidence = None,
    quote: options.Quote = None,
    collateral: options.Collateral = None,
    at: options.At = None,
    release: options.Release = None,
    policy: options.Policy = None,
    print_policy: options.PrintPolicy = False,
    as_json: options.AsJson = False,
    check_assets: options.CheckAssets = False,
    manifest: options.Manifest = None,
    service: options.Service = None,
    service_url: options.ServiceUrl = None,
    service_key: options.ServiceKey = None,
    pccs: options.Pccs = None,
    pcs: options.Pcs = False,
    offline: options.Offline = False,
    cache: options.Cache = None,
    ca_file: options.CaFile = None,
    ct: options.Ct = None,
    known_key: options.KnownKey = None,
    save: options.Save = None,
    timeout: options.Timeout = 20.0,
) -> None:
    """Verify that a service runs in a genuine Intel TDX confidential VM, and runs what you think it runs."""
    given = {name: value for name, value in locals().items() if name != "print_policy" and value is not None}
    request = Request(**given)
    verdict = judge(request)
    if as_json:
        print(verdict_json(verdict))
    else:
        print_verdict(verdict, str(url or evidence or quote), Console())
    raise typer.Exit(verdict.exit_code)


def _complain(code: int, message: str) -> int:
    print(f"quote-verifier: {printable(message)}", file=sys.stderr)
    return code


def _wrong_option(error: BaseException) -> str | None:
    """What the option parser says is wrong. Its exceptions are click's, which newer typers carry: one method tells."""
    message = getattr(error, "format_message", None)
    return str(message()).rstrip(".") if callable(message) else None


def _carry_out(arguments: list[str]) -> object:
    if arguments[:1] == ["unlock"]:
        from .unlock.command import app as unlock

        return unlock(arguments[1:], prog_name="quote-verifier unlock", standalone_mode=False)
    if arguments[:1] != ["connect"]:
        return app(arguments, prog_name="quote-verifier", standalone_mode=False)
    from .connect.command import app as connect  # a server, which a judgement does not wait for

    return connect(arguments[1:], prog_name="quote-verifier connect", standalone_mode=False)


def run(arguments: list[str] | None = None) -> int:
    """Carry out a command line and return its exit code; every exception becomes one sentence on standard error."""
    try:
        code = _carry_out(sys.argv[1:] if arguments is None else arguments)
        return code if isinstance(code, int) else INTERNAL  # a command always ends with an exit code
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else INTERNAL
    except UsageError as error:
        return _complain(USAGE, str(error))
    except Unreachable as error:
        return _complain(UNREACHABLE, str(error))
    except Malformed as error:
        return _complain(EXIT_CODES["not-genuine"], str(error))
    except (KeyboardInterrupt, typer.Abort):
        return _complain(INTERNAL, "interrupted")
    except BaseException as error:
        wrong = _wrong_option(error)
        if wrong:
            return _complain(USAGE, f"{wrong}; see --help")
        return _complain(INTERNAL, f"internal error: {type(error).__name__}: {error}")


def main() -> None:
    """The entry point. Leaves without waiting for downloads that were given up."""
    code = run()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or INTERNAL
    os._exit(code)
