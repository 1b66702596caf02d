"""The data volume: what people write outlives the machine on a disk of the host's, encrypted by the service.

It is the partition with the label open-webui-tdx-data, and it is used only where the configuration, which is measured,
asks for encrypted data (DATA_KEY). The launcher is told which device it is (DATA_VOLUME), and opens it with the owner's
key: no file system that a host made is mounted. Everything else, bytecode and event log among it, stays in memory.
"""

from __future__ import annotations

import sys
from pathlib import Path

SETTINGS = Path("/run/open-webui-tdx-config/settings")
LABEL = "open-webui-tdx-data"


class Refused(Exception):
    """One sentence: what is wrong, which value, what to do."""


def chosen(volumes: list[Path], settings: str) -> Path | None:
    """The volume to take; None where there is none and none is asked for. `settings`: the service's.

    Raises Refused.
    """
    names = {line.partition("=")[0]: line.partition("=")[2].strip('"') for line in settings.splitlines()}
    if len(volumes) > 1:
        raise Refused(f"there is more than one data volume ({', '.join(path.name for path in volumes)}); remove one")
    if names.get("DATA_KEY", "none") == "none":
        if volumes:
            raise Refused(
                f"there is a data volume ({volumes[0].name}), but DATA_KEY is none, and nothing goes to the disk of "
                "a host in plain text; set DATA_KEY=unlock, or remove the disk"
            )
        return None
    if not volumes:
        raise Refused(
            f"DATA_KEY is {names['DATA_KEY']}, but no disk has a partition with the label {LABEL}; add one, or remove "
            "DATA_KEY: then what people write ends with the machine"
        )
    return volumes[0]


def main() -> int:
    """Find it, and tell the launcher; one line on the console says what is kept where. 2 where something is wrong."""
    sys.path.insert(0, str(Path(__file__).parent))
    from configure import labelled

    try:
        volume = chosen(labelled(LABEL), SETTINGS.read_text(encoding="utf-8"))
        if volume:
            with SETTINGS.open("a", encoding="utf-8") as file:
                file.write(f'DATA_VOLUME="{volume}"\n')
    except (Refused, OSError) as error:
        print(f"open-webui-tdx image: {error}. Nothing is served.", file=sys.stderr)
        return 2
    kept = f"is kept on {volume.name}, encrypted" if volume else "ends with the machine"
    print(f"open-webui-tdx image: what people write {kept}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
