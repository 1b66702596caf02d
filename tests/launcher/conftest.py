"""A small release that runs: the real launcher, plugin and simulator; stand-ins for the web server and the model."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from tests import leftovers
from tests.ports import free_port

from . import apart

ROOT = Path(__file__).resolve().parents[2]

UVICORN = """
import http.server, json, os, sys, time
option = lambda name: sys.argv[sys.argv.index(name) + 1]
print("web server", sys.argv, flush=True)
with open(os.path.join(os.environ["DATA_DIR"], "environment.json"), "w") as file:
    json.dump(dict(os.environ), file)
if os.environ.get("WEBUI_NAME") == "dies":
    sys.exit("the web server cannot start")
if os.environ.get("WEBUI_NAME") == "leaves-a-child" and os.fork() == 0:
    import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)
if os.environ.get("WEBUI_NAME") == "leaves-a-session" and os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    code = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    code += f"open({os.environ['DATA_DIR'] + '/left'!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    os.execve(sys.executable, ["harmless", "-c", code], {})
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'{"onboarding": true}')
    log_message = lambda *a: None
import socketserver
socketserver.ThreadingUnixStreamServer(option("--uds"), Handler).serve_forever()
"""

# Passes GET on; says in its log what it was given.
DOOR = """
import http.client, http.server, json, os, socket, sys
config, given = json.loads(sys.argv[1]), dict(each.split("=") for each in sys.argv[2:])
print(json.dumps({"uid": os.getuid(), "given": sorted(given), "config": config}), flush=True)
channel = socket.socket(fileno=int(given["bind"]))
channel.sendall(b'{"bind": {"tls": null}}\\n')
print(json.dumps({**os.environ, **json.loads(sys.stdin.readline())}), flush=True)
assert json.loads(channel.recv(1000))["ok"] is True
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        connection = http.client.HTTPConnection("web")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(config["web_socket"])
        connection.request("GET", self.path)
        answer = connection.getresponse()
        self.send_response(answer.status); self.end_headers(); self.wfile.write(answer.read())
    log_message = lambda *a: None
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=int(given["listen"].split(",")[0]))
server.server_activate()
server.serve_forever()
"""

XLLAMACPP = """
class llama_pooling_type: LLAMA_POOLING_TYPE_MEAN = 1
class Bag: pass
class CommonParams:
    def __init__(self): self.model, self.sampling = Bag(), Bag()
class Server:
    count = 0
    def __init__(self, params):
        Server.count += 1
        self.listening_address = f"http://127.0.0.1:{20000 + Server.count}"
"""

PCCS = """
import sys, time
open(sys.argv[sys.argv.index("--ready-file") + 1], "w").write("http://127.0.0.1:9")
time.sleep(600)
"""


def write_manifest(release: Path) -> str:
    """release.json for what is in the folder now; returns its SHA-384."""
    files = [path for path in sorted(release.rglob("*")) if path.is_file() and path != release / "release.json"]
    entries = [
        {
            "path": str(path.relative_to(release)),
            "sha384": hashlib.sha384(path.read_bytes()).hexdigest(),
            "size": path.stat().st_size,
            "executable": bool(path.stat().st_mode & 0o100),
        }
        for path in files
    ]
    (release / "release.json").write_text(json.dumps({"v": 1, "files": entries}))
    return hashlib.sha384((release / "release.json").read_bytes()).hexdigest()


def _copy_package(name: str, folder: Path) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None
    shutil.copytree(Path(spec.origin).parent, folder / name, ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture(scope="session")
def release_template(plugin_path: Path, simulator_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    release = tmp_path_factory.mktemp("release") / "open-webui-tdx-0"
    packages = release / "site-packages"
    ignore = shutil.ignore_patterns("__pycache__", "*.pyx", "*.c")
    for name in ("launcher", "door", "data_unlock"):
        shutil.copytree(ROOT / name, release / name, ignore=ignore)
    shutil.copytree(plugin_path / "quote_generator", packages / "quote_generator", ignore=ignore)
    for name in ("rfc8785", "idna"):
        _copy_package(name, packages)
    (release / "simulator").mkdir()
    shutil.copy(simulator_library, release / "simulator")
    files = {
        "simulator/__init__.py": "",
        "simulator/__main__.py": PCCS,
        "door/__main__.py": DOOR,
        "site-packages/uvicorn/__init__.py": "",
        "site-packages/uvicorn/__main__.py": UVICORN,
        "site-packages/xllamacpp/__init__.py": "from .xllamacpp import *\n",
        "site-packages/xllamacpp/xllamacpp.py": XLLAMACPP,
        "llm/Tiny-1M.Q4.gguf": "weights",
        "backend/open_webui/env.py": 'import os\nos.environ.get("WEBUI_NAME", "x")\nos.environ.get("LICENSE_KEY")\n',
        "backend/open_webui/config.py": (
            'import os\nos.getenv("AUDIO_TTS_ENGINE", "")\nos.environ.get(\n    "OPENAI_API_BASE_URLS")\n'
            'os.environ.get("OPENAI_API_KEY")\nos.environ.get("DATABASE_URL")\nos.environ.get("OLLAMA_BASE_URL")\n'
            'os.environ.get("ENABLE_OPENAI_API")\nos.environ.get("OPENAI_API_BASE_URL")\nos.environ.get("STATIC_DIR")\n'
        ),
        "backend/open_webui/static/fonts/a.ttf": "font",
        "backend/open_webui/frontend/_app/page.js": "let a = 1\n",
    }
    for name, text in files.items():
        (release / name).parent.mkdir(parents=True, exist_ok=True)
        (release / name).write_text(text)
    write_manifest(release)
    return release


@pytest.fixture
def release(release_template: Path, tmp_path: Path) -> Path:
    """A release of one's own, to change."""
    return Path(shutil.copytree(release_template, tmp_path / "release"))


@pytest.fixture
def public_path() -> Iterator[Path]:
    """A folder that every account can reach."""
    with apart.public_folder() as folder:
        yield folder


def command(release: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-B", str(release / "launcher"), *arguments]


@dataclass
class Running:
    """A launcher that was started, with its output so far."""

    process: subprocess.Popen[str]
    data: Path
    port: int
    output: list[str] = field(default_factory=list)
    second: int = 0

    def until(self, text: str, timeout: float = 60) -> str:
        """Read until a line holds `text`; the whole output."""
        deadline = time.monotonic() + timeout
        assert self.process.stdout is not None
        while time.monotonic() < deadline:
            line = self.process.stdout.readline()
            self.output.append(line)
            if text in line:
                return "".join(self.output)
            if not line and self.process.poll() is not None:
                pytest.fail(f"the launcher ended with {self.process.returncode}:\n{''.join(self.output)}")
        pytest.fail(f"{text!r} did not come:\n{''.join(self.output)}")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=30)
        self.output.append(rest)
        return self.process.returncode

    def log(self) -> list[str]:
        """The lines of the event log."""
        (file,) = self.data.glob("attestation/*/log")
        return file.read_text().splitlines()

    def launches(self) -> int:
        """The second process of the launcher, which starts all others; 0 before it is there."""
        if not self.second:
            with suppress(OSError):
                pids = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
                self.second = int(pids[0]) if pids else 0
        return self.second

    def members(self) -> list[int]:
        """Processes of this launch that are alive, the launcher excluded."""
        found = []
        second = self.launches()
        for folder in Path("/proc").iterdir():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0") if folder.name.isdigit() else []
            except OSError:
                continue
            ours = second and str(second).encode() in words
            inside = (b"_module", b"1") in pairwise(words) and any(bytes(self.data) in word for word in words)
            if b"_module" in words and (ours or inside):
                found.append(int(folder.name))
        return found


Start = Callable[..., Running]
#: How many processes more a fenced one is: one outside that waits, and the first one inside.
FENCE = 2 if os.geteuid() == 0 else 0


def environment(**settings: str) -> dict[str, str]:
    """The tests' environment without anything that would be a setting."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "HOME", "TMPDIR")}
    return {**kept, "TDX": "simulated", "LLM": "none", **settings}


_bytecode: list[Path] = []


def keep_bytecode(data: Path, started: list[Running]) -> None:
    """Give a new data folder the standard library's bytecode of an earlier test: compiling it is most of a launch."""
    for running in started:
        if not _bytecode:
            _bytecode.extend(running.data.glob("run/pycache-*"))
    if _bytecode and _bytecode[0].is_dir() and not data.exists():
        shutil.copytree(_bytecode[0], data / "run" / _bytecode[0].name)


@pytest.fixture
def start(release: Path, tmp_path: Path) -> Iterator[Start]:
    """Start a launcher on `release` with settings; everything that was started is ended."""
    started: list[Running] = []

    def begin(*arguments: str, data: Path | None = None, release: Path = release, **settings: str) -> Running:
        folder, port = data or tmp_path / "data", int(settings.get("PORT") or free_port())
        keep_bytecode(folder, started)
        env = environment(**{"DATA_DIR": str(folder), "PORT": str(port), **settings})
        process = subprocess.Popen(
            command(release, "run", *arguments),
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tmp_path,
            preexec_fn=leftovers.end_with_parent,
        )
        started.append(Running(process, folder, port))
        return started[-1]

    yield begin
    keep_bytecode(tmp_path, started)
    for running in started:
        if running.process.poll() is None:
            os.kill(running.launches() or running.process.pid, signal.SIGKILL)
        running.process.wait(30)
