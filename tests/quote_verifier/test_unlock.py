"""`quote-verifier unlock`: to whom the owner's key goes, and to whom it does not."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from quote_verifier.encoding import to_base64url
from quote_verifier.errors import UsageError
from quote_verifier.unlock import command, keyfile, words

from data_unlock.answer import Answer
from data_unlock.ends import Locked
from data_unlock.errors import UnlockError
from data_unlock.grant import Grant, decode
from data_unlock.message import Action
from door.channel.keys import Keys
from quote_verifier import cli
from simulator.serving import Answering

from .world import Certificate, Site, Td, make_certificate, references


class Service(Site):
    """A locked service: `said` answers a message that opens; `taken` is what was opened."""

    def __init__(self, td: Td, owner: str, tls: Certificate | None = None) -> None:
        self.locked = Locked(base64.urlsafe_b64decode(owner + "="))
        self.taken: list[tuple[Action, int, bytes]] = []
        self.new_keys: list[bytes] = []
        self.said = Answer("opened", 5)
        self.posts = 0
        super().__init__(td, tls)

    def renew(self) -> None:
        """Wait for the next message, with another key."""
        self.locked = Locked(self.locked._owner.public_bytes_raw())
        self.td.bound["unlock"] = to_base64url(self.locked.public)

    def _handler(self) -> type[Answering]:
        site = self

        class Handler(super()._handler()):  # type: ignore[misc]
            def do_POST(self) -> None:
                site.posts += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    opened = site.locked.open(body)
                except UnlockError as error:
                    self.answer(403, json.dumps({"detail": f"{error}."}).encode(), {})
                    return
                site.new_keys.append(opened.new_key)
                site.taken.append((opened.action, opened.least_generation, opened.data_key))
                self.answer(200, opened.answer(site.said), {})

        return Handler


@pytest.fixture
def key(tmp_path: Path) -> Path:
    keyfile.make(tmp_path / "data.key")
    return tmp_path / "data.key"


@pytest.fixture
def service(key: Path) -> Iterator[Service]:
    owner = keyfile.load(key).public
    td = Td(owner=owner)
    with Service(td, owner) as running:
        td.bound |= {
            "origin": running.url,
            "channel": to_base64url(Keys().current.encode()),
            "data": {"state": "encrypted", "owner": owner},
            "unlock": to_base64url(running.locked.public),
        }
        yield running


def unlock(service: Site, key: Path, *more: str, **held: Any) -> tuple[int, str]:
    path = key.with_name("held.json")
    path.write_text(json.dumps(references() | held))
    output = io.StringIO()
    with redirect_stderr(output), redirect_stdout(output):
        arguments = ["unlock", service.url, "--release", str(path), "--key", str(key)]
        code = cli.run([*arguments, "--cache", str(key.with_name("cache")), *more])
    return code, output.getvalue()


def test_it_opens_what_was_verified_and_remembers_the_count(service: Service, key: Path) -> None:
    code, said = unlock(service, key, "--accept", "simulated", "--create")
    assert (code, service.taken) == (0, [(Action.CREATE, 0, keyfile.load(key).data_key)])
    assert "for time number 5" in said and keyfile.seen(key) == 5
    service.renew()
    service.said = Answer("opened", 6)
    assert unlock(service, key, "--accept", "simulated")[0] == 0
    assert service.taken[-1][:2] == (Action.OPEN, 5) and keyfile.seen(key) == 6


def test_an_older_state_is_opened_only_where_the_owner_says_so(service: Service, key: Path) -> None:
    keyfile.remember(key, 9)
    service.said = Answer("refused", 5, "The data is older than it should be.")
    code, said = unlock(service, key, "--accept", "simulated")
    assert code == 5 and "older than it should be" in said
    assert service.taken[0][1] == 9 and keyfile.seen(key) == 9
    service.renew()
    service.said = Answer("opened", 6)
    assert unlock(service, key, "--accept", "simulated", "--accept-generation", "5")[0] == 0
    assert service.taken[1][1] == 5 and keyfile.seen(key) == 6


@pytest.mark.attack
def test_nothing_is_sent_to_what_is_not_what_was_asked_for(service: Service, key: Path) -> None:
    assert unlock(service, key)[0] == 6  # simulated, and that was not accepted
    other = ["open-webui-tdx settings {}"]
    assert unlock(service, key, "--accept", "simulated", events=other)[0] == 5  # another release
    assert unlock(service, key, "--accept", "simulated", events=[])[0] == 6  # nothing to compare it with
    service.td.events.append('open-webui-tdx tool {"id":"spy","sha384":"00"}')
    assert unlock(service, key, "--accept", "simulated")[0] == 5
    assert service.posts == 0


@pytest.mark.attack
def test_a_watch_opens_what_its_values_know_and_nothing_else(
    service: Service, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started again three times while somebody watches: changed, as it was, and changed once more."""
    spy = 'open-webui-tdx tool {"id":"spy","sha384":"00"}'
    starts = iter(["changed", "good", "good", "changed", "end"])
    opened: list[int] = []

    def start(_seconds: float = 0) -> None:
        opened.append(len(service.taken))
        kind = next(starts)
        if kind == "end":
            raise SystemExit
        service.renew()
        service.said = Answer("opened", 5 + len(opened))
        while spy in service.td.events:
            service.td.events.remove(spy)
        if kind == "changed":
            service.td.events.append(spy)

    start()
    monkeypatch.setattr(command, "_Attempts", partial(command._Attempts, sleep=start))
    _, said = unlock(service, key, "--accept", "simulated", "--watch")
    assert said.count("No key was sent") == 2, said
    assert opened == [0, 0, 1, 2, 2] and service.posts == 2 and keyfile.seen(key) == 8


@pytest.mark.attack
@pytest.mark.parametrize(
    ("data", "measured"),
    [
        ({"state": "encrypted", "owner": "A" * 43}, "A" * 43),
        ({"state": "encrypted", "owner": "A" * 43}, None),
        (..., "A" * 43),
        (..., ""),
        ({"state": "plain"}, ""),
        (None, ""),
    ],
    ids=["another owner's", "attested", "measured", "unmeasured", "plain", "unsaid"],
)
def test_nothing_is_sent_for_data_of_somebody_elses(
    service: Service, key: Path, data: Any, measured: str | None
) -> None:
    if data is not ...:
        service.td.bound["data"] = data
    service.td.owner = keyfile.load(key).public if measured is None else measured
    code, said = unlock(service, key, "--accept", "simulated")
    assert code and service.posts == 0 and "No key was sent." in said


@pytest.mark.attack
def test_whoever_answers_in_the_tds_place_is_not_believed(service: Service, key: Path) -> None:
    relay, service.locked = service.locked, Locked(service.locked._owner.public_bytes_raw())
    code, said = unlock(service, key, "--accept", "simulated")  # who is there does not hold the bound key
    assert code == 5 and "or somebody before it" in said and keyfile.seen(key) == 0
    assert not relay.used


def test_data_that_is_open_is_left_alone(service: Service, key: Path) -> None:
    del service.td.bound["unlock"]
    service.td.bound["data"] |= {"generation": 8}
    code, said = unlock(service, key, "--accept", "simulated")
    assert code == 0 and "open already" in said and service.posts == 0 and keyfile.seen(key) == 8


def test_a_new_key_is_its_owners_alone_and_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "data.key"
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(io.StringIO()):
        assert cli.run(["unlock", "--new-key", str(path)]) == 0
    made = keyfile.load(path)
    assert output.getvalue() == f"DATA_OWNER={made.public}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert made.data_key not in (made.secret, made.owner.private_bytes_raw()) and made.data_key.hex() not in repr(made)
    with redirect_stderr(output):
        assert cli.run(["unlock", "--new-key", str(path)]) == 2
    assert "never written over" in output.getvalue() and keyfile.load(path) == made


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "give the address of the service and --key"),
        (["http://127.0.0.1:1"], "give the address of the service and --key"),
        (["http://127.0.0.1:1", "--key", "x", "--accept", "plain-data"], "it is simulated or administrator"),
        (["http://127.0.0.1:1", "--key", "x", "--create", "--watch"], "changes nothing"),
        (["http://127.0.0.1:1", "--new-key", "x"], "and no address"),
        (["--restore-key", "x", "--new-key", "y"], "give one of them"),
        (["http://127.0.0.1:1", "--key", "x", "--full"], "says how --rotate-key is to be done"),
        (["http://127.0.0.1:1", "--key", "x", "--create", "--rotate-key"], "give one of them"),
        (["http://127.0.0.1:1", "--key", "x", "--rotate-key", "--watch"], "asked once"),
        (["http://127.0.0.1:1", "--key", "/nonexistent"], "cannot be read"),
    ],
)
def test_usage(arguments: list[str], sentence: str) -> None:
    output = io.StringIO()
    with redirect_stderr(output):
        assert cli.run(["unlock", *arguments]) == 2
    assert sentence in output.getvalue()


def test_a_key_file_that_others_can_read_is_refused(key: Path, service: Service) -> None:
    key.chmod(0o644)
    code, said = unlock(service, key, "--accept", "simulated")
    assert code == 2 and "can be read by others" in said
    key.chmod(0o600)
    key.write_text('{"v": 1, "secret": "AA", "data_key": 0}')
    code, said = unlock(service, key, "--accept", "simulated")
    assert code == 2 and "no key file of an owner" in said


def test_the_words_are_the_key_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, again = tmp_path / "data.key", tmp_path / "again.key"
    said, output = io.StringIO(), io.StringIO()
    with redirect_stderr(said), redirect_stdout(output):
        assert cli.run(["unlock", "--new-key", str(path)]) == 0
    made = keyfile.load(path)
    lines = said.getvalue().splitlines()[-4:]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines) + "\n\nnot read any more\n"))
    with redirect_stderr(said), redirect_stdout(output):
        assert cli.run(["unlock", "--restore-key", str(again), "--data-key", "2"]) == 0
    assert keyfile.load(again) == keyfile.OwnerKey(made.secret, 2) and again.stat().st_mode & 0o777 == 0o600
    assert output.getvalue() == f"DATA_OWNER={made.public}\n" * 2


def test_words_of_the_reference() -> None:
    """Of the test vectors of BIP-39."""
    assert " ".join(words.words_of(bytes(32))) == "abandon " * 23 + "art"
    assert words.secret_of("ZOO " * 23 + "vote\n") == b"\xff" * 32


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("abandon " * 23, "has 24 words, and these are 23"),
        ("abandon " * 22 + "abandn art", "word number 23"),
        ("abandon " * 24, "do not belong together"),
    ],
    ids=["too few", "misspelt", "exchanged"],
)
def test_words_that_are_no_key(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        words.secret_of(text)


@pytest.mark.parametrize("full", [False, True], ids=["wrapped", "copied"])
def test_another_key_for_the_data_is_written_down_once_it_is_in_force(service: Service, key: Path, full: bool) -> None:
    before = keyfile.load(key)
    asked = ["--accept", "simulated", "--rotate-key", *(["--full"] if full else [])]
    service.said = Answer("refused", 5, "The disk is full.")
    assert unlock(service, key, *asked)[0] == 5
    assert keyfile.load(key) == before
    service.renew()
    service.said = Answer("opened", 6)
    code, said = unlock(service, key, *asked)
    assert code == 0 and "another key now" in said
    action = Action.COPY if full else Action.ROTATE
    assert service.taken[-1][0] == action and service.new_keys[-1] == before.following.data_key
    assert keyfile.load(key) == before.following and key.stat().st_mode & 0o777 == 0o600
    assert before.following.public == before.public and before.following.data_key != before.data_key


def test_a_key_is_exchanged_when_the_data_is_opened(service: Service, key: Path) -> None:
    del service.td.bound["unlock"]
    code, said = unlock(service, key, "--accept", "simulated", "--rotate-key")
    assert code == 5 and "exchanged when it is opened" in said and keyfile.load(key).number == 0


@pytest.mark.slow
def test_a_locked_door_needs_no_certificate_of_a_ca(key: Path, tmp_path: Path) -> None:
    """Whoever ends TLS: what is sent is sealed to the bound key, and nothing is believed but what is signed."""
    owner = keyfile.load(key).public
    certificate = make_certificate(tmp_path)
    td = Td(owner=owner)
    with Service(td, owner, certificate) as running:
        td.bound |= {"origin": running.url, "channel": to_base64url(Keys().current.encode())}
        running.renew()
        assert unlock(running, key, "--accept", "simulated")[0] == 0 and len(running.taken) == 1
        with redirect_stderr(io.StringIO()):
            assert cli.run([running.url, "--cache", str(tmp_path / "cache")]) == 3, "everybody else looks at it"


def granted(key: Path, *more: str) -> tuple[int, str]:
    output = io.StringIO()
    with redirect_stderr(output), redirect_stdout(output):
        code = cli.run(["unlock", *more])
    return code, output.getvalue()


def test_a_grant_for_a_trustee_is_the_owners_with_the_count_that_was_seen(key: Path) -> None:
    made, place = key.with_name("data.grant"), "default/open-webui/data-key"
    keyfile.remember(key, 9)
    code, said = granted(key, "--grant", str(made), "--for", place, "--key", str(key))
    assert code == 0 and str(made) in said and place in said
    owner = keyfile.load(key)
    public = owner.owner.public_key().public_bytes_raw()
    assert decode(made.read_bytes(), public, place) == Grant(owner.data_key, 9)
    assert made.stat().st_mode & 0o777 == 0o600
    assert granted(key, "--grant", str(made), "--for", place, "--key", str(key))[0] == 2, "it is not written over"
    made.unlink()
    arguments = ("--grant", str(made), "--for", place, "--key", str(key), "--accept-generation", "4")
    assert granted(key, *arguments)[0] == 0
    assert decode(made.read_bytes(), public, place).least_generation == 4


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--grant", "f"), "--grant FILE takes --for"),
        (("--for", "a/b/c"), "--grant FILE takes --for"),
        (("--grant", "f", "--for", "a/b/c", "https://host"), "and no address"),
        (("--grant", "f", "--for", "a/b"), "is no resource of a Trustee"),
    ],
)
def test_a_grant_that_nobody_could_use_is_not_written(key: Path, more: tuple[str, ...], sentence: str) -> None:
    folder = str(key.parent)
    code, said = granted(key, *(f"{folder}/{each}" if each == "f" else each for each in more), "--key", str(key))
    assert code == 2 and sentence in " ".join(said.split())
    assert not Path(f"{folder}/f").exists()
