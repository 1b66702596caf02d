"""The command line's options: the type of each, and what `--help` says of it."""

from pathlib import Path
from typing import Annotated

import typer

from .policy import DEFAULT_TOML


def _print_policy(wanted: bool) -> None:
    if wanted:
        print(DEFAULT_TOML, end="")
        raise typer.Exit(0)


Url = Annotated[str | None, typer.Argument(help="The service to verify, such as https://host.")]
Evidence = Annotated[Path | None, typer.Option(metavar="FILE", help="Judge an evidence bundle instead.")]
Quote = Annotated[Path | None, typer.Option(metavar="FILE", help="Judge a bare quote instead (binary or hex).")]
Collateral = Annotated[Path | None, typer.Option(metavar="FILE", help="The bare quote's collateral.")]
At = Annotated[
    str | None, typer.Option(metavar="TIME", help="Judge a file as of this time, such as 2025-07-01T00:00:00Z.")
]
Release = Annotated[
    list[Path] | None, typer.Option(metavar="FILE", help="Reference values to compare with; may be repeated.")
]
Policy = Annotated[
    Path | None, typer.Option(metavar="FILE", help="What to accept (TOML), instead of the strict defaults.")
]
PrintPolicy = Annotated[
    bool,
    typer.Option("--print-policy", help="Print the default policy and exit.", callback=_print_policy, is_eager=True),
]
AsJson = Annotated[bool, typer.Option("--json", help="The verdict as JSON.")]
CheckAssets = Annotated[
    bool, typer.Option("--check-assets", help="Compare every frontend file served with --manifest.")
]
Manifest = Annotated[Path | None, typer.Option(metavar="FILE", help="The release.json of the release it should be.")]
Service = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Ask an attestation service too: alibaba or trustee.")
]
ServiceUrl = Annotated[list[str] | None, typer.Option(metavar="URL", help="Where that service is.")]
ServiceKey = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="Its public key (PEM, JWK, JWKS), instead of the one it serves."),
]
Pccs = Annotated[
    str | None, typer.Option(metavar="URL", help="Take collateral from this PCCS, not from the server's relay.")
]
Pcs = Annotated[bool, typer.Option("--pcs", help="Take collateral from Intel's PCS.")]
Offline = Annotated[bool, typer.Option("--offline", help="Take collateral from the cache only.")]
Cache = Annotated[Path | None, typer.Option(metavar="DIR", help="Where collateral is cached.")]
CaFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="CAs to trust for TLS (PEM), instead of the usual ones.")
]
Ct = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Ask this log monitor, such as https://crt.sh, for certificates of other keys."),
]
KnownKey = Annotated[
    list[str] | None,
    typer.Option(metavar="SHA256", help="A key that the TD held before, which --ct accepts; may be repeated."),
]
Save = Annotated[Path | None, typer.Option(metavar="FILE", help="Keep the evidence as a bundle.")]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", min=0.1, max=600, help="Longest wait for one answer.")]
