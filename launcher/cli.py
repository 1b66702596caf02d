"""The launcher's command line. Without a command it runs the service."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from .errors import UNAVAILABLE, LauncherError

EXIT_CODES = (
    "exit codes: 0 stopped on request, 1 something that was started ended by itself, 2 a setting is wrong, "
    "3 something needed is missing or taken, 4 the data folder cannot be used, 5 no real TDX, "
    "6 a file is not what was built"
)


def _parser(release: Path) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="open-webui-tdx",
        epilog=EXIT_CODES,
        description="Open WebUI with Intel TDX attestation. Settings come from the environment: docs/deployment.md.",
    )
    parser.set_defaults(command="run", allow_modified=False)
    commands = parser.add_subparsers(title="commands", metavar="")
    run = commands.add_parser("run", help="check, measure and serve (also without a command)")
    run.add_argument(
        "--allow-modified", action="store_true", help="serve a release that is not what was built, and say so"
    )
    run.set_defaults(command="run")
    check = commands.add_parser("check", help="compare every file of the release with its manifest")
    check.set_defaults(command="check")
    events = commands.add_parser("events", help="print what a launch with these settings will measure, as JSON lines")
    events.add_argument("--no-check", action="store_true", help="trust the files to be what the manifest says")
    events.add_argument("--as-root", action="store_true", help="as a launch by root says it, whoever asks here")
    events.set_defaults(command="events")
    for each in (check, events):
        each.add_argument("--release", type=Path, default=release, help="the release folder")
    model = commands.add_parser("measure-model", help="measure one more of Ollama's models while the service runs")
    model.add_argument("name", metavar="NAME", help="as Ollama lists it, such as llama3.1:8b")
    model.set_defaults(command="measure-model")
    pull = commands.add_parser("pull-model", help="fetch one of Ollama's models, resumed as often as need be")
    pull.add_argument("name", metavar="NAME", help="as Ollama's library lists it, such as deepseek-r1:70b")
    pull.set_defaults(command="pull-model")
    doctor = commands.add_parser("doctor", help="say which steps of the set-up this host has done")
    doctor.set_defaults(command="doctor")
    take = commands.add_parser(
        "encrypt-data", help="take data in plain text over into the encrypted folder (DATA_KEY), and remove it"
    )
    take.set_defaults(command="encrypt-data")
    reference = commands.add_parser("reference", help="print reference values of a launch here, on its platform")
    reference.add_argument("--boot-log", action="store_true", help="add the boot event log, for make reference")
    reference.set_defaults(command="reference")
    reboot = commands.add_parser("reboot-simulator", help="clear the simulated TD's registers, as a reboot does")
    reboot.set_defaults(command="reboot-simulator")
    return parser


def main(arguments: list[str], release: Path) -> int:
    """Run one command; every known failure is one sentence on standard error and an exit code."""
    options = _parser(release).parse_args(arguments)
    # Nothing in the data folder is written with more rights than asked for, whatever the shell's umask.
    os.umask(0o022)
    try:
        return _COMMANDS[options.command](options, release)
    except LauncherError as error:
        print(f"open-webui-tdx: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return 130


# Each command imports what it needs: a launch should not wait for the modules of the others.


def _environ() -> dict[str, str]:
    """The settings: of the environment, and secret ones as systemd's credentials."""
    from .credentials import with_credentials

    return with_credentials(os.environ)


def _run(options: argparse.Namespace, release: Path) -> int:
    from .run import run
    from .serve.keeper import keep

    return keep(lambda: run(release, _environ(), options.allow_modified))


def _encrypt_data(options: argparse.Namespace, release: Path) -> int:
    from .run import run
    from .serve.keeper import keep

    return keep(lambda: run(release, _environ(), allow_modified=False, take_over=True))


def _check(options: argparse.Namespace, release: Path) -> int:
    from .measure import manifest

    listed = manifest.load(options.release)
    manifest.refuse(manifest.differences(options.release, listed))
    print(f"All {len(listed.files)} files are what was built: release {listed.digest}")
    return 0


def _events(options: argparse.Namespace, release: Path) -> int:
    from .measure import reference
    from .plan import events
    from .serve import ways_out

    environ, folder = _environ(), options.release.absolute()
    no_fence = "" if options.as_root else ways_out.problem(folder, environ)
    found = reference.launch_events(folder, environ, not options.no_check, no_fence)
    for event in found:
        print(json.dumps({"event": event.line}))
    print(json.dumps({"rtmr_3": events.rtmr3(found)}))
    return 0


def _measure_model(options: argparse.Namespace, release: Path) -> int:
    from .serve.late_model import measure_model

    return measure_model(release, _environ(), options.name)


def _pull_model(options: argparse.Namespace, release: Path) -> int:
    from .pull import pull

    pull(os.environ, options.name)
    return 0


def _doctor(options: argparse.Namespace, release: Path) -> int:
    from . import doctor

    return 0 if doctor.show(doctor.examine(release, doctor.here())) else UNAVAILABLE


def _reference(options: argparse.Namespace, release: Path) -> int:
    from .measure import reference

    print(json.dumps(reference.document(release, _environ(), options.boot_log), indent=1))
    return 0


def _reboot_simulator(options: argparse.Namespace, release: Path) -> int:
    from .datadir import DataDir, boot_id
    from .plan import settings

    data = DataDir(settings.load(os.environ).data_dir, boot_id())
    data.reboot_simulator()
    print("The simulated TD has been rebooted: its registers are zero, and its event log is empty.")
    return 0


_COMMANDS: dict[str, Callable[[argparse.Namespace, Path], int]] = {
    "run": _run,
    "check": _check,
    "encrypt-data": _encrypt_data,
    "events": _events,
    "measure-model": _measure_model,
    "pull-model": _pull_model,
    "doctor": _doctor,
    "reference": _reference,
    "reboot-simulator": _reboot_simulator,
}
