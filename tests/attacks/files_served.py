"""What people upload is sent so that no browser runs it, and only to whoever may have it."""

from __future__ import annotations

import pytest

from tests.attacks.conftest import Site

SCRIPT = "<html><script>alert(document.domain)</script></html>"


def test_cve_2025_46571_uploaded_html_runs(site: Site) -> None:
    for name, kind in (
        ("page.html", "text/html"),
        ("picture.svg", "image/svg+xml"),
        ("odd.xht", "application/xhtml+xml"),
    ):
        file_id = site.ada.upload(SCRIPT, name, kind)["id"]
        for path in ("content", f"content/{name}"):
            answer = site.ada.get(f"/api/v1/files/{file_id}/{path}")
            assert answer.status_code == 200 and answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-disposition"].startswith("attachment")
            assert answer.headers["content-type"] == "application/octet-stream"
            assert "sandbox" in answer.headers["content-security-policy"]


def test_cve_2025_46571_html_for_a_frame_has_no_script_and_no_origin(site: Site) -> None:
    answer = site.ada.get(f"/api/v1/files/{site.ada.upload(SCRIPT, 'p.html', 'text/html')['id']}/content/html")
    policy = answer.headers["content-security-policy"]
    assert (
        answer.status_code == 200
        and policy.startswith("sandbox;")
        and "default-src 'none'" in policy
        and "allow-" not in policy
    )


@pytest.mark.parametrize(
    ("name", "kind"), [("a.txt", "text/plain"), ("a.png", "image/png"), ("a.pdf", "application/pdf")]
)
def test_inert_files_are_shown(site: Site, name: str, kind: str) -> None:
    answer = site.ada.get(f"/api/v1/files/{site.ada.upload('text', name, kind)['id']}/content")
    assert answer.headers["content-type"].startswith(kind) and answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("inline")


def test_files_of_others(site: Site) -> None:
    file_id = site.ada.upload("mine")["id"]
    for path in ("", "/content", "/content/html", "/content/a.txt", "/data/content"):
        assert site.eve.get(f"/api/v1/files/{file_id}{path}").status_code == 404


def test_cache_without_login(site: Site) -> None:
    cache = site.data / "cache"
    for folder in ("image/generations", "audio/transcriptions", "images"):
        (cache / folder).mkdir(parents=True, exist_ok=True)
    (cache / "image/generations/a.png").write_bytes(b"\x89PNG")
    (cache / "images/a.html").write_text(SCRIPT)
    (cache / "audio/transcriptions/a.html").write_text(SCRIPT)
    with site.anonymous() as nobody:
        assert nobody.get("/cache/image/generations/a.png").status_code == 403
        assert nobody.get("/cache/audio/transcriptions/a.html").status_code == 403
        nobody.cookies.set("token", site.eve.token)
        assert nobody.get("/cache/image/generations/a.png").headers["content-type"] == "image/png"
    page = site.eve.get("/cache/images/a.html")
    assert (
        page.headers["content-disposition"].startswith("attachment")
        and page.headers["x-content-type-options"] == "nosniff"
    )
    assert site.eve.get("/cache/audio/transcriptions/a.html").status_code == 404
    assert site.eve.get("/cache/images/%2e%2e/%2e%2e/webui.db").status_code == 404


@pytest.mark.parametrize("name", ["audio./etc/passwd", "page.html", "../../x", "no-end"])
def test_cve_2026_28786_cve_2026_45315_a_recording_keeps_no_name_of_its_uploaders(site: Site, name: str) -> None:
    """What is uploaded to be taken down is kept as what it was said to be, and its failure does not tell where."""
    kept = site.data / "cache/audio/transcriptions"
    before = set(kept.iterdir()) if kept.is_dir() else set()
    answer = site.eve.post("/api/v1/audio/transcriptions", files={"file": (name, SCRIPT.encode(), "audio/wav")})
    assert answer.status_code == 400 and str(site.data) not in answer.text
    assert {path.suffix for path in set(kept.iterdir()) - before} <= {".wav", ".json"}
