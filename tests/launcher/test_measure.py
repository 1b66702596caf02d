from __future__ import annotations

import hashlib

import pytest

from launcher.measure import interpreter
from launcher.plan import events as measured
from launcher.plan.events import Difference, Event


def test_the_register_follows_the_specification() -> None:
    events = [Event("release", {"sha384": "00"}), Event("model", {"name": "a", "digest": "b"})]
    register = bytes(48)
    lines = [
        "INIT sha384/" + "0" * 96,
        'open-webui-tdx release {"sha384":"00"}',
        'open-webui-tdx model {"digest":"b","name":"a"}',
    ]
    plan = hashlib.sha384("".join(f"{line}\n" for line in lines[1:]).encode()).hexdigest()
    for line in [*lines, f'open-webui-tdx launch {{"lines":[2,3],"plan":"{plan}"}}']:
        register = hashlib.sha384(register + hashlib.sha384(line.encode()).digest()).digest()
    assert [event.line for event in events] == lines[1:]
    assert measured.rtmr3(events) == register.hex()


def test_a_modified_release_names_its_files_and_covers_all() -> None:
    many = [Difference(f"f{number:03}", "changed", "ab" * 48) for number in range(100)]
    release, modified = measured.release_events("00", many)
    assert modified.content["count"] == 100 and len(modified.content["files"]) == measured.MAX_NAMED
    other = [*many[:99], Difference("f099", "changed", "cd" * 48)]
    assert measured.release_events("00", other)[1].line != modified.line
    assert measured.release_events("00", []) == [release]


def test_file_names_that_are_not_unicode_can_be_logged() -> None:
    _, modified = measured.release_events("00", [Difference("a\udcff\n", "added", None)])
    assert "\n" not in modified.line


@pytest.mark.slow
def test_the_interpreter_is_measured_the_same_twice() -> None:
    first = interpreter.measure()
    assert first == interpreter.measure()
    assert len(first["sha384"]) == len(first["environment"]) == 96
    library = interpreter.standard_library()
    assert any(path.endswith("/hashlib.py") for path in library) and any(path.endswith(".so") for path in library)
    assert not any("site-packages" in path or path.endswith(".pyc") for path in library)
