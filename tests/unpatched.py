"""Would each attack get through without the patch that stops it? `python -m tests.unpatched [--only PATCH]`

For each patch of the backend that docs/advisories.md names, in turn: a release without it, and on that the attacks of
its rows, each of which must fail. Imports of our own modules stay: later patches use them and write beside them. Needs
a build (`make build`). Patches of the frontend, which a build would have to be made without, and tests outside of
tests/attacks are named and not run. Exit status 1 if an attack was stopped all the same.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

from scripts.checks import advisories
from scripts.config import Config, from_environment
from scripts.patches.patchqueue import series
from tests.compiled import ROOT

_TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)
_IMPORT = re.compile(r"[-+ ](?:from (?:open_webui\.tee|attestation)\S* import .*)")
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@.*")


def rows(root: Path) -> dict[str, list[str]]:
    """The tests that docs/advisories.md names for each patch, by patch, in the order of the series."""
    found: dict[str, list[str]] = {}
    for row in (*advisories.table(root), *advisories.nameless(root)):
        if row.test and row.test not in found.setdefault(row.patch, []):
            found[row.patch].append(row.test)
    return {patch: found[patch] for patch in series(root / "patches") if patch in found}


def _parts(body: list[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for line in body:
        if _IMPORT.fullmatch(line):
            yield part
            part = []
        else:
            part.append(line)
    yield part


def without_imports(diff: str) -> str:
    """A unified diff without its lines that import our own modules: a hunk is parted where such a line stands."""
    made: list[str] = []
    for hunk in re.split(r"^(?=@@ |diff --git )", diff, flags=re.MULTILINE):
        head, *body = hunk.splitlines() or [""]
        if not (match := _HUNK.fullmatch(head)):
            made += hunk.splitlines()
            continue
        for part in _parts(body):
            if any(line[:1] in "-+" for line in part):
                old, new = (sum(line[:1] != sign for line in part) for sign in "+-")
                made += [f"@@ -{match[1]},{old} +{match[2]},{new} @@", *part]
    return "\n".join(made) + "\n"


def left(tree: Path) -> Iterator[str]:
    """The lines of hunks that did not come off."""
    for path in tree.rglob("*.rej"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line[:1] in "+-" and not line.startswith(("+++", "---")):
                yield f"{path.name.removesuffix('.rej')}: {line}"


def without(cfg: Config, patch: str, place: Path) -> list[str]:
    """Make in `place` a release without this patch; the lines of it that stayed."""
    release = place / cfg.release_name
    release.mkdir()
    for entry in cfg.release.iterdir():
        if entry.name != "backend":
            (release / entry.name).symlink_to(entry)
    shutil.copytree(cfg.release / "backend", release / "backend", symlinks=True)
    diff = without_imports((cfg.root / "patches" / patch).read_text(encoding="utf-8").partition("\n---\n")[2])
    subprocess.run(
        ["patch", "--reverse", "--strip=1", "--force", "--fuzz=3", "--silent", "--no-backup-if-mismatch"],
        input=diff, text=True, cwd=release, stdout=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    return list(left(release))


def outcomes(place: Path, names: list[str]) -> dict[str, list[str]]:
    """How each of these tests ended on the release in `place`, for each set of its parameters: "", or what failed."""
    report = place / "report.xml"
    subprocess.run(
        [
            sys.executable, "-m", "pytest", "tests/attacks", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}",
            "-k", " or ".join(names),
        ],
        cwd=ROOT, env={**os.environ, "DIST_DIR": str(place)}, stdout=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    found: dict[str, list[str]] = {name: [] for name in names}
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("name", "").partition("[")[0]
        ended = next((child.tag for child in case if child.tag in ("failure", "error", "skipped")), "")
        found.setdefault(name, []).append(ended)
    return {name: found[name] for name in names}


def said(name: str, ended: list[str]) -> tuple[bool, str]:
    """Whether this attack got through, and a line that says it."""
    got_through = "failure" in ended and "error" not in ended
    what = "got through" if got_through else "COULD NOT BE TRIED" if "error" in ended or not ended else "WAS STOPPED"
    of = f" ({ended.count('failure')} of {len(ended)})" if len(ended) > 1 else ""
    return got_through, f"  {what}{of}: {name}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", metavar="PATCH", help="one patch")
    only = parser.parse_args().only
    cfg = from_environment(ROOT)
    here = {name for path in (ROOT / "tests/attacks").glob("*.py") for name in _TEST.findall(path.read_text("utf-8"))}
    stopped = 0
    table = rows(ROOT)
    if only not in (None, *table):
        parser.error(f"{only} is no patch that a row of docs/advisories.md names with a test: {', '.join(table)}.")
    for patch, tests in table.items():
        if only not in (None, patch):
            continue
        print(patch, flush=True)
        for name in tests:
            if name not in here or not patch.startswith("backend-"):
                print(f"  not run: {name}", flush=True)
        names = [name for name in tests if name in here]
        if not names or not patch.startswith("backend-"):
            continue
        with tempfile.TemporaryDirectory(prefix="unpatched-") as folder:
            for line in without(cfg, patch, Path(folder)):
                print(f"  stays: {line}", flush=True)
            for name, ended in outcomes(Path(folder), names).items():
                got_through, line = said(name, ended)
                stopped += not got_through
                print(line, flush=True)
    return min(stopped, 1)


if __name__ == "__main__":
    sys.exit(main())
