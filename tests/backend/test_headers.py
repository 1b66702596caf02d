"""The headers of every answer: what pages may load and where they may send, held by the browser."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from attestation import headers
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

SCRIPT = "\n  start();\n"


@pytest.fixture
def frontend(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text(f'<script src="/a.js" defer></script><script>{SCRIPT}</script>')
    (tmp_path / "tee").mkdir()
    (tmp_path / "tee" / "python.html").write_text("<script>run()</script>")
    return tmp_path


def client(frontend: Path, **environ: str) -> TestClient:
    def answer(request: object) -> Response:
        return PlainTextResponse("text")

    def own(request: object) -> Response:
        return Response(
            "x", media_type="image/png", headers={"Content-Security-Policy": "default-src 'none'; sandbox x"}
        )

    def pdf(request: object) -> Response:
        return Response(b"%PDF", media_type="application/pdf")

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("open")
        await websocket.close()

    routes = [
        Route("/api/own", own),
        Route("/api/pdf", pdf),
        WebSocketRoute("/ws/socket", socket),
        Route("/{rest:path}", answer),
    ]
    app = FastAPI(routes=routes)
    app.add_middleware(headers.SecurityHeaders, frontend=frontend, environ=environ)
    return TestClient(app, base_url="http://chat.example:8080")


def policy(answer: Response) -> dict[str, list[str]]:
    parts = [part.split() for part in answer.headers["content-security-policy"].split(";")]
    assert len({part[0] for part in parts}) == len(parts), "a directive that stands twice counts once"
    return {name: sources for name, *sources in parts}


def test_a_page_runs_its_own_scripts_only(frontend: Path) -> None:
    found = policy(client(frontend).get("/c/1234"))
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    assert found["script-src"] == ["'self'", f"'sha256-{digest}'"]
    assert found["object-src"] == found["base-uri"] == ["'none'"]


@pytest.mark.attack
def test_a_page_sends_nothing_elsewhere(frontend: Path) -> None:
    """A picture in a model's answer, a form, a frame: each would carry words in its address."""
    found = policy(client(frontend).get("/"))
    reach = {source for name, sources in found.items() if name.endswith("-src") for source in sources}
    hosts = {source for source in reach if not source.startswith("'")}
    assert hosts == {"data:", "blob:"}
    assert found["default-src"] == found["connect-src"] == found["form-action"] == ["'self'"]


def test_measured_services_may_be_asked(frontend: Path) -> None:
    environ = {
        "TEE_SERVICE": "trustee",
        "TEE_SERVICE_URL": "https://trustee.example/as",
        "TEE_SERVICE_ORIGINS": "https://a.example, https://b.example:8443",
    }
    found = policy(client(frontend, **environ).get("/"))
    assert found["connect-src"] == [
        "'self'",
        "https://trustee.example",
        "https://a.example",
        "https://b.example:8443",
    ]


@pytest.mark.attack
@pytest.mark.parametrize("path", ["/api/v1/chats", "/cache/x.html", "/ollama/api/tags", "/openai/models", "/health"])
def test_an_answer_shown_as_a_page_runs_nothing(frontend: Path, path: str) -> None:
    found = policy(client(frontend).get(path))
    assert found["default-src"] == ["'none'"] and found["sandbox"] == []


def test_a_stricter_policy_stays(frontend: Path) -> None:
    assert "sandbox x" in client(frontend).get("/api/own").headers["content-security-policy"]


def test_a_pdf_reaches_the_viewer_without_the_pages_origin(frontend: Path) -> None:
    found = policy(client(frontend).get("/api/pdf"))
    assert found["object-src"] == ["'self'"] and found["default-src"] == found["form-action"] == ["'none'"]
    assert "allow-scripts" in found["sandbox"] and "allow-same-origin" not in found["sandbox"]


@pytest.mark.attack
@pytest.mark.parametrize(
    ("path", "reach"),
    [
        ("/tee/artifact.html", "()"),
        ("/tee/python.html", "()"),
        ("/api/pdf", "()"),
        ("/api/v1/files/1/content/html", "()"),
        ("/cache/images/a.html", "()"),
    ],
)
def test_what_others_wrote_connects_to_nobody(frontend: Path, path: str, reach: str) -> None:
    """WebRTC and names that are looked up ahead of need: no CSP names them."""
    assert client(frontend).get(path).headers["connection-allowlist"] == reach


@pytest.mark.parametrize("path", ["/", "/c/1", "/oauth/google/login"])
def test_people_follow_links_from_the_pages(frontend: Path, path: str) -> None:
    assert "connection-allowlist" not in client(frontend).get(path).headers


@pytest.mark.attack
def test_an_artifact_has_no_origin_and_no_connection(frontend: Path) -> None:
    found = policy(client(frontend).get("/tee/artifact.html"))
    assert found["sandbox"] == ["allow-scripts"] and found["form-action"] == ["'none'"]
    reach = {source for name, sources in found.items() if name.endswith("-src") for source in sources}
    assert reach <= {"'none'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"}


@pytest.mark.attack
def test_a_worker_reaches_files_of_the_release_only(frontend: Path) -> None:
    """What a worker asks passes no guard: nothing that answers with anybody's words."""
    found = policy(client(frontend).get("/_app/immutable/workers/kokoro.worker-1.js"))
    assert found["connect-src"] == ["http://chat.example:8080/_app/"]


@pytest.mark.attack
def test_python_reaches_nothing(frontend: Path) -> None:
    """Not even files that everybody may read: their addresses could carry words."""
    found = policy(client(frontend).get("/tee/python.html"))
    assert found["sandbox"] == ["allow-scripts"] and found["default-src"] == ["'none'"]
    reach = {source for name, sources in found.items() if name.endswith("-src") for source in sources}
    assert {source for source in reach if ":" in source or "self" in source} == {"blob:"}


@pytest.mark.parametrize("host", ["a b", "a;script-src *", "'self'", "x/y", ""])
def test_a_host_is_no_way_into_the_policy(frontend: Path, host: str) -> None:
    found = policy(client(frontend).get("/_app/immutable/workers/a.js", headers={"host": host}))
    assert found["connect-src"] == ["'none'"]
    assert not any("*" in sources for sources in found.values())


def test_no_file_is_another_origins(frontend: Path) -> None:
    for path in ("/pyodide/pyodide.asm.js", "/_app/immutable/workers/a.js", "/api/v1/chats", "/"):
        assert "access-control-allow-origin" not in client(frontend).get(path).headers


def test_the_companions_are_everywhere(frontend: Path) -> None:
    for path in ("/", "/api/v1/chats", "/api/own", "/pyodide/x"):
        found = client(frontend).get(path).headers
        assert found["x-content-type-options"] == "nosniff"
        assert found["referrer-policy"] == "no-referrer" and found["x-frame-options"] == "SAMEORIGIN"
        assert "camera=(self)" in found["permissions-policy"]


def test_sockets_pass(frontend: Path) -> None:
    with client(frontend).websocket_connect("/ws/socket") as socket:
        assert socket.receive_text() == "open"


def test_no_pages_no_hashes(tmp_path: Path) -> None:
    assert policy(client(tmp_path).get("/"))["script-src"] == ["'self'"]
