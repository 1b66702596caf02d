"""Tools and Functions: code in the server, from those who may put it there, with nothing installed for it."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from tests.attacks.conftest import Site

CODE = '''"""
title: T
requirements: {requirements}
"""
class Tools:
    class Valves:
        pass
    def word(self) -> str:
        """Say a word"""
        return "secret of the tool"
'''
PIPE = (
    '"""\nrequirements: {requirements}\n"""\nclass Pipe:\n    def pipe(self, body: dict) -> str:\n        return ""\n'
)


def tool(site: Site, name: str, requirements: str = "", access: object = None, who: str = "admin") -> tuple[int, str]:
    form = {
        "id": name, "name": name, "meta": {"description": ""}, "content": CODE.format(requirements=requirements),
        "access_control": access,
    }  # fmt: skip
    answer = site.people[who].post("/api/v1/tools/create", json=form)
    return answer.status_code, answer.text


def archive(folder: Path) -> tuple[Path, Path]:
    """A package whose build code leaves a trace, and that trace."""
    trace, path = folder / "built", folder / "evil-1.0.tar.gz"
    code = (
        f"open({str(trace)!r}, 'w').close()\nfrom setuptools import setup\nsetup(name='evil', version='1.0')\n".encode()
    )
    with tarfile.open(path, "w:gz") as packed:
        entry = tarfile.TarInfo("evil-1.0/setup.py")
        entry.size = len(code)
        packed.addfile(entry, io.BytesIO(code))
    return path, trace


def test_cve_2026_0765_cve_2026_0766_a_requirement_runs_its_build_code(site: Site, tmp_path: Path) -> None:
    path, trace = archive(tmp_path)
    for number, requirement in enumerate((str(path), f"evil @ file://{path}", "no-such-package-here", "httpx<0.1")):
        status, text = tool(site, f"needy{number}", requirement)
        assert status == 400 and "not installed while the server runs" in text, text
        assert requirement.split("<")[0].split(" ")[0] in text
        form = {
            "id": f"needy{number}",
            "name": "n",
            "meta": {"description": ""},
            "content": PIPE.format(requirements=requirement),
        }
        answer = site.admin.post("/api/v1/functions/create", json=form)
        assert answer.status_code == 400 and "not installed while the server runs" in answer.text
    assert not trace.exists()


@pytest.mark.parametrize("requirements", ["httpx", "httpx>=0.20,<1, pydantic", "pydantic[email]"])
def test_what_the_release_holds_may_be_required(site: Site, requirements: str) -> None:
    status, text = tool(site, f"held{abs(hash(requirements))}", requirements)
    assert status == 200, text


@pytest.fixture(scope="module")
def shared(site: Site) -> str:
    """A tool that ada and eve may use, and eve change."""
    access = {
        "read": {"user_ids": [site.ada.id, site.eve.id], "group_ids": []},
        "write": {"user_ids": [site.eve.id], "group_ids": []},
    }
    assert tool(site, "shared", access=access)[0] == 200
    assert tool(site, "private", access={})[0] == 200
    return "shared"


def test_cve_2026_45395_changing_a_tool_without_the_permission(site: Site, shared: str) -> None:
    form = {
        "id": shared,
        "name": "x",
        "meta": {"description": ""},
        "content": CODE.format(requirements=""),
        "access_control": None,
    }
    answer = site.eve.post(f"/api/v1/tools/id/{shared}/update", json=form)
    assert answer.status_code == 403 and "workspace.tools" in answer.text
    assert (
        site.admin.post(f"/api/v1/tools/id/{shared}/update", json={**form, "access_control": _access(site)}).status_code
        == 200
    )


def _access(site: Site) -> dict[str, object]:
    return {
        "read": {"user_ids": [site.ada.id, site.eve.id], "group_ids": []},
        "write": {"user_ids": [site.eve.id], "group_ids": []},
    }


def test_cve_2026_70491_a_tools_code_for_its_readers(site: Site, shared: str) -> None:
    assert "secret of the tool" not in site.ada.get(f"/api/v1/tools/id/{shared}").text
    assert "secret of the tool" in site.admin.get(f"/api/v1/tools/id/{shared}").text


def test_cve_2026_34222_a_tools_valves(site: Site, shared: str) -> None:
    assert site.ada.get(f"/api/v1/tools/id/{shared}/valves").status_code == 403
    assert site.ada.get("/api/v1/tools/id/private/valves/spec").status_code == 403
    assert site.ada.get("/api/v1/tools/id/private/valves/user").status_code == 403
    assert site.admin.get(f"/api/v1/tools/id/{shared}/valves").status_code == 200


def test_cve_2026_45350_calling_a_tool_that_is_not_shared(site: Site, shared: str) -> None:
    for name, offered in ((shared, True), ("private", False)):
        site.model.prompts.clear()
        answer = site.ada.ask("say a word", tool_ids=[name], params={"function_calling": "native"})
        assert answer.status_code == 200
        assert any(prompt.get("tools") for prompt in site.model.prompts) is offered
