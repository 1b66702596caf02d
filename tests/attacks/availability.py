"""One person's request is nobody else's wait, and another's picture signs nobody out."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.attacks.conftest import Site, environment, python
from tests.attacks.standin import Standin


def test_cve_2024_7983_markdown_that_takes_a_minute(site: Site) -> None:
    """No page asks for it, and 20,000 characters kept everybody waiting."""
    assert site.eve.post("/api/v1/utils/markdown", json={"md": "!["}).status_code in (404, 405)


LONG = {
    "code/format": {"code": "x = [" + "1, " * 30_000 + "]"},
    "pdf": {"title": "t", "messages": [{"role": "user", "content": "word " * 30_000}]},
}


def test_others_are_answered_while_nobodys_passwords_are_compared(site: Site) -> None:
    """Whoever has no account has the server do as much for a sign-in as whoever has one, as often as they like."""
    form = {"email": "nobody@example.com", "password": "a password"}

    def sign_in() -> list[int]:
        with site.anonymous() as stranger:
            return [stranger.post("/api/v1/auths/signin", json=form).status_code for _ in range(12)]

    answered = 0
    with ThreadPoolExecutor(1) as pool, site.anonymous() as nobody:
        asked = pool.submit(sign_in)
        while not asked.done():
            answered += nobody.get("/health").status_code == 200
        assert asked.result() == [400] * 12
    assert answered > 100


@pytest.mark.parametrize("path", LONG)
def test_others_are_answered_while_one_persons_text_is_made_ready(site: Site, path: str) -> None:
    """The server answers others meanwhile: it is seen by who is answered first, not by any time."""
    answered = 0
    with ThreadPoolExecutor(1) as pool, site.anonymous() as nobody:
        long = pool.submit(site.eve.client.post, f"/api/v1/utils/{path}", json=LONG[path], timeout=300)
        while not long.done():
            answered += nobody.get("/health").status_code == 200
        assert long.result().status_code == 200
    assert answered > 30


LIMIT_S = 90
ASKED = """
import json, sys
release = sys.argv[1]
sys.path += [release, f"{release}/backend", f"{release}/site-packages"]
from open_webui.models import auths
from open_webui.retrieval.web.main import get_filtered_results
from open_webui.retrieval.web.utils import get_web_loader
from open_webui.utils.misc import get_message_list
said, compared = {}, []
auths.verify_password = lambda password, kept: compared.append(kept)
auths.Auths.authenticate_user("nobody@example.com", "a password")
said["compared"] = [str(kept)[:7] for kept in compared]
results = [{"url": f"https://{name}/x"} for name in
           ("corp.example", "www.corp.example", "corp.example:8443", "evilcorp.example", "corp.example@evil.example")]
said["hosts"] = [entry["url"] for entry in get_filtered_results(results, ["corp.example"])]
try:
    said["playwright"] = type(get_web_loader("https://example.com/")).__name__
except Exception as error:
    said["playwright"] = str(error) or type(error).__name__
circle = {"a": {"id": "a", "parentId": "b"}, "b": {"id": "b", "parentId": "a"}}
print(json.dumps(said), flush=True)
print(json.dumps([entry["id"] for entry in get_message_list(circle, "a")]))
"""


@pytest.fixture(scope="module")
def told(release: Path, model: Standin, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What upstream's own functions answer, in a process that may not run for long."""
    folder = tmp_path_factory.mktemp("functions")
    settings = environment(release, folder, "http://127.0.0.1", model, {"RAG_WEB_LOADER_ENGINE": "playwright"})
    (folder / "static/fonts").mkdir(parents=True)
    try:
        said = subprocess.run(
            [*python(release, folder), "-c", ASKED, str(release)],
            env={**os.environ, **settings}, cwd=folder, stdout=subprocess.PIPE, timeout=LIMIT_S, check=False,
        ).stdout  # fmt: skip
    except subprocess.TimeoutExpired as late:
        said = late.stdout or b""
    lines = [line for line in said.decode().splitlines() if line.startswith(("{", "["))]
    assert lines
    return lines


def test_cve_2026_88002_messages_that_are_each_others_parents(told: list[str]) -> None:
    assert len(told) == 2 and json.loads(told[1]) == ["b", "a"]


def test_cve_2026_59218_a_refusal_does_not_tell_who_has_an_account(told: list[str]) -> None:
    assert json.loads(told[0])["compared"] == ["$2b$12$"]


def test_cve_2026_59223_a_host_that_ends_like_an_allowed_one(told: list[str]) -> None:
    hosts = ("corp.example", "www.corp.example", "corp.example:8443")
    assert json.loads(told[0])["hosts"] == [f"https://{host}/x" for host in hosts]


def test_cve_2026_54018_cve_2026_70479_a_browser_that_follows_pages_inside(told: list[str]) -> None:
    assert json.loads(told[0])["playwright"].startswith("RAG_WEB_LOADER_ENGINE=playwright fetches nothing here")


def test_a_picture_signs_nobody_out(site: Site) -> None:
    """A message's picture may name any path of the server's, and its reader's browser asks for it with their cookie."""
    with site.anonymous() as reader:
        reader.cookies.set("token", site.eve.token)
        asked = reader.get("/api/v1/auths/signout", headers={"Accept": "image/*", "Sec-Fetch-Dest": "image"})
        assert asked.status_code == 403 and "set-cookie" not in asked.headers
        asked = reader.get("/api/v1/auths/signout", headers={"Content-Type": "application/json"})
        assert asked.status_code == 200 and "token=" in asked.headers["set-cookie"]
