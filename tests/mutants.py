"""Do the tests notice when the code is wrong? Change one token at a time, and run what should go red.

    python -m tests.mutants --seed COMMIT [--count 60] [--subject launcher] [--tests-from OLD] [--only ID,ID]

Of each subject below, mutants are drawn by the seed, so that nobody chooses them; each is made in a copy of what git
holds, and the subject's commands run until one fails. `--tests-from` takes `tests/` from another commit: what the tests
before a change would have noticed. Prints one line a mutant: id, place, change, and what killed it, or SURVIVED.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from tests.compiled import ROOT

TIMEOUT_S = 600


@dataclass(frozen=True)
class Subject:
    """Sources (globs), and commands, the quickest first, of which one should fail for a mutant of them."""

    share: float  # of all mutants
    sources: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]
    folder: str = "."


def pinned_node() -> str:
    """The folder of the Node that the build uses."""
    from scripts.config import from_environment
    from scripts.run import Runner
    from scripts.tools.node import node

    cfg = from_environment(ROOT)
    return str(node(cfg, Runner("mutants", cfg.logs / "mutants.log")).folder)


PYTEST = (sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider")
SUBJECTS = {
    "launcher": Subject(
        0.5,
        (
            "launcher/cli.py",
            "launcher/run.py",
            "launcher/datadir.py",
            "launcher/measure/manifest.py",
            "launcher/measure/registers.py",
            "launcher/measure/tdx.py",
            "launcher/plan/settings.py",
            "launcher/serve/ready.py",
            "launcher/serve/supervisor.py",
        ),
        (
            (*PYTEST, *(f"tests/launcher/test_{name}.py" for name in ("refusals", "manifest", "settings", "datadir"))),
            (*PYTEST, "tests/launcher", "-m", "not slow and not release"),
            (*PYTEST, "tests/launcher/test_run.py"),
        ),
    ),
    "page": Subject(
        0.5,
        ("web/src/client/gate.ts", "web/src/client/guard.ts", "web/src/client/content.ts", "web/src/client/service.ts"),
        (("node", "node_modules/vitest/vitest.mjs", "run", "--bail", "1", "--project", "client"),),
        "web",
    ),
}

# What is code: everything but comments and texts, which are matched first and passed over.
PASSED_OVER = {
    ".py": re.compile(r'#[^\n]*|[rbf]*"""(?:.|\n)*?"""|[rbf]*"(?:\\.|[^"\\\n])*"|[rbf]*\'(?:\\.|[^\'\\\n])*\''),
    ".ts": re.compile(r"//[^\n]*|/\*(?:.|\n)*?\*/|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|^import .*$", re.M),
}
CHANGES = (
    (r"(?<= )===(?= )", "!=="),
    (r"(?<= )!==(?= )", "==="),
    (r"(?<= )==(?= )", "!="),
    (r"(?<= )!=(?= )", "=="),
    (r"(?<= )<(?= )", "<="),
    (r"(?<= )>(?= )", ">="),
    (r"(?<= )<=(?= )", "<"),
    (r"(?<= )>=(?= )", ">"),
    (r"(?<= )&&(?= )", "||"),
    (r"(?<= )\|\|(?= )", "&&"),
    (r"(?<= )\?\?(?= )", "&&"),
    (r"\band\b", "or"),
    (r"\bor\b", "and"),
    (r"\bnot (?=\w|\()(?!in\b)", ""),
    (r"(?<= )is not(?= )", "is"),
    (r"(?<= )not in(?= )", "in"),
    (r"(?<![\w)\]])!(?=[\w(])", ""),
    (r"\btrue\b", "false"),
    (r"\bfalse\b", "true"),
    (r"\bTrue\b", "False"),
    (r"\bFalse\b", "True"),
    (r"\bbreak\b", "continue"),
    (r"(?<=[ (\[=-])\d+(?=[ ,;:)\]\n])", "MORE"),
    (r"\bawait (?=\w)", ""),
    (r"(?<=\breturn )[^\n;{(]+(?=;?\n)", "NOTHING"),
    (r"^[ \t]+(?:await )?[\w.]+\([^\n]*\);?$", "REMOVED"),
    (r"^[ \t]+raise [^\n]*[\w)]$", "REMOVED"),
)


@dataclass(frozen=True)
class Mutant:
    """One change of one source: what stands from `start` to `end` becomes `new`."""

    subject: str
    path: str
    start: int
    end: int
    new: str

    def described(self, source: str) -> str:
        line = source.count("\n", 0, self.start) + 1
        old = source[self.start : self.end].strip()
        return f"{self.path}:{line}\t`{old}` -> `{self.new.strip() or 'nothing'}`"


def replacement(old: str, change: str, suffix: str) -> str:
    match change:
        case "MORE":
            return str(int(old) + 1)
        case "NOTHING":
            return "None" if suffix == ".py" else "undefined as never"
        case "REMOVED":
            return old[: len(old) - len(old.lstrip())] + ("pass" if suffix == ".py" else ";")
    return change


def mutants(subject: str, tree: Path) -> Iterator[Mutant]:
    """Every mutant of a subject that still parses as a program, in a fixed order."""
    for pattern in SUBJECTS[subject].sources:
        for path in sorted(tree.glob(pattern)):
            source = path.read_text(encoding="utf-8")
            texts = [match.span() for match in PASSED_OVER[path.suffix].finditer(source)]
            for expression, change in CHANGES:
                for match in re.finditer(expression, source, re.M):
                    start, end = match.span()
                    if any(start < theirs[1] and theirs[0] < end for theirs in texts) and change != "REMOVED":
                        continue
                    if any(theirs[0] <= start < theirs[1] for theirs in texts):
                        continue
                    new = replacement(source[start:end], change, path.suffix)
                    if parses(path, source[:start] + new + source[end:]):
                        yield Mutant(subject, str(path.relative_to(tree)), start, end, new)


def parses(path: Path, source: str) -> bool:
    """Of Python only: whether it is still a program. A page's mutant that is none is told by `drawn`."""
    if path.suffix != ".py":
        return True
    try:
        compile(source, str(path), "exec")
    except SyntaxError:
        return False
    return True


def is_program(mutant: Mutant, tree: Path) -> bool:
    """Whether esbuild, which vitest runs it through, takes it."""
    if not mutant.path.endswith(".ts"):
        return True
    command = [str(tree / "web/node_modules/.bin/esbuild"), "--loader=ts"]
    return not subprocess.run(command, input=mutated(mutant, tree).encode(), capture_output=True).returncode


def drawn(subject: str, tree: Path, seed: str, count: int) -> list[Mutant]:
    found = list(mutants(subject, tree))
    random.Random(f"{seed} {subject}").shuffle(found)
    chosen: list[Mutant] = []
    for mutant in found:
        if len(chosen) == count:
            break
        if is_program(mutant, tree):
            chosen.append(mutant)
    return chosen


def mutated(mutant: Mutant, tree: Path) -> str:
    source = (tree / mutant.path).read_text(encoding="utf-8")
    return source[: mutant.start] + mutant.new + source[mutant.end :]


def copy_into(tree: Path, tests_from: str | None) -> None:
    """What HEAD holds, with `tests/` of another commit if one is named; what is installed and compiled is shared."""
    unpack(tree, "HEAD")
    if tests_from:
        shutil.rmtree(tree / "tests")
        unpack(tree, tests_from, "tests")
    for shared in ("web/node_modules", "build/tests"):
        if (ROOT / shared).is_dir():
            (tree / shared).parent.mkdir(parents=True, exist_ok=True)
            (tree / shared).symlink_to(ROOT / shared)


def unpack(tree: Path, commit: str, *paths: str) -> None:
    packed = subprocess.run(["git", "archive", commit, *paths], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(tree, filter="data")


def verdict(mutant: Mutant, tree: Path) -> str:
    """What noticed the mutant, which is made in the copy for that long."""
    subject, path = SUBJECTS[mutant.subject], tree / mutant.path
    original = path.read_text(encoding="utf-8")
    path.write_text(mutated(mutant, tree), encoding="utf-8")
    try:
        for command in subject.commands:
            there = tuple(word for word in command if not word.startswith("tests/") or (tree / word).exists())
            if noticed := run(there, tree / subject.folder):
                return noticed
        return "SURVIVED"
    finally:
        path.write_text(original, encoding="utf-8")


def run(command: tuple[str, ...], folder: Path) -> str:
    """The name of the test that failed; empty where all passed."""
    path = f"{pinned_node()}:{os.environ['PATH']}" if command[0] == "node" else os.environ["PATH"]
    environment = {**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return "time ran out"
    if not process.returncode:
        return ""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)|^ *(?:FAIL|\u00d7) +(.+?)(?: \d+ms)?$", output, re.M)
    return next(filter(None, failed.groups())) if failed else f"exit status {process.returncode}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--seed", required=True, help="any text; a commit's hash, so that nobody chose it")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--subject", choices=tuple(SUBJECTS), action="append", help="default: all")
    parser.add_argument("--tests-from", metavar="COMMIT", help="the tests of another commit")
    parser.add_argument("--only", help="these ids alone, as `launcher-3,page-7`")
    options = parser.parse_args()
    place = ROOT / "build" / "mutants"
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as folder:
        copy_into(Path(folder), options.tests_from)
        survived = sum(judge(name, Path(folder), options) for name in options.subject or SUBJECTS)
    print(f"{survived} survived")
    return 1 if survived else 0


def judge(name: str, tree: Path, options: argparse.Namespace) -> int:
    """Print what noticed each mutant of a subject; how many nothing did."""
    survived = 0
    for index, mutant in enumerate(drawn(name, tree, options.seed, round(options.count * SUBJECTS[name].share))):
        identity = f"{name}-{index}"
        if options.only and identity not in options.only.split(","):
            continue
        told = mutant.described((tree / mutant.path).read_text(encoding="utf-8"))
        noticed = verdict(mutant, tree)
        survived += noticed == "SURVIVED"
        print(f"{identity}\t{told}\t{noticed}", flush=True)
    return survived


if __name__ == "__main__":
    sys.exit(main())
