"""The command line. Exit codes: 0 verified, 1 internal error, 2 usage, 3 cannot reach, 4 not genuine, 5 not acceptable,
6 simulated, 7 incomplete. Errors are one sentence on standard error, never a traceback."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .errors import Malformed, Unreachable, UsageError
from .policy import DEFAULT_TOML
from .report import as_json as verdict_json
from .report import print_verdict, printable
from .request import Request, judge

INTERNAL, USAGE, UNREACHABLE, NOT_GENUINE = 1, 2, 3, 4

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def _print_policy(wanted: bool) -> None:
    if wanted:
        print(DEFAULT_TOML, end="")
        raise typer.Exit(0)


EPILOG = (
    "Exit codes: 0 verified, 1 internal error, 2 usage, 3 cannot reach, 4 not genuine, 5 not acceptable, "
    "6 simulated, 7 incomplete."
)


@app.command(epilog=EPILOG)
def command(
    url: Annotated[str | None, typer.Argument(help="The service to verify, such as https://host.")] = None,
    evidence: Annotated[Path | None, typer.Option(metavar="FILE", help="Judge an evidence bundle instead.")] = None,
    quote: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Judge a bare quote instead (binary or hex).")
    ] = None,
    collateral: Annotated[Path | None, typer.Option(metavar="FILE", help="The bare quote's collateral.")] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Judge a file as of this time, such as 2025-07-01T00:00:00Z.")
    ] = None,
    release: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Reference values to compare with; may be repeated.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What to accept (TOML), instead of the strict defaults.")
    ] = None,
    print_policy: Annotated[
        bool,
        typer.Option(
            "--print-policy", help="Print the default policy and exit.", callback=_print_policy, is_eager=True
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The verdict as JSON.")] = False,
    check_assets: Annotated[
        bool, typer.Option("--check-assets", help="Compare every frontend file served with --manifest.")
    ] = False,
    manifest: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The release.json of the release it should be.")
    ] = None,
    service: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Ask an attestation service too: alibaba or trustee.")
    ] = None,
    service_url: Annotated[list[str] | None, typer.Option(metavar="URL", help="Where that service is.")] = None,
    service_key: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Its public key (PEM, JWK, JWKS), instead of the one it serves."),
    ] = None,
    pccs: Annotated[
        str | None, typer.Option(metavar="URL", help="Take collateral from this PCCS, not from the server's relay.")
    ] = None,
    pcs: Annotated[bool, typer.Option("--pcs", help="Take collateral from Intel's PCS.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Take collateral from the cache only.")] = False,
    cache: Annotated[Path | None, typer.Option(metavar="DIR", help="Where collateral is cached.")] = None,
    ca_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CAs to trust for TLS (PEM), instead of the usual ones.")
    ] = None,
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="Keep the evidence as a bundle.")] = None,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, max=600, help="Longest wait for one answer.")
    ] = 20.0,
) -> None:
    """Verify that a service runs in a genuine Intel TDX confidential VM, and runs what you think it runs."""
    del print_policy
    request = Request(
        url,
        evidence,
        quote,
        collateral,
        at,
        release or [],
        policy,
        as_json,
        manifest,
        check_assets,
        service or [],
        service_url or [],
        service_key or [],
        pccs,
        pcs,
        offline,
        cache,
        ca_file,
        save,
        timeout,
    )
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


def run(arguments: list[str] | None = None) -> int:
    """Carry out a command line and return its exit code; every exception becomes one sentence on standard error."""
    try:
        code = app(arguments, prog_name="quote-verifier", standalone_mode=False)
        return code if isinstance(code, int) else INTERNAL  # a command always ends with an exit code
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else INTERNAL
    except UsageError as error:
        return _complain(USAGE, str(error))
    except Unreachable as error:
        return _complain(UNREACHABLE, str(error))
    except Malformed as error:
        return _complain(NOT_GENUINE, str(error))
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
