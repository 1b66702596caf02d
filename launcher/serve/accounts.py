"""Which account runs what: the web server executes administrators' Python, the door holds keys, and neither is root."""

from __future__ import annotations

import os
import pwd
import subprocess
from itertools import islice
from pathlib import Path

from ..errors import SettingError, UnavailableError
from ..plan import environment
from ..plan.processes import User

ACCOUNT = "open-webui-tdx"
FALLBACK = "nobody"
DOOR_ACCOUNT, BROKER_ACCOUNT = "open-webui-tdx-door", "open-webui-tdx-broker"
#: Given to nobody by distributions, systemd or containers (systemd's UIDS-GIDS).
OWN_NUMBERS = range(60706, 61184)
OLLAMA_ACCOUNTS = ("open-webui-tdx-ollama", "ollama")


def _lookup(name: str) -> User | None:
    try:
        entry = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except (KeyError, OverflowError):
        return None
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid)


def exists(name: str) -> bool:
    """Whether this machine has the account."""
    return _lookup(name) is not None


def choose(run_as: str, must_drop: bool, needs: list[Path]) -> tuple[User | None, str]:
    """The account for the web server and a notice (or ""). `needs`: what it must be able to read.

    None keeps the launcher's own account: where that is not root, or where no other one can read the release and
    `must_drop` is false (a simulation). Raises SettingError, UnavailableError.
    """
    if os.geteuid() != 0:
        if run_as:
            raise SettingError("RUN_AS needs a launcher started by root; without it everything runs as you.")
        return None, ""
    if run_as:
        named = _lookup(run_as)
        if named is None:
            raise SettingError(f"RUN_AS={run_as}: there is no such account on this machine.")
        if named.uid == 0:
            return None, "RUN_AS=root: the web server runs as root and can reach the TDX device."
    user = _lookup(run_as) if run_as else _lookup(ACCOUNT) or _lookup(FALLBACK)
    if user is None:
        raise UnavailableError(
            f"There is no account {ACCOUNT} or {FALLBACK} for the web server: make one or set RUN_AS."
        )
    blocked = next((path for path in needs if not readable(user, path)), None)
    if blocked is None:
        return user, ""
    sentence = f"the account {user.name} cannot reach {blocked}"
    if must_drop or run_as:
        raise UnavailableError(
            f"The web server must not run as root, but {sentence}: move it, open its folders, or set RUN_AS."
        )
    return None, f"The web server runs as root, because {sentence}; on real TDX this would be refused."


def for_door(must_drop: bool, needs: list[Path], web: User | None) -> User | None:
    """The account of the door, one that nothing else runs as: the one made for it, or else a number that is nobody's.

    None keeps the launcher's own account: where that is not root, or where no other one can read the release and
    `must_drop` is false (a simulation). Raises UnavailableError.
    """
    user = _of_its_own("door", DOOR_ACCOUNT, must_drop, needs, 0)
    if web and user and user.uid == web.uid:
        raise UnavailableError(f"The door and the web server must not run as one account, {user.name}: set RUN_AS.")
    return user


def for_broker(must_drop: bool, needs: list[Path]) -> User | None:
    """The account of the broker, as `for_door`: with the network, and nothing else."""
    return _of_its_own("broker", BROKER_ACCOUNT, must_drop, needs, 1)


def _of_its_own(what: str, name: str, must_drop: bool, needs: list[Path], place: int) -> User | None:
    """The account `name`, or the free number at `place` of those that are nobody's."""
    if os.geteuid() != 0:
        return None
    free = (User(str(number), number, number) for number in OWN_NUMBERS if not _lookup(str(number)))
    user = _lookup(name) or next(islice(free, place, None))
    blocked = next((path for path in needs if not readable(user, path)), None)
    if blocked is None:
        return user
    if must_drop:
        raise UnavailableError(f"The {what} must not run as root, but its account {user.name} cannot reach {blocked}.")
    return None


def for_ollama(must_drop: bool, needs: list[Path]) -> User | None:
    """The account of an Ollama that the launcher starts, one of its own: not the launcher's, not the web server's.

    None keeps the launcher's own account: where that is not root, or in a simulation without such an account.
    """
    if os.geteuid() != 0:
        return None
    user = next(filter(None, map(_lookup, OLLAMA_ACCOUNTS)), None)
    blocked = next((path for path in needs if user and not readable(user, path)), None)
    if user is not None and blocked is None:
        return user
    problem = f"the account {user.name} cannot reach {blocked}" if user else f"there is none of {OLLAMA_ACCOUNTS}"
    if must_drop:
        raise UnavailableError(
            f"Ollama must not run as root, but {problem}: make one (useradd --system {OLLAMA_ACCOUNTS[0]}) that can "
            "read the models, or start Ollama yourself."
        )
    return None


def readable(user: User, path: Path) -> bool:
    """Whether `user` can read `path`, asked as that user."""
    test = ["test", "-x" if path.is_dir() else "-r", str(path)]
    done = subprocess.run(  # noqa: S603 - our own command
        test, env=environment.FIXED, user=user.uid, group=user.gid, extra_groups=[], check=False, capture_output=True
    )
    return done.returncode == 0


def current() -> str:
    """The launcher's own account, by name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
