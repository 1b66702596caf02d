"""What encrypting costs: signing in, a long chat, an upload of 100 MB and questions to a document, as ratios.

`python bench/data.py`, after `make build`; it needs gocryptfs. Two services of the same release are asked in turns, one
with plain data and one with encrypted data. The ceiling for each ratio is 1.3 (1.0: as fast as plain). Beside them
stands how long after its owner's message came an encrypted service is healthy, against a plain launch (at most 2 s
more). That one also compares and measures everything, which the other did before it was locked: so Open WebUI alone, as
upstream starts it from the same files, is told as well.
Then a locked door gets as many forged unlock messages as it takes (`python bench/data.py flood` does that alone): how
many it looks at and refuses, what each costs it, and how long others and the data's owner wait meanwhile.
To be run on a machine that does nothing else.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "quote_verifier" / "src")]

from bench.launch import plain_start  # noqa: E402 - the line above makes it importable
from data_unlock.ends import Asking, Locked  # noqa: E402
from data_unlock.errors import RefusedError  # noqa: E402
from data_unlock.message import Action  # noqa: E402
from tests.browser.running import Server, release, serve  # noqa: E402
from tests.flooding import Flood  # noqa: E402
from tests.ports import free_port  # noqa: E402
from tests.release.unlocking import (  # noqa: E402
    WHO,
    bearer,
    health,
    launched,
    new_key,
    port_of,
    references,
    told,
    unlock_key,
    until,
)

ROUNDS = 9
MESSAGES = 200
UPLOAD = 100 * 1000 * 1000  # bytes
WORDS = "The heron stands in the shallow water and waits for a fish. " * 400
CEILING = 1.3
MOST_LATER_S = 2.0
FORGED = 5000
FLOOD_S = 5.0
#: Connections, and messages over each that wait for no answer: the last ones are cut off, and begun anew.
FLOODS = ((2, 4), (16, 4), (128, 4), (1024, 4), (128, 100))
MOST = 1024


@dataclass(frozen=True)
class Place:
    """A service that somebody is signed in to, with a chat and a document of theirs."""

    url: str
    token: str
    chat: str
    collection: str


def post(url: str, token: str = "", **given: Any) -> Any:
    answer = requests.post(url, headers=bearer(token) if token else {}, timeout=600, **given)
    answer.raise_for_status()
    return answer.json()


def settled(url: str) -> Place:
    """Sign up, write a chat of 200 messages, and have a document read."""
    token = post(f"{url}/api/v1/auths/signup", json=WHO)["token"]
    messages = [
        {"id": str(number), "role": "user" if number % 2 else "assistant", "content": WORDS[:1000]}
        for number in range(MESSAGES)
    ]
    chat = post(f"{url}/api/v1/chats/new", token, json={"chat": {"title": "long", "messages": messages}})["id"]
    document = post(f"{url}/api/v1/files/", token, files={"file": ("heron.txt", WORDS.encode(), "text/plain")})
    return Place(url, token, chat, f"file-{document['id']}")


def sign_in(place: Place) -> None:
    post(f"{place.url}/api/v1/auths/signin", json={"email": WHO["email"], "password": WHO["password"]})


def open_chat(place: Place) -> None:
    answer = requests.get(f"{place.url}/api/v1/chats/{place.chat}", headers=bearer(place.token), timeout=60)
    assert len(answer.json()["chat"]["messages"]) == MESSAGES


def upload(place: Place) -> None:
    """Of a kind that is only kept: nobody reads it as a document."""
    post(
        f"{place.url}/api/v1/files/", place.token, files={"file": ("a.xlsx", bytes(UPLOAD), "application/octet-stream")}
    )


def ask(place: Place) -> None:
    question = {"collection_name": place.collection, "query": "Where does the heron stand?", "k": 4}
    found = post(f"{place.url}/api/v1/retrieval/query/doc", place.token, json=question)
    assert "heron" in str(found["documents"])


def seconds(work: Callable[[Place], None], place: Place) -> float:
    began = time.perf_counter()
    work(place)
    return time.perf_counter() - began


def compare(name: str, work: Callable[[Place], None], plain: Place, encrypted: Place, rounds: int = ROUNDS) -> None:
    """Print the encrypted service's time over the plain one's: medians of rounds in turns."""
    for place in (plain, encrypted):  # into memory
        work(place)
    pairs = [(seconds(work, plain), seconds(work, encrypted)) for _ in range(rounds)]
    before, after = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(
        f"{name:26} {after / before:5.2f} times the plain one's time ({after * 1000:.0f} ms, it {before * 1000:.0f} ms)"
        + ("" if after / before <= CEILING else f"  ABOVE {CEILING}"),
        flush=True,
    )


@contextmanager
def unlocked(launcher: Path, folder: Path) -> Iterator[tuple[Server, float]]:
    """A service with encrypted data, and how long after its owner's message came it was healthy."""
    server, key = Server(f"http://127.0.0.1:{free_port()}", folder / "encrypted"), str(folder / "data.key")
    server.data.mkdir()
    public = new_key(key)
    with launched(launcher.parent, server, public):
        held = ("--release", references(server, folder), "--key", key, "--cache", str(folder / "cache"))
        code, said = told(server.url, *held, "--accept", "simulated", "--create")
        assert code == 0, said
        until(lambda: health(server.url)[0] == 200, "it does not serve")
        # The first thing that is done with a message is to make the folder, and this file in it.
        yield server, time.time() - (server.data / "encrypted/gocryptfs.conf").stat().st_ctime


def verifying() -> None:
    """Print what refusing one forged message costs without a network: its form, the key's comparison, the signature."""
    locked = Locked(Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    forged = Asking(locked.public, Ed25519PrivateKey.generate(), bytes(32), Action.CREATE).message
    began = time.process_time()
    for _ in range(FORGED):
        with suppress(RefusedError):
            locked.open(forged)
    each = (time.process_time() - began) / FORGED * 1e6
    print(f"a forged message, looked at without a network: {each:.0f} us, {1e6 / each:.0f} a second", flush=True)


def processor_seconds(process: int) -> float:
    """What it has used so far of a processor."""
    used = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()[11:13]
    return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")


def door_of(data: Path) -> int:
    """The process that serves the network for the launch whose data lies there."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if b"door" in words and any(os.fsencode(data) in word for word in words):
                return int(path.parent.name)
    raise SystemExit("The door's process is not found.")


def waits(url: str, count: int = 20) -> list[float]:
    """Seconds until each of some requests for `/health`, by connections of their own, was answered."""
    found = []
    for _ in range(count):
        began = time.perf_counter()
        assert requests.get(f"{url}/health", timeout=60).status_code == 503
        found.append(time.perf_counter() - began)
    return sorted(found)


def flooded(server: Server, door: int, connections: int, ahead: int) -> None:
    """Print what a flood over so many connections comes to, and how long others wait for an answer meanwhile."""
    with Flood(port_of(server), unlock_key(server), connections=connections // 2, ahead=ahead) as flood:
        until(lambda: flood.sent >= 1000, "the flood does not begin")
        began, sent, refused, used = time.monotonic(), flood.sent, flood.refused, processor_seconds(door)
        found = waits(server.url)
        time.sleep(max(0.0, FLOOD_S - (time.monotonic() - began)))
        given, taken, took = flood.sent - sent, flood.refused - refused, time.monotonic() - began
        share = (processor_seconds(door) - used) / took
    usual, most = statistics.median(found) * 1000, found[-1] * 1000
    each = f", {share / (taken / took) * 1e6:.0f} us each" if taken else ""
    print(
        f"{connections:4} connections, {ahead:2} messages ahead: {given / took:.0f} forged messages a second sent, "
        f"{taken / took:.0f} refused{each} (the door used {share:.0%} of a processor); /health after {usual:.0f} ms, "
        f"at most {most:.0f} ms",
        flush=True,
    )


def flood(launcher: Path, folder: Path) -> None:
    """Print how a locked door bears forged messages, and how long its owner takes to open the data with and without."""
    verifying()
    server, key = Server(f"http://127.0.0.1:{free_port()}", folder / "flooded"), str(folder / "flooded.key")
    server.data.mkdir()
    public = new_key(key)
    with launched(launcher.parent, server, public):
        held = ("--release", references(server, folder), "--key", key, "--cache", str(folder / "cache"))
        usual = (server.url, *held, "--accept", "simulated")
        began = time.monotonic()
        assert told(*usual)[0] == 5, "there is nothing yet to be opened"
        quiet, door = time.monotonic() - began, door_of(server.data)
        for connections, ahead in FLOODS:
            flooded(server, door, connections, ahead)
        with Flood(port_of(server), unlock_key(server), connections=MOST // 2) as going:
            until(lambda: going.refused >= 1000, "the flood does not begin")
            began = time.monotonic()
            code, said = told(*usual, "--create", seconds=600)
            took = time.monotonic() - began
        assert code == 0, said
        print(f"the owner's command: {took:.1f} s through {MOST} of the connections, {quiet:.1f} s without", flush=True)


def main() -> None:
    launcher = release()
    if launcher is None:
        raise SystemExit("There is no release in dist/: run `make build` first.")
    with tempfile.TemporaryDirectory(prefix="bench-data-") as name:
        folder = Path(name)
        if sys.argv[1:] == ["flood"]:
            flood(launcher, folder)
            return
        with serve(launcher, folder / "first"):  # files of the release into memory
            pass
        plain_start(launcher.parent, sys.executable, folder)  # its bytecode
        alone = plain_start(launcher.parent, sys.executable, folder)
        began = time.monotonic()
        with serve(launcher, folder / "plain") as plain:
            launch = time.monotonic() - began
            with unlocked(launcher, folder) as (encrypted, opening):
                later = opening - launch
                print(
                    f"unlock to healthy {opening:.2f} s, a plain launch {launch:.2f} s: {later:+.2f} s"
                    + ("" if later <= MOST_LATER_S else f"  ABOVE {MOST_LATER_S:+.2f}")
                    + f" (Open WebUI alone {alone:.2f} s: {opening - alone:+.2f} s)",
                    flush=True,
                )
                places = settled(plain.url), settled(encrypted.url)
                compare("signing in", sign_in, *places)
                compare("a chat of 200 messages", open_chat, *places)
                compare("an upload of 100 MB", upload, *places, rounds=5)
                compare("a question to a document", ask, *places)
        flood(launcher, folder)


if __name__ == "__main__":
    main()
