"""The command line: `python -m scripts STAGE`, `build`, `status` and the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.building.stage import STAGES, ensure
from scripts.building.status import report
from scripts.config import Config, from_environment, root

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)


def config() -> Config:
    """The settings, from the environment."""
    return from_environment(root())


def _stage_command(name: str) -> None:
    @app.command(name, help=f"Bring stage {name} up to date (its dependencies must be).")
    def command() -> None:
        ensure(config(), name)


for _name in STAGES:
    _stage_command(_name)


@app.command()
def build() -> None:
    """Bring every stage up to date, one after the other."""
    cfg = config()
    for name in STAGES:
        ensure(cfg, name)


@app.command()
def status(quiet: Annotated[bool, typer.Option("--quiet", help="Only the exit status, 10 if not.")] = False) -> None:
    """Say which stages are current; exit status 10 if one is not."""
    raise typer.Exit(report(config(), quiet))


@app.command("list-upstream")
def list_upstream() -> None:
    """Make scripts/sources/upstream-files.sha256 anew from the pinned source (only when the pin itself changes)."""
    from scripts.building.files import write_durably
    from scripts.run import Runner
    from scripts.sources import upstream_files
    from scripts.stages.fetch import list_upstream as make

    cfg = config()
    text = make(cfg, Runner("list-upstream", cfg.logs / "list-upstream.log"))
    write_durably(cfg.root / upstream_files.LIST, text.encode())
    print(f"{cfg.root / upstream_files.LIST}: {text.count(chr(10))} lines, {len(text)} bytes")


@app.command()
def lock() -> None:
    """Lock the environments of the build tool and the tests anew."""
    from scripts.run import Runner
    from scripts.tools.toollocks import lock as make

    cfg = config()
    run = Runner("lock", cfg.logs / "lock.log")
    run.start_log()
    make(cfg, run)


@app.command("lock-image")
def lock_image() -> None:
    """Lock the Debian packages of the machine image anew, in the newest version of each."""
    from scripts.building.files import write_durably
    from scripts.image import mirror, packages
    from scripts.run import Runner

    cfg = config()
    run = Runner("lock-image", cfg.logs / "lock-image.log")
    run.start_log()
    found = mirror.lock(cfg, run)
    write_durably(cfg.root / packages.LOCK, packages.write(found).encode())
    print(f"{packages.LOCK}: {len(found)} packages")


@app.command()
def image(
    form: Annotated[str, typer.Option("--format", help="raw, or qcow2 beside it.")] = "raw",
    firmware: Annotated[Path | None, typer.Option(help="A firmware for TDX, to predict MRTD and RTMR 0.")] = None,
) -> None:
    """Build the machine image of the built release, and predict what the hardware will measure of it."""
    from scripts.image import forms
    from scripts.image.building import build as make
    from scripts.run import Runner

    cfg = config()
    run = Runner("image", cfg.logs / "image.log")
    run.start_log()
    convert = forms.find(form)
    disk = make(cfg, run, firmware)
    print(disk)
    if convert is not None:
        print(convert(run, disk))


@app.command("image-reference")
def image_reference(
    bundle: Annotated[Path | None, typer.Option(help="Evidence of a machine that is trusted, which booted it.")] = None,
    settings: Annotated[Path | None, typer.Option("--config", help="The configuration that it is given.")] = None,
    firmware: Annotated[
        Path | None, typer.Option(help="The firmware that the machine has to have started with.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where to; default: dist/<release>.image-reference.json")] = None,
) -> None:
    """Write the reference values of a launch in the machine image; with a bundle, of its platform too."""
    from scripts.image import firmware as firmwares
    from scripts.image import inside, platform
    from scripts.run import Runner

    cfg = config()
    run = Runner("image-reference", cfg.logs / "image-reference.log")
    run.start_log()
    given = firmwares.read(firmware) if firmware else None
    document = inside.references(cfg, run, settings)
    if bundle is not None:
        document = platform.references_from(cfg, bundle, document, given)
    elif given is not None:
        print("\n".join(f"MRTD of {given.name}, by {order}: {given.mr_td(order).hex()}" for order in firmwares.ORDERS))
    place = out or cfg.dist / f"{cfg.release_name}.image-reference.json"
    platform.write(place, document)
    print(place)


@app.command("check-patches")
def check_patches() -> None:
    """Check the form of the patch queue, without upstream's source."""
    from scripts.stages.patch import read_queue

    queue = read_queue(config())
    print(f"{len(queue.patches)} patches and {len(queue.new_files)} new files are in order.")


@app.command()
def advisories() -> None:
    """Name the known advisories of upstream that have no row in docs/advisories.md; exit status 1 if there are any."""
    from scripts.checks.advisories import known, missing, table

    cfg = config()
    version = cfg.pins.release.upstream_version
    without = missing(cfg.root, version)
    for identifier in without:
        print(f"{identifier} reaches Open WebUI {version} and has no row in docs/advisories.md.")
    for row in table(cfg.root):
        if row.status in ("open", "unknown"):
            print(f"{row.identifier} is {row.status}: {row.what}.")
    if without:
        raise typer.Exit(1)
    print(f"All {len(known(cfg.root, version))} known advisories that reach Open WebUI {version} have their row.")


@app.command()
def clean() -> None:
    """Delete build/ and dist/; the cache and user data stay."""
    from scripts.building.cleaning import clean as delete

    delete(config())


@app.command()
def doctor() -> None:
    """Say what this machine has and lacks for each step; exit status 3 if the build cannot work."""
    from launcher import doctor as host
    from scripts.machine.doctor import examine, show

    cfg = config()
    able = show(examine(cfg))
    print("\nThe documented set-up of this host, as `open-webui-tdx doctor` of a release sees it:")
    host.show(host.examine(cfg.release, host.here()))
    if not able:
        raise typer.Exit(3)


@app.command()
def deploy(
    host: str,
    variables: Annotated[Path | None, typer.Option("--vars", help="A file of variables.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only show what would change.")] = False,
) -> None:
    """Set up a host, `user@host` or `local`, by the playbook of deploy/."""
    from scripts.machine.deploying import deploy as run_playbook

    run_playbook(config(), host, variables, check)


@app.command()
def instance() -> None:
    """Print the call that makes the documented instance; it runs nothing."""
    import os

    from scripts.machine.instance import plan

    print(plan(os.environ))


@app.command("combined-patch")
def combined_patch() -> None:
    """Write all patches, new files and the web verifier as one patch file into dist/."""
    from scripts.patches.combined import write

    print(write(config()))


@app.command()
def edit(name: str) -> None:
    """Open a patch for editing: a tree in build/edit with the queue applied up to and including it."""
    from scripts.patches.editing import begin

    print(begin(config(), name))


@app.command()
def refresh(name: str) -> None:
    """Write what was changed in build/edit back into patches/NAME, its header kept."""
    from scripts.patches.editing import finish

    print(finish(config(), name))


@app.command()
def port(source: Annotated[Path, typer.Option(help="A checkout or archive of another upstream version.")]) -> None:
    """Say which patches apply to another version of upstream, and which hunks do not; exit status 7 if any."""
    from scripts.patches.porting import report

    if not report(config(), source):
        raise typer.Exit(7)


@app.command()
def release() -> None:
    """Write what is published into dist/: archive, wheel, reference values, bills of materials, checksums."""
    from scripts.release.publish import publish
    from scripts.run import Runner

    cfg = config()
    runner = Runner("release", cfg.logs / "release.log")
    runner.start_log()
    publish(cfg, runner)


@app.command()
def reference(
    out: Annotated[Path | None, typer.Option(help="Where to; default: dist/reference-values.local.json")] = None,
) -> None:
    """Write the reference values of a launch on this machine, which must be trusted: its settings, models, platform."""
    from scripts.release.reference import write_here

    cfg = config()
    path = out or cfg.dist / "reference-values.local.json"
    write_here(cfg, path)
    print(f"Reference values of this machine: {path}")


@app.command()
def compare(published: Path) -> None:
    """Compare the built release with a published release.json, folder or archive; exit status 5 if they differ."""
    from scripts.release.compare import compare as run_comparison

    print(run_comparison(config(), published))


@app.command("require-tdx")
def require_tdx() -> None:
    """Say at once where there is no TDX device, for `make run TDX=real`."""
    from scripts.machine.tdxguest import require

    require()


@app.command()
def run() -> None:
    """Start the built release; this process becomes its launcher."""
    from scripts.release.starting import start

    start(config())


@app.command("try-release")
def try_release() -> None:
    """Start the built release once, ask it for a quote, and stop it."""
    from scripts.release.trying import try_release as try_it
    from scripts.run import Runner

    cfg = config()
    runner = Runner("try-release", cfg.logs / "try-release.log")
    runner.start_log()
    print(try_it(cfg, runner))


@app.command()
def test() -> None:
    """Run every test of every part, and say which parts failed."""
    from scripts.checks.testing import run_all

    if not run_all(config()):
        raise typer.Exit(1)


@app.command()
def lint(parts: Annotated[list[str] | None, typer.Argument(help="Only these parts.")] = None) -> None:
    """Check types and style of everything that is ours, and what the documentation names."""
    from scripts.checks.linting import lint as run_parts

    if not run_parts(config(), parts or ()):
        raise typer.Exit(1)


@app.command()
def bench(names: Annotated[list[str] | None, typer.Argument(help="Only these of bench/.")] = None) -> None:
    """Run the benchmarks of bench/: those named, or all that take minutes."""
    from scripts.checks.testing import run_benchmarks

    if not run_benchmarks(config(), names or ()):
        raise typer.Exit(1)
