"""The backend's locks: every line hashed, and slim exactly the full list minus what is listed."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from scripts import locks
from scripts.errors import PinError

FULL = locks.read(locks.FOLDER / "full.txt")
REMOVALS = locks.removals()
HASH = "    --hash=sha256:" + "0" * 64


def test_slim_is_the_full_lock_minus_the_listed_removals_hash_for_hash() -> None:
    slim = locks.slim(FULL, REMOVALS)
    listed = [*REMOVALS.remove, *REMOVALS.orphans]
    gone = {name for name in FULL if any(fnmatchcase(name, pattern) for pattern in listed)}
    assert slim.keys() == FULL.keys() - gone
    source = (locks.FOLDER / "full.txt").read_text()
    for entry in slim.values():
        assert entry.text in source


def test_the_torch_stack_is_not_in_slim_and_is_in_full() -> None:
    stack = {"torch", "triton", "sentence-transformers", "colbert-ai"}
    assert stack <= FULL.keys()
    assert not stack & locks.profile("slim").keys()
    assert not [name for name in locks.profile("slim") if name.startswith("nvidia-")]
    assert stack <= locks.profile("full").keys()


def test_nothing_that_stays_in_slim_asks_for_a_removed_package_except_by_choice() -> None:
    """Who asks for a removed package must be removed too, or not need it: rapidocr finds the headless OpenCV."""
    slim = locks.slim(FULL, REMOVALS)
    asked = {name: FULL[name].via & slim.keys() for name in FULL.keys() - slim.keys() if FULL[name].via & slim.keys()}
    assert asked == {"opencv-python": {"rapidocr-onnxruntime"}}


def test_the_listed_orphans_are_those_that_the_lock_itself_shows() -> None:
    assert locks.orphans(FULL, REMOVALS) == set(REMOVALS.orphans)
    assert REMOVALS.keep.keys() <= locks.slim(FULL, REMOVALS).keys()


def test_every_removal_says_why() -> None:
    assert all(len(why) > 10 for why in (*REMOVALS.remove.values(), *REMOVALS.keep.values()))


@pytest.mark.parametrize("profile", ["slim", "full"])
def test_both_profiles_hold_what_upstream_pins_itself(profile: str) -> None:
    packages = locks.profile(profile)
    for name, version in {"fastapi": "0.115.7", "chromadb": "0.6.2", "langchain": "0.3.19", "rfc8785": "0.1.4"}.items():
        assert packages[name].version == version


def test_no_lock_names_a_host() -> None:
    for path in locks.FOLDER.iterdir():
        if path.is_file():
            assert not re.search(r"https?://|index-url|find-links", path.read_text()), path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one==1.0\n", "one has no hash"),
        (f"one==1.0 \\\n{HASH}\ntwo>=2\n", "line 3 is not understood: 'two>=2'"),
        (f"--index-url somewhere\none==1.0 \\\n{HASH}\n", "line 1 is not understood"),
    ],
)
def test_a_lock_that_pins_less_than_everything_is_refused(tmp_path: Path, text: str, said: str) -> None:
    lock = tmp_path / "full.txt"
    lock.write_text(text)
    with pytest.raises(PinError, match=re.escape(said)):
        locks.read(lock)


def test_a_removal_of_something_that_is_not_there_is_refused() -> None:
    with pytest.raises(PinError, match="removes tensorflow, which"):
        locks.slim(FULL, locks.Removals({"tensorflow": "a mistake"}, (), {}))


def test_reading_keeps_who_asks_for_what(tmp_path: Path) -> None:
    lock = tmp_path / "x.txt"
    lock.write_text(
        f"one==1.0 \\\n{HASH}\n    # via -r list.txt\ntwo==2.0 \\\n{HASH} \\\n{HASH}\n    # via\n    #   one\n    #   "
        "three\n"
    )
    found = locks.read(lock)
    assert found["one"].via == {"-r list.txt"}
    assert found["two"].via == {"one", "three"}
    assert locks.render(found.values()) == f"one==1.0 \\\n{HASH}\ntwo==2.0 \\\n{HASH} \\\n{HASH}\n"
