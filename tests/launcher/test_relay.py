"""Words reach the Ollama that was measured and no other program, whoever takes its address meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher.measure import ollama_program, sockets
from launcher.serve import judge, relay
from launcher.serve.ollama_calls import BODY_LIMIT, judge_body, judge_head
from launcher.serve.refusals import Refusal
from launcher.serve.relay import Target
from tests.ports import free_port

pytestmark = pytest.mark.attack

STANDIN = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'{"version": "0.5.7"}')
    def do_POST(self):
        words = self.rfile.read(int(self.headers["Content-Length"]))
        open(sys.argv[3], "ab").write(words)
        self.send_response(200); self.end_headers(); self.wfile.write(b"all is well")
    def log_message(self, *args): pass
class Server(http.server.HTTPServer):
    allow_reuse_address = True
server = Server((sys.argv[1], int(sys.argv[2])), Handler)
if len(sys.argv) > 4:  # another program takes over the process, its number and its socket
    os.set_inheritable(server.fileno(), True)
    code = "import socket, time; server = socket.socket(fileno=int(%d))" % server.fileno()
    code += "; words = server.accept()[0].recv(9); words and open(%r, 'wb').write(words)" % sys.argv[3]
    print("listening", flush=True)
    sys.stdin.readline()
    os.execv(sys.argv[4], [sys.argv[4], "-c", code])
print("listening", flush=True)
server.serve_forever()
"""


@pytest.fixture
def binaries(tmp_path: Path) -> tuple[Path, Path]:
    """Two programs that answer as Ollama does: the one that is measured, and another."""
    good, other = tmp_path / "good/bin/ollama", tmp_path / "other/bin/ollama"
    for path in (good, other):
        path.parent.mkdir(parents=True)
        shutil.copy(Path("/proc/self/exe").resolve(), path)
    with other.open("ab") as file:
        file.write(b"another one")
    return good, other


Begin = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    started = []

    def start(binary: Path, port: int, heard: str, *more: str, host: str = "127.0.0.1") -> subprocess.Popen[str]:
        words = [str(binary), "-c", STANDIN, host, str(port), str(tmp_path / heard), *more]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None and process.stdout.readline() == "listening\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


WORDS = b'{"model": "tiny", "messages": ["secret"]}'


def models() -> frozenset[str]:
    return frozenset({"tiny:latest"})


def post(url: str, words: bytes = WORDS, path: str = "/api/chat") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}{path}", words), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["error"]


def until(url: str, wanted: tuple[int, str]) -> None:
    deadline = time.monotonic() + 20
    while (got := post(url)) != wanted:
        assert got == (503, judge.MEASURING) and time.monotonic() < deadline, got
        time.sleep(0.05)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def serve(port: int) -> Iterator[Callable[[], str]]:
    """Measure what answers at `port` and begin to relay to it; the relay's address."""
    listeners = []

    def start() -> str:
        answering = ollama_program.find(f"http://127.0.0.1:{port}")
        knows = judge.Judge(ollama_program.measure(answering.executable), answering)
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        target = Target("127.0.0.1", port, "", models)
        threading.Thread(target=relay.serve, args=(listener, target, knows), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.detach()  # the thread that waits on it ends with the tests


@pytest.mark.slow
def test_who_takes_the_address_gets_no_word(
    binaries: tuple[Path, Path], begin: Begin, serve: Callable[[], str], port: int, tmp_path: Path
) -> None:
    good, other = binaries
    first = begin(good, port, "words")
    url = serve()
    assert post(url) == (200, "all is well")
    first.kill()
    first.wait()
    assert post(url) == (503, relay.GONE)
    evil = begin(other, port, "evil")
    assert post(url) == (503, judge.MEASURING)
    until(url, (503, judge.OTHER))
    assert not (tmp_path / "evil").exists()
    evil.kill()
    evil.wait()
    begin(good, port, "words")  # started anew: measured before it gets a word
    until(url, (200, "all is well"))


@pytest.mark.slow
def test_another_program_in_the_same_process_gets_no_word(
    binaries: tuple[Path, Path], begin: Begin, serve: Callable[[], str], port: int, tmp_path: Path
) -> None:
    good, other = binaries
    process = begin(good, port, "heard", str(other))
    url = serve()
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{process.pid}/exe").resolve() != other.resolve():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert post(url) == (503, judge.MEASURING)
    process.wait(10)
    assert not (tmp_path / "heard").exists()


KEEPS = """
import os, socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
kept = server.accept()[0]
kept.recv(99)
os.set_inheritable(kept.fileno(), True)
sys.stdin.readline()
code = "import socket; kept, out = socket.socket(fileno=%d), open(%r, 'wb')"
code += "\\nwhile data := kept.recv(65536): out.write(data)"
os.execv(sys.argv[3], [sys.argv[3], "-c", code % (kept.fileno(), sys.argv[2])])
"""


@pytest.mark.slow
def test_a_long_request_is_not_finished_by_another_program(
    binaries: tuple[Path, Path], serve: Callable[[], str], port: int, tmp_path: Path
) -> None:
    """It takes over the process and the open connection, while more is still to be sent than the kernel holds."""
    good, other = binaries
    words: list[str | Path] = [good, "-c", KEEPS, str(port), tmp_path / "heard", other]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "listening\n"
        body = b'{"model": "tiny", "images": ["' + b"x" * (64 << 20) + b'the last words"]}'
        with socket.create_connection(("127.0.0.1", int(serve().rpartition(":")[2]))) as client:
            client.sendall(b"POST /api/chat HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            time.sleep(0.5)  # it fills the kernel's buffers, and waits
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
            assert client.recv(99) == b""
        process.wait(10)
    heard = (tmp_path / "heard").read_bytes()
    assert b"x" in heard and b"the last words" not in heard


def test_the_program_at_the_very_address_is_measured(binaries: tuple[Path, Path], begin: Begin, port: int) -> None:
    """A good one at 127.0.0.2 does not speak for another one at 127.0.0.1, nor for one at every address."""
    good, other = binaries
    at_two, at_one = begin(good, port, "good", host="127.0.0.2"), begin(other, port, "evil")
    assert ollama_program.find(f"http://127.0.0.1:{port}").pid == at_one.pid
    assert ollama_program.find(f"http://127.0.0.2:{port}").pid == at_two.pid


def test_all_addresses_are_found_by_each(binaries: tuple[Path, Path], begin: Begin, port: int) -> None:
    process = begin(binaries[0], port, "good", host="0.0.0.0")
    for host in ("127.0.0.1", "127.0.0.7", "localhost"):
        assert ollama_program.find(f"http://{host}:{port}").pid == process.pid


def test_rows_of_both_tables_are_read(tmp_path: Path) -> None:
    (tmp_path / "thread-self/net").mkdir(parents=True)
    line = "   0: {} {} {} 00000000:00000000 00:00000000 00000000     0        0 {} 1 0 100 0 0 10 0\n"
    (tmp_path / "thread-self/net/tcp").write_text("head\n" + line.format("0100007F:2CAA", "00000000:0000", "0A", 77))
    (tmp_path / "thread-self/net/tcp6").write_text(
        "head\n"
        + line.format("00000000000000000000000001000000:2CAA", "0" * 32 + ":0000", "0A", 78)
        + line.format("0000000000000000FFFF00000100007F:2CAA", "0000000000000000FFFF00000200007F:0050", "01", 79)
    )
    four, six = sockets.address("127.0.0.1", 11434), sockets.address("::1", 11434)
    rows = list(sockets.rows(tmp_path))
    assert sockets.listening(four, rows) == {"77"} and sockets.listening(six, rows) == {"78"}
    assert sockets.accepted(sockets.address("127.0.0.2", 80), four, tmp_path) == "79"
    assert sockets.accepted(sockets.address("127.0.0.2", 81), four, tmp_path) == ""


def test_a_long_request_and_its_answer_pass_unchanged(port: int) -> None:
    """With no word of the client's but the request, and as one alone."""
    told, end = [], b"bye"
    target = socket.create_server(("127.0.0.1", port))

    def echo() -> None:
        connection, _ = target.accept()
        with connection:
            data = b""
            while not data.endswith(b'"}'):
                data += connection.recv(65536)
            told.append(data)
            connection.sendall(data + end)

    threading.Thread(target=echo, daemon=True).start()
    knows = judge.Judge(ollama_program.Program("", ""), ollama_program.look(os.getpid()))
    near, far = socket.socketpair()
    where = Target("127.0.0.1", port, "/base", models)
    threading.Thread(target=relay._connection, args=(far, where, knows), daemon=True).start()
    body = b'{"model": "tiny:latest", "prompt": "' + os.urandom(1 << 19).hex().encode() + b'"}'
    head = b"POST /base/api/generate HTTP/1.1\r\nHost: x\r\nX-Words: out\r\nContent-Length: %d\r\n\r\n" % len(body)

    def speak() -> None:
        near.sendall(head + body + b"POST /api/pull HTTP/1.1\r\n\r\n")

    threading.Thread(target=speak, daemon=True).start()
    got = b""
    while data := near.recv(65536):
        got += data
    passed = f"POST /base/api/generate HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
    passed += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    assert told == [passed.encode() + body] and got == told[0] + end
    target.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "words", "status"),
    [
        ("/api/pull", b'{"model": "evil.example/words"}', 403),
        ("/api/push", b'{"model": "tiny"}', 403),
        ("/api/create", b'{"model": "tiny"}', 403),
        ("/api/copy", b"{}", 403),
        ("/api/chat/../pull", WORDS, 403),
        ("/api/chat?x=1", WORDS, 403),
        ("//evil.example/api/chat", WORDS, 403),
        ("/api/chat", b'{"model": "elsewhere:cloud"}', 403),
        ("/api/chat", b'{"model": "tiny", "Model": "elsewhere:cloud"}', 400),
        ("/api/chat", b'{"model": "tiny", "model": "elsewhere:cloud"}', 400),
        ("/api/chat", b'{"model": ["tiny"]}', 400),
        ("/api/chat", '{"model": "tiny"}'.encode("utf-16"), 400),
        ("/api/show", b'{"name": "elsewhere"}', 403),
        ("/api/chat", b"[" * 100_000, 400),
    ],
)
def test_ollama_is_asked_for_nothing_that_it_would_ask_elsewhere(
    binaries: tuple[Path, Path], begin: Begin, serve: Callable[[], str], port: int, tmp_path: Path,
    path: str, words: bytes, status: int,
) -> None:  # fmt: skip
    begin(binaries[0], port, "heard")
    url = serve()
    assert post(url, words, path)[0] == status
    assert not (tmp_path / "heard").exists()
    assert post(url) == (200, "all is well")


@pytest.mark.parametrize(
    "head",
    [
        b"POST /api/chat HTTP/1.1\r\nTransfer-Encoding: chunked",
        b"POST /api/chat HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2",
        b"POST /api/chat HTTP/1.1\r\nContent-Length: +1",
        b"POST /api/chat HTTP/1.1\r\nContent-Length : 1",
        b"POST /api/chat HTTP/1.1\r\nX: y\r\n z",
        b"POST /api/chat HTTP/2",
        b"POST /api/chat",
        "POST /api/chät HTTP/1.1".encode(),
    ],
)
def test_what_is_no_request_with_one_meaning(head: bytes) -> None:
    with pytest.raises(Refusal, match="no request of HTTP"):
        judge_head(head, "")


def test_heads_and_bodies_that_may_pass() -> None:
    assert judge_head(b"GET /api/tags HTTP/1.1\r\nHost: x", "") == ("GET", "/api/tags", 0)
    assert judge_head(b"POST /a/v1/embeddings HTTP/1.1\r\ncontent-length: 7", "/a") == ("POST", "/a/v1/embeddings", 7)
    with pytest.raises(Refusal, match="at most 256 MiB"):
        judge_head(b"POST /api/chat HTTP/1.1\r\nContent-Length: %d" % (BODY_LIMIT + 1), "")
    with pytest.raises(Refusal, match="nothing that a service asks"):
        judge_head(b"GET /api/tags HTTP/1.1\r\nContent-Length: 3", "")
    judge_body(b'{"name": "tiny", "model": "tiny:latest", "messages": [{"model": 1, "Name": 2}]}', models())
