"""The models volume: a model of the operator's own, copied into memory, where no host can change it any more.

It is the partition with the label open-webui-tdx-model, whose content is one GGUF file, filled up with zeros: no file
system that a host made is mounted. What it has to be is in the configuration. Whether it is that, the launcher finds
out, which reads the copy, measures it, and refuses another one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

CONFIGURATION = Path("/run/open-webui-tdx-config")
LABEL = "open-webui-tdx-model"
NAME = "EMBEDDED_MODEL="
CHUNK = 1 << 24


class Refused(Exception):
    """One sentence: what is wrong, which value, what to do."""


def volume(volumes: list[Path], size: int) -> Path | None:
    """The volume to take; None where there is none and none is asked for. `size` in bytes, 0 for none.

    Raises Refused.
    """
    if len(volumes) > 1:
        raise Refused(f"there is more than one models volume ({', '.join(path.name for path in volumes)}); remove one")
    if not size:
        if volumes:
            raise Refused(
                f"there is a models volume ({volumes[0].name}), of which the configuration says nothing; add model to "
                "it, or remove the disk"
            )
        return None
    if not volumes:
        raise Refused(f"the configuration has a model, but no disk has a partition with the label {LABEL}; add one")
    return volumes[0]


def copy(source: Path, size: int, out: Path) -> None:
    """Copy so many bytes into a file that nobody may change. Raises Refused."""
    out.parent.mkdir(mode=0o755, exist_ok=True)
    room = os.statvfs(out.parent)
    if room.f_bavail * room.f_frsize < size:
        raise Refused(
            f"the model has {size >> 20} MiB, and {room.f_bavail * room.f_frsize >> 20} MiB of memory are left for it; "
            "give the machine more memory, or another model"
        )
    left = size
    with source.open("rb") as disk, out.open("wb") as file:
        while left and (part := disk.read(min(CHUNK, left))):
            file.write(part)
            left -= len(part)
    if left:
        raise Refused(f"the models volume ({source.name}) ends {left} bytes before the {size} that model says")
    out.chmod(0o444)


def main() -> int:
    """Find, copy; one line on the console says what was taken. 2 where the volume is not as it should be."""
    sys.path.insert(0, str(Path(__file__).parent))
    from configure import labelled

    try:
        size = int((CONFIGURATION / "model_bytes").read_text(encoding="ascii"))
        found = volume(labelled(LABEL), size)
        if found is None:
            return 0
        lines = (CONFIGURATION / "settings").read_text(encoding="utf-8").splitlines()
        (place,) = (line.removeprefix(NAME).strip('"') for line in lines if line.startswith(NAME))
        copy(found, size, Path(place))
    except (Refused, OSError) as error:
        print(f"open-webui-tdx image: {error}. Nothing is served.", file=sys.stderr)
        return 2
    print(f"open-webui-tdx image: a model of {size >> 20} MiB is in memory, from {found.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
