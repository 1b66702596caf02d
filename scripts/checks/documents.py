"""Whether what the documentation names exists: links, headings, files, make targets and the build tool's commands."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

_LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)|!\[[^\]\n]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_FENCE = re.compile(r"^(```|    )")
_MAKE = re.compile(r"\bmake (?:-j\d+ )?([a-z][a-z-]+)\b")
_TOOL = re.compile(r"(?:python -m|-m) scripts ([a-z][a-z-]+)")
_PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]*")
# The words after `make` where it is no command.
_PROSE = ("sure", "it", "a", "the", "what", "such", "them")


def examine(root: Path) -> list[str]:
    """A line `PAGE:LINE: what is wrong` for each mistake in the Markdown files that git knows."""
    listing = subprocess.check_output(["git", "ls-files", "-z"], cwd=root, text=True)
    known = [name for name in listing.split("\0") if name]
    folders = {name.split("/")[0] for name in known if "/" in name}
    wrong: list[str] = []
    for name in known:
        if name.endswith(".md") and (root / name).is_file():
            for number, line in enumerate((root / name).read_text(encoding="utf-8").splitlines(), 1):
                wrong += [f"{name}:{number}: {what}" for what in _line(root, root / name, line, folders)]
    return wrong


def _line(root: Path, page: Path, line: str, folders: set[str]) -> Iterator[str]:
    for match in _LINK.finditer(line):
        yield from _link(page, match[1] or match[2])
    commands = [line] if _FENCE.match(line) else _CODE.findall(line)
    for code in commands:
        for target in _MAKE.findall(code):
            if target not in _targets(root) and target not in _PROSE:
                yield f"`make {target}` does not exist"
        for command in _TOOL.findall(code):
            if command not in _commands():
                yield f"`python -m scripts {command}` does not exist"
    for code in _CODE.findall(line):
        if _PATH.fullmatch(code) and code.split("/")[0] in folders and not _there(root, page, code):
            yield f"`{code}` is not there"


def _link(page: Path, target: str) -> Iterator[str]:
    if re.match(r"[a-z]+:", target):
        return
    path, _, heading = unquote(target).partition("#")
    file = (page.parent / path) if path else page
    if not file.exists():
        yield f"the link to {target} leads nowhere"
    elif heading and file.suffix == ".md" and heading not in _headings(file):
        yield f"{file.name} has no heading #{heading}"


def _there(root: Path, page: Path, code: str) -> bool:
    # Pages of a package may name its own files; what a build or a run makes is not in the
    # repository, and three dots stand for any name.
    if code.split("/")[0] in ("build", "dist", "var") or "..." in code:
        return True
    return any((place / code).exists() for place in (root, page.parent))


@cache
def _headings(page: Path) -> set[str]:
    """The names that GitHub gives a page's headings: lower case, no punctuation, hyphens for spaces."""
    texts = re.findall(r"^#+ +(.*?) *$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


@cache
def _targets(root: Path) -> set[str]:
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    stages = re.search(r"^STAGES := (.*)$", makefile, re.M)
    named = {f"stage-{name}" for name in stages[1].split()} if stages else set()
    return named | set(re.findall(r"^([a-z][a-z-]*):", makefile, re.M))


@cache
def _commands() -> set[str]:
    from scripts.cli import app

    return {command.name or str(getattr(command.callback, "__name__", "")) for command in app.registered_commands}
