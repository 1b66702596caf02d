"""The data volume: what people write outlives the machine on a disk of the host's, encrypted by the service.

It is the partition with the label open-webui-tdx-data, with an ext4 file system, and it is taken only where the
configuration, which is measured, asks for encrypted data (DATA_KEY). What has to be of this boot alone, bytecode and
event log among it, stays in memory all the same. The kernel follows no link that is on the volume, and runs nothing.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SETTINGS = Path("/run/open-webui-tdx-config/settings")
LABEL = "open-webui-tdx-data"
PLACE = Path("/var/lib/open-webui-tdx")
#: Folders of DATA_DIR that hold nothing to keep (launcher/datadir.py), with their modes.
IN_MEMORY = {"run": 0o755, "logs": 0o700, "attestation": 0o700, "tdx-simulator": 0o700}
OPTIONS = "nosuid,nodev,noexec,nosymfollow,errors=remount-ro"


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


def mount(*arguments: str) -> None:
    """mount(8). Raises Refused with its reason."""
    command = ["/usr/bin/mount", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)  # noqa: S603 - ours
    if done.returncode:
        why = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise Refused(f"the data volume cannot be mounted ({why}); it needs one partition with ext4")


def take(volume: Path, place: Path = PLACE) -> None:
    """Mount the volume, and memory over the folders that are of this boot alone. Raises Refused."""
    place.mkdir(mode=0o711, exist_ok=True)
    mount("-t", "ext4", "-o", OPTIONS, str(volume), str(place))
    for name, mode in IN_MEMORY.items():
        folder = place / name
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise Refused(f"{name} on the data volume is no folder, as whoever holds the disk could have it; remove it")
        folder.mkdir(exist_ok=True)
        mount("-t", "tmpfs", "-o", f"nosuid,nodev,noexec,mode={mode:o}", "tmpfs", str(folder))


def main() -> int:
    """Find, mount; one line on the console says what is kept where. 2 where the volume is not as it should be."""
    sys.path.insert(0, str(Path(__file__).parent))
    from configure import labelled

    try:
        volume = chosen(labelled(LABEL), SETTINGS.read_text(encoding="utf-8"))
        if volume:
            take(volume)
    except (Refused, OSError, subprocess.SubprocessError) as error:
        print(f"open-webui-tdx image: {error}. Nothing is served.", file=sys.stderr)
        return 2
    kept = f"is kept on {volume.name}, encrypted" if volume else "ends with the machine"
    print(f"open-webui-tdx image: what people write {kept}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
