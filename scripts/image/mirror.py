"""Debian's mirror: the machine's own apt finds and vouches for packages when they are locked; a hash does afterwards.

`DEBIAN_MIRROR` (addresses by commas, each the folder that holds `pool/`) replaces the mirrors that the machine's apt is
configured with: for machines without apt, and for versions that left the mirrors for a snapshot of them.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.building.files import beside
from scripts.building.fingerprint import file_sha256
from scripts.building.locking import exclusive
from scripts.config import Config
from scripts.errors import CommandError, MismatchError, MissingError, NetworkError
from scripts.image.packages import Package, matches, wanted
from scripts.run import Runner

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SETTING = "DEBIAN_MIRROR"
_URI = re.compile(r"^'[^']*/(?P<path>pool/[^']+)' (?P<file>\S+) (?P<size>[0-9]+) SHA256:(?P<sha256>[0-9a-f]{64})$")


def mirrors(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Addresses of Debian mirrors, without a slash at the end. Raises MissingError where none is known."""
    given = [part.strip().rstrip("/") for part in environment.get(SETTING, "").split(",") if part.strip()]
    found = given or list(dict.fromkeys(_of_apt()))
    if not found:
        raise MissingError(
            f"No Debian mirror is known: set {SETTING} to one's address, the folder that holds pool/; "
            "several by commas, such as one of security updates."
        )
    return tuple(found)


def _of_apt() -> Iterable[str]:
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return ()
    return (line.rstrip("/") for line in done.stdout.splitlines() if line.startswith(("http://", "https://")))


def obtain(cfg: Config, run: Runner, packages: Iterable[Package]) -> dict[str, Path]:
    """The verified file of each package, by `part/name`, from the cache or a mirror."""
    folder = cfg.cache / "debian"
    folder.mkdir(parents=True, exist_ok=True)
    wanted_packages = list(packages)
    with exclusive(folder / ".lock"):
        missing = [package for package in wanted_packages if not _have(folder, package)]
        if missing and cfg.offline:
            raise NetworkError(
                f"OFFLINE=1, but {missing[0].path} is not in the cache ({folder}); build once with a network."
            )
        if missing:
            run.say(f"fetching {len(missing)} Debian packages ({sum(item.size for item in missing) / 1e6:.0f} MB)")
            known = mirrors()
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda package: _fetch(known, package, _place(folder, package)), missing))
    return {f"{package.part}/{package.name}": _place(folder, package) for package in wanted_packages}


def _place(folder: Path, package: Package) -> Path:
    return folder / f"{package.sha256[:16]}-{package.path.rsplit('/', 1)[1]}"


def _have(folder: Path, package: Package) -> bool:
    path = _place(folder, package)
    if not path.is_file():
        return False
    if file_sha256(path) == package.sha256:
        return True
    path.unlink()
    return False


def _fetch(known: tuple[str, ...], package: Package, place: Path) -> None:
    import requests

    from scripts.sources.downloads import TIMEOUT, session

    trouble = "no mirror has it"
    with session() as client:
        for mirror in known:
            try:
                with client.get(f"{mirror}/{package.path}", stream=True, timeout=TIMEOUT) as answer:
                    if answer.status_code == 404:
                        continue
                    answer.raise_for_status()
                    with beside(place) as part:
                        with part.open("wb") as file:
                            for chunk in answer.iter_content(1 << 20):
                                file.write(chunk)
                                if file.tell() > package.size:
                                    break
                        _verify(part, package)
                return
            except requests.RequestException as error:
                trouble = type(error).__name__
    raise NetworkError(
        f"{package.path} could not be fetched ({trouble}). Where the version left the mirrors, name a snapshot with "
        f"{SETTING}, or run `make lock-image` for the newest versions."
    )


def _verify(path: Path, package: Package) -> None:
    actual, size = file_sha256(path), path.stat().st_size
    if actual != package.sha256:
        raise MismatchError(
            f"{package.path} is not the locked package and was deleted.\n"
            f"    locked: sha256 {package.sha256}, {package.size} bytes\n    found:  sha256 {actual}, {size} bytes"
        )


def lock(cfg: Config, run: Runner) -> tuple[Package, ...]:
    """The newest version of each listed package in its suite, as apt, which checks Debian's signatures, finds it."""
    if not KEYRING.is_file():
        raise MissingError(f"{KEYRING} is missing: only a machine with Debian's apt can make the lock.")
    found: list[Package] = []
    with tempfile.TemporaryDirectory(prefix="open-webui-tdx-apt.") as folder:
        for suite in sorted({part.suite for part in wanted(cfg.root).values()}):
            options = _private_apt(Path(folder) / suite, suite)
            run(["apt-get", *options, "-q", "update"], quiet=True, what=f"reading the packages of {suite}")
            for name, part in wanted(cfg.root).items():
                if part.suite == suite:
                    found += _newest(run, options, name, part.packages)
    order = list(wanted(cfg.root))
    return tuple(sorted(found, key=lambda package: (order.index(package.part), package.name)))


def _private_apt(folder: Path, suite: str) -> list[str]:
    """Options for an apt that knows one suite and nothing of this machine's packages and preferences."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").write_text("")
    signed = f"[signed-by={KEYRING} arch=amd64]"
    lines = []
    for mirror in mirrors():
        security = mirror.endswith("security")
        names = [f"{suite}-security"] if security else [suite, f"{suite}-updates"]
        if "backports" in suite and security:
            continue
        lines += [f"deb {signed} {mirror} {name} main" for name in (names if "backports" not in suite else [suite])]
    (folder / "sources.list").write_text("\n".join(lines) + "\n")
    settings = {
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Architectures": "amd64",
    }
    return [option for name, value in settings.items() for option in ("-o", f"{name}={value}")]


def _newest(run: Runner, options: list[str], part: str, patterns: Iterable[str]) -> Iterable[Package]:
    names = [_named(run, options, pattern) for pattern in patterns]
    output = run(["apt-get", *options, "-q", "download", "--print-uris", *names], quiet=True, what=f"finding {part}")
    found = {}
    for match in filter(None, map(_URI.match, output.splitlines())):
        name, version, _ = match["file"].split("_")
        size, sha256, path = int(match["size"]), match["sha256"], match["path"]
        found[name] = Package(part, name, version.replace("%3a", ":"), size, sha256, path)
    missing = sorted(set(names) - set(found))
    if missing:
        raise CommandError(f"apt says no SHA-256 of {missing[0]}: {output.strip()[-300:]}")
    return found.values()


def _named(run: Runner, options: list[str], pattern: str) -> str:
    """The package's name; of a kernel's the newest version's."""
    if "*" not in pattern:
        return pattern
    names = run(["apt-cache", *options, "pkgnames", pattern.split("*")[0]], quiet=True).split()
    fitting = [item for item in names if matches(pattern, item)]
    if not fitting:
        raise CommandError(f"No package of the suite fits {pattern}.")
    return max(fitting, key=lambda item: [int(number) for number in re.findall(r"[0-9]+", item)])
