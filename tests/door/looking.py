"""What administrators' Python could do: read all that this account can, and look for a key in it.

`looking.py FOLDER NEEDLE...`: every process' environment, open files and memory, and the files of FOLDER and of where
secrets lie. As JSON it says how many of them could be read, and in which a needle (hexadecimal) was found.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

LIMIT = 64 << 20
PLACES = ("/run", "/dev/shm", "/etc")


def memory(process: Path) -> Iterator[bytes]:
    maps = (process / "maps").read_text()
    with open(process / "mem", "rb", 0) as file:
        for start, end in re.findall(r"^([0-9a-f]+)-([0-9a-f]+) rw", maps, re.MULTILINE):
            try:
                file.seek(int(start, 16))
                yield file.read(min(int(end, 16) - int(start, 16), LIMIT))
            except (OSError, ValueError, OverflowError):
                continue


def content(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        yield file.read(LIMIT)


def files(folders: list[str]) -> Iterator[Path]:
    for process in Path("/proc").glob("[0-9]*"):
        yield from (process / "environ", process / "cmdline")
        try:
            yield from list((process / "fd").iterdir())
        except OSError:
            continue
    for folder in folders:
        for place, _, names in os.walk(folder):
            yield from (Path(place, name) for name in names)


def main() -> None:
    needles = [bytes.fromhex(text) for text in sys.argv[2:]]
    looked, places = 0, []
    found: list[tuple[Path, Callable[[Path], Iterator[bytes]]]] = [
        (path, content) for path in files([*PLACES, sys.argv[1]])
    ]
    found += [(path, memory) for path in Path("/proc").glob("[0-9]*") if path.name != str(os.getpid())]
    for path, read in found:
        try:
            if read is content and not path.is_file() and path.parent.parent != Path("/proc"):
                continue
            hit = any(needle in part for part in read(path) for needle in needles)
        except (OSError, ValueError):
            continue
        looked += 1
        if hit:
            places.append(str(path))
    print(json.dumps({"looked": looked, "places": places}))


if __name__ == "__main__":
    main()
