"""`data.protected`: does what the service keeps lie encrypted on its disk, under a key of whom the launch measured?

The evidence says how the data lies (`runtime_data.data`), the log whose it is (`data_owner` of the event `site`) and
what encrypts it. Without the second, whoever holds the disk could offer an empty one and open it with a key of their
own.
"""

from typing import Any

from . import facts
from .errors import Malformed
from .eventlog import ENCRYPTING, LAUNCH, SITE, Event, launches
from .site import SHOWN, judge, keepers_elsewhere
from .verdict import Check, Status

NOBODY = "nobody"
_BUILDS: dict[str, list[dict[str, str]]] = facts.load("programs")


def _answer(status: Status, detail: str) -> Check:
    return Check("data.protected", status, detail)


def check_data(events: tuple[Event, ...], bound: dict[str, Any], platform: Check) -> Check:
    """`events`: of the log that replays, none for a launch that was not measured; `bound`: the proven runtime data;
    `platform`: the answer of `platform.match`, without which "encrypted" is the word of programs that nobody knows."""
    ended = bool(events) and events[-1].operation == LAUNCH
    in_force = launches(events)[-1] if ended else ()
    sites = [event.content for event in in_force if event.operation == SITE]
    try:
        for site in sites:
            judge(site)
    except Malformed as error:
        return _answer("fail", str(error))
    measured = [str(site["data_owner"]) for site in sites if "data_owner" in site]
    data = bound.get("data") or {}
    if data.get("state") != "encrypted":
        return _not_encrypted(data.get("state"), measured)
    if not events:
        return _answer(
            "warn", "It is said to be encrypted, but the launch was not measured: nobody knows whose key opens it"
        )
    owner = data.get("owner")
    if measured != [owner]:
        expected = " and ".join(measured) or NOBODY
        return _answer("fail", f"it is said to be encrypted for {owner or NOBODY}, the launch measured {expected}")
    program = next((event for event in in_force if event.operation in ENCRYPTING), None)
    if program is None:
        return _answer("fail", "it is said to be encrypted, and the launch measured nothing that encrypts it")
    return _encrypted(data, sites[0], platform, program)


def _not_encrypted(state: str | None, measured: list[str]) -> Check:
    if measured:
        said = "plain" if state else "nothing"
        return _answer(
            "fail", f"the launch measured {measured[0]} as the owner of encrypted data, the evidence says {said} of it"
        )
    if state is None:
        return _answer("warn", "The evidence does not say how what is kept lies on the disk")
    return _answer("warn", "What people write lies on the disk in plain text: whoever holds the disk reads it")


def _named(program: Event) -> str:
    """The program with its version and whose build it is, where that is known by its hash: for people, as whether it
    may be there is `release.match`'s to say."""
    for build in _BUILDS[program.operation]:
        if program.content == {"version": build["version"], "sha384": build["sha384"]}:
            return f"{program.operation} {build['version']} ({build['origin']})"
    return f"{program.operation}, of an origin that this verifier does not know"


def _encrypted(data: dict[str, Any], site: dict[str, Any], platform: Check, program: Event) -> Check:
    owner, elsewhere = data["owner"], keepers_elsewhere(site)
    if elsewhere:
        return _answer("warn", f"Encrypted for {owner}, but {', '.join(elsewhere)} keeps what people write elsewhere")
    if platform.status != "pass":
        return _answer(
            "warn",
            "It is said to be encrypted, but platform.match does not pass: that is the word of programs that somebody "
            "could have changed",
        )
    opened = f", opened {data['generation']} times" if "generation" in data else ""
    encrypted = f"Encrypted by {_named(program)}; only {owner} can have it opened"
    if "data_trustee" in site:
        where = site["data_trustee"][:SHOWN]
        return _answer("pass", f"{encrypted}, by a key that {where} releases{opened}")
    return _answer("pass", f"{encrypted}{opened}")
