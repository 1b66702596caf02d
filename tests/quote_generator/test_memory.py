"""The binding under valgrind: no invalid access, no lost buffer, on success and on every kind of failure."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.quote_generator.stub import compile_stub

WORK = """
import sys
sys.path.append(sys.argv[2])
import quote_generator as q
from quote_generator import library
from tests.quote_generator.stub import Stub
stub = Stub(sys.argv[1])
library.load(sys.argv[1])
def attempt(call):
    try: call()
    except (q.TdxAttestError, ValueError, TypeError): pass
for setting in (dict(), dict(status=8), dict(status=0xd), dict(busy_times=2)):
    for odd in (dict(), dict(buffer_on_error=True), dict(no_buffer=True), dict(keys=3), dict(keys=1000)):
        for number in range(60):
            stub.set(**setting)
            stub.odd(**odd)
            attempt(lambda: q.generate_quote(b"x" * (number % 70), att_key_ids=[b"k" * 16] * (number % 3)))
            attempt(lambda: q.get_report(b"y" * number))
            attempt(lambda: q.extend_rtmr(3, bytes(48)))
            attempt(q.get_supported_key_ids)
            attempt(lambda: q.generate_quote("text"))
assert stub.living() == 0
print("done")
"""
OURS = re.compile(r"tdx_att_|_binding|stub_library")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="needs valgrind")
def test_no_invalid_access_and_no_leak(plugin_path: Path, tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    library = compile_stub(tmp_path)
    environment = {
        **os.environ,
        "PYTHONPATH": str(plugin_path),
        "PYTHONSAFEPATH": "1",
        "PYTHONMALLOC": "malloc",  # each object an allocation that valgrind can see
    }
    log = tmp_path / "valgrind.log"
    command = ["valgrind", "--leak-check=full", "--show-leak-kinds=definite,indirect", f"--log-file={log}"]
    command += [sys.executable, "-c", WORK, str(library), str(root)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout == "done\n", done.stderr
    records = re.split(r"\n==\d+== \n", log.read_text())
    found = [record for record in records if re.search(r"Invalid|uninitialised|lost", record) and OURS.search(record)]
    assert found == []
    assert len(records) > 1  # valgrind did look
