"""What the command line prints and writes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .files import beside


def show(as_json: bool, document: dict[str, Any], hide: Sequence[str] = ()) -> None:
    """The document as JSON, or as aligned lines without the members in `hide`."""
    if as_json:
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        print("\n".join(_lines({name: value for name, value in document.items() if name not in hide}, "")))


def _lines(document: dict[str, Any], indent: str) -> list[str]:
    width = max(map(len, document), default=0)
    lines = []
    for name, value in document.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}", *_lines(value, indent + "  ")]
        elif isinstance(value, list) and value and any(" " in str(item) for item in value):
            lines += [f"{indent}{name}", *(f"{indent}  {item}" for item in value)]
        else:
            lines.append(f"{indent}{name:{width}}  {_text(value)}")
    return lines


def _text(value: Any) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def write_binary(target: str, data: bytes) -> None:
    """To a file, whole or not at all, or to a pipe; raises ValueError for a terminal."""
    if target == "-":
        if sys.stdout.isatty():
            raise ValueError("binary output goes to a file or a pipe, not to a terminal; use --out FILE")
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    if Path(target).exists() and not Path(target).is_file():
        Path(target).write_bytes(data)  # a device or a named pipe
        return
    with beside(Path(target)) as fresh:
        fresh.write_bytes(data)
