"""A release that starts, answers and stops passes; one that does not is refused with the reason."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.errors import CommandError, MissingError
from scripts.release.trying import try_release
from tests.scripts.tiny import Project

FAKE = """#!{python}
import http.server, os, signal, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        good = self.path == "/api/v1/tee/quote"
        self.send_response({status} if good else 404)
        self.end_headers()
        self.wfile.write(b'{{"tee": "tdx-simulated"}}')

server = http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: os._exit({leaves}))
assert os.path.isdir(os.environ["DATA_DIR"])
if {ready}:
    print("Open WebUI serves; Ctrl-C stops it", flush=True)
    server.serve_forever()
print("no model")
"""


def release(project: Project, ready: bool = True, status: int = 200, leaves: int = 0) -> None:
    program = project.cfg.release / "open-webui-tdx"
    program.parent.mkdir(parents=True)
    program.write_text(FAKE.format(python=sys.executable, ready=ready, status=status, leaves=leaves))
    program.chmod(0o755)
    project.runner().start_log()


def test_one_that_works_is_named_with_its_python_and_its_tee(project: Project) -> None:
    release(project)
    told = try_release(project.cfg, project.runner())
    assert told.endswith(f"started with Python {project.cfg.python_version}, gave a tdx-simulated quote, and stopped.")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"ready": False}, "before it was ready: no model"),
        ({"status": 503}, "answers no request for a quote: HTTP Error 503"),
        ({"leaves": 1}, "left with exit status 1 when it was stopped"),
    ],
)
def test_one_that_does_not_is_refused_with_the_reason(project: Project, how: dict[str, int], told: str) -> None:
    release(project, **how)  # type: ignore[arg-type]
    with pytest.raises(CommandError, match=told):
        try_release(project.cfg, project.runner())


def test_without_a_release_there_is_nothing_to_try(project: Project, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="run `make build` first"):
        try_release(project.cfg, project.runner())
