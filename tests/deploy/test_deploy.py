"""`make test-deploy`: the set-up on a fresh Debian 12, in the order in which an operator goes wrong and then right."""

from __future__ import annotations

import hashlib
import json
import re
import urllib.request
from typing import Any

import pytest

from .conftest import Site

pytestmark = pytest.mark.deploy

RECAP = re.compile(r"127\.0\.0\.1\s+: ok=\d+\s+changed=(\d+)\s+unreachable=0\s+failed=(\d+)")


def words(text: str) -> str:
    """A sentence that the terminal's width or YAML has broken, in one line."""
    return " ".join(text.replace("|-", "").split())


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"deploy_tdx": "real", "deploy_region": "cn-hangzhou"}, "Of the region cn-hangzhou no repository and no PCCS"),
    ({"deploy_tdx": "real"}, "This host has no TDX device (/dev/tdx_guest)"),
    ({"deploy_ollama_sha256": ""}, "deploy_ollama_sha256= is no SHA-256: take the line of"),
    ({"deploy_ollama_sha256": "0" * 64}, "compare deploy_ollama_sha256 with the release's sha256sum.txt"),
    ({"deploy_ollama_url": "http://127.0.0.1:9/ollama.tgz"}, "or mend the network. Nothing was changed"),
]


@pytest.mark.parametrize(("changed", "sentence"), WRONG, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_said_and_nothing_is_changed(site: Site, changed: dict[str, Any], sentence: str) -> None:
    before = site.host.state()
    done = site.play(**changed)
    assert done.returncode != 0
    assert sentence in words(done.stdout), done.stdout[-3000:]
    assert site.host.state() == before


def test_an_unsigned_release_is_not_deployed(site: Site) -> None:
    done = site.play(deploy_release_signers="", deploy_llm="embedded")
    assert "An unsigned release is not deployed" in words(done.stdout)
    signers = site.folder / "signers"
    signers.write_text("release ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINobodysKeyNobodysKeyNobodysKeyNobodysK8=\n")
    done = site.play(deploy_release_signers=str(signers), deploy_llm="embedded")
    assert done.returncode != 0 and "The signature of" in words(done.stdout), done.stdout[-3000:]
    assert not (site.host.root / "opt/open-webui-tdx").exists()


def test_from_bare_to_a_verdict(site: Site) -> None:
    site.registry.cut_after = 2_500_000  # the connection to the model's registry is lost twice
    done = site.play()
    recap = RECAP.search(done.stdout)
    assert recap and recap[2] == "0", done.stdout[-6000:] + site.host.run("journalctl", "-n", "60", "--no-pager").stdout
    assert f"quote-verifier {site.url}: exit code 6" in words(done.stdout), done.stdout[-3000:]
    weights = next(request for request in site.registry.requests if "bytes=2500000-" in request)
    assert weights, "the second attempt goes on where the first was cut off"


def test_a_second_time_changes_nothing(site: Site) -> None:
    for options in ((), ("--check",)):
        done = site.play(*options)
        recap = RECAP.search(done.stdout)
        assert recap and recap.groups() == ("0", "0"), done.stdout[-6000:]


def test_the_page_and_the_service_are_there(site: Site) -> None:
    with urllib.request.urlopen(f"{site.url}/", timeout=30) as answer:
        assert b"<html" in answer.read()
    with urllib.request.urlopen(f"{site.url}/api/config", timeout=30) as answer:
        assert 'A "quoted" name' in json.load(answer)["name"]
    status = site.host.run("systemctl", "show", "-P", "StatusText", "open-webui-tdx.service").stdout
    assert "TDX SIMULATED; measured" in status and "library/tiny" in status
    assert "sk-secret" not in (site.host.root / "etc/open-webui-tdx/settings").read_text()
    references = json.loads((site.folder / "reference-values.127.0.0.1.json").read_text())
    assert any(hashlib.sha256(site.registry.manifest).hexdigest() in line for line in references["events"])


def test_the_doctor_finds_every_step_done(site: Site) -> None:
    done = site.host.run("/opt/open-webui-tdx/open-webui-tdx", "doctor")
    assert done.stdout.splitlines()[-1] == "Every step is done.", done.stdout


def test_another_version_of_ollama_is_not_installed_unasked(site: Site) -> None:
    before = site.host.state()
    done = site.play(deploy_ollama_version="0.5.8")
    assert "set deploy_ollama_replace=true to exchange it" in words(done.stdout), done.stdout[-3000:]
    assert site.host.state() == before


def test_a_model_that_does_not_fit(site: Site) -> None:
    before = site.host.state()
    site.registry.document["layers"][0]["size"] = 1 << 60
    site.registry.manifest = json.dumps(site.registry.document).encode()
    done = site.play(deploy_models=[site.registry.model.replace(":latest", ":large")])
    assert "are free: make room, or use a larger disk" in words(done.stdout), done.stdout[-3000:]
    assert site.host.state() == before
