"""`make test-deploy`: the set-up on a fresh Debian 12, in the order in which an operator goes wrong and then right."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright

from scripts.machine import chromium
from tests.browser import pages
from tests.browser.conftest import ARGUMENTS

from .conftest import NAME, ROOT, Site
from .said import counts, refusal

pytestmark = pytest.mark.deploy

VERDICT = "quote-verifier https://chat.example: exit code 6: SIMULATED"


def test_looking_changes_nothing(site: Site) -> None:
    before = site.host.state()
    done = site.play("--check")
    assert counts(done)[1] == 0
    assert "its units, models, settings and service would follow" in " ".join(done.stdout.split()), done.stdout
    assert site.host.state() == before


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"deploy_tdx": "real", "deploy_region": "cn-hangzhou"}, "Of the region cn-hangzhou no repository and no PCCS"),
    ({"deploy_tdx": "real"}, "This host has no TDX device (/dev/tdx_guest)"),
    ({"deploy_verify_expected": [0]}, 'asks for "verified", which a simulated TD never is: name 6'),
    ({"deploy_ollama_sha256": ""}, "deploy_ollama_sha256= is no SHA-256: take the line of"),
    ({"deploy_ollama_sha256": "0" * 64}, "compare deploy_ollama_sha256 with the release's sha256sum.txt"),
    ({"deploy_ollama_url": "https://127.0.0.1:9/ollama.tgz"}, "or mend the network."),
    ({"deploy_release_signers": ""}, "An unsigned release is not deployed."),
    ({"deploy_models": ["127.0.0.1:9/library/tiny"]}, "check its name and the network."),
    ({"ansible_distribution": "Ubuntu", "ansible_distribution_version": "24.04"}, "Ubuntu 24.04 is not a system"),
]


@pytest.mark.parametrize(("changed", "sentence"), WRONG, ids=[text for _, text in WRONG])
def test_what_is_wrong_is_said_and_nothing_is_changed(site: Site, changed: dict[str, Any], sentence: str) -> None:
    before = site.host.state()
    said = refusal(site.play(**changed))
    assert sentence in said and said.endswith("Nothing was changed.")
    assert site.host.state() == before


def test_a_release_signed_by_somebody_else(site: Site) -> None:
    before = site.host.state()
    signers = site.folder / "signers"
    signers.write_text("release ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINobodysKeyNobodysKeyNobodysKeyNobodysK8=\n")
    said = refusal(site.play(deploy_release_signers=str(signers)))
    assert said.startswith("The signature of ") and said.endswith("Nothing was changed.")
    assert site.host.state() == before


def test_a_host_without_the_releases_python(site: Site) -> None:
    before = site.host.state()
    said = refusal(site.play(**site.release("another python", **{"py3.11": "py3.12"})))
    assert said.startswith(
        "This release needs Python 3.12, and this host has neither it nor a package python3.12: add "
    )
    assert site.host.state() == before


def test_a_model_that_does_not_fit(site: Site) -> None:
    before, manifest = site.host.state(), site.registry.manifest
    layers = [{**layer, "size": 1 << 50} for layer in site.registry.document["layers"][:1]]
    site.registry.manifest = json.dumps({**site.registry.document, "layers": layers}).encode()
    said = refusal(site.play())
    site.registry.manifest = manifest
    assert "need 1125899.9 GB more and 1.1 GB to spare" in said and "are free: make room, or use a larger disk." in said
    assert site.host.state() == before


def test_the_network_is_lost_in_the_middle_of_the_model(site: Site) -> None:
    site.registry.cut_after, site.registry.lost = 2_500_000, True
    said = refusal(site.play())
    assert "could not be fetched in 2 attempts in a row" in said and said.endswith("it goes on from there.")
    assert site.host.run("systemctl", "is-active", "open-webui-tdx.service").stdout != "active\n"


def test_once_more_to_a_verdict(site: Site) -> None:
    site.registry.cut_after, site.registry.lost = 0, False
    done = site.play()
    assert counts(done)[1] == 0, done.stdout[-6000:]
    assert done.stdout.splitlines()[-1].startswith(VERDICT)
    assert any("bytes=2500000-" in request for request in site.registry.requests), "it goes on where it was cut off"


@pytest.mark.parametrize("options", [(), ("--check",)], ids=["again", "only looking"])
def test_a_second_time_changes_nothing(site: Site, options: tuple[str, ...]) -> None:
    done = site.play(*options)
    assert counts(done) == (0, 0), done.stdout[-6000:]


def test_what_the_operator_gets(site: Site) -> None:
    status = site.host.run("systemctl", "show", "-P", "StatusText", "open-webui-tdx.service").stdout
    assert "Serving https://chat.example; TDX SIMULATED; measured" in status and "library/tiny" in status
    assert "sk-secret" not in (site.host.root / "etc/open-webui-tdx/settings").read_text()
    references = json.loads((site.folder / f"reference-values.{site.host.address}.json").read_text())
    assert any(hashlib.sha256(site.registry.manifest).hexdigest() in line for line in references["events"])


def test_what_reads_words_is_fenced_in_by_a_unit_of_its_own(site: Site) -> None:
    running = ("systemctl", "list-units", "--state=running", "--plain", "--no-legend", "open-webui-tdx-fence@*.service")
    assert len(site.host.run(*running).stdout.splitlines()) == 1
    references = json.loads((site.folder / f"reference-values.{site.host.address}.json").read_text())
    (line,) = (line for line in references["events"] if '"egress"' in line)
    assert '"egress":"closed"' in line or '"egress":["' in line, line


def test_a_person_chats_through_tls(site: Site) -> None:
    """In a browser that takes the CA's certificate as one of a CA it knows; the first to open the link is in charge."""
    journal = site.host.run("journalctl", "--unit", "open-webui-tdx.service", "--output", "cat", "--no-pager").stdout
    link = re.findall(r"^\s*(https://chat\.example/\S+)$", journal, re.M)[-1]
    found = chromium.find()
    assert found, "There is no Chromium: install one (Debian: chromium), or name it with CHROMIUM=."
    with sync_playwright() as playwright:
        arguments = [*ARGUMENTS, f"--host-resolver-rules=MAP {NAME} {site.host.address}"]
        arguments.append(f"--ignore-certificate-errors-spki-list={site.shown_key()}")
        context = playwright.chromium.launch_persistent_context(
            site.folder / "browser", executable_path=found, args=arguments, locale="en-US"
        )
        page = context.pages[0]
        page.goto(link)
        pages.enter(page, site.url)
        assert 'A "quoted" name' in page.title()
        pages.wait_for_round(page, "simulated")
        pages.send(page, "Is all well?")
        expect(page.get_by_text("All is well.")).to_be_visible(timeout=60_000)
        context.close()


def test_the_host_sets_itself_up_to_the_same_verdict(site: Site) -> None:
    """`make deploy HOST=local` there: nothing is left to do but to write the reference values under another name."""
    done = site.play_there()
    assert counts(done) == (1, 0), done.stdout[-6000:] + done.stderr[-2000:]
    assert done.stdout.splitlines()[-1].startswith(VERDICT)


def test_this_machine_whatever_pythons_its_path_names(tmp_path: Path) -> None:
    """`make deploy HOST=local`, refused for want of a hash; the first Python that Ansible would take does not run."""
    (tmp_path / "python3.12").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "python3.12").chmod(0o755)
    command = [sys.executable, str(ROOT / "scripts" / "bootstrap.py"), "--", "-m", "scripts", "deploy", "local"]
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run([*command, "--check"], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert refusal(done).endswith("Nothing was changed.")


def test_the_doctor_finds_every_step_done(site: Site) -> None:
    done = site.host.run("/opt/open-webui-tdx/open-webui-tdx", "doctor")
    assert done.stdout.splitlines()[-1] == "Every step is done.", done.stdout


def test_another_version_of_ollama_is_not_installed_unasked(site: Site) -> None:
    before = site.host.state()
    said = refusal(site.play(deploy_ollama_version="0.5.8"))
    assert "set deploy_ollama_replace=true to exchange it" in said and said.endswith("Nothing was changed.")
    assert site.host.state() == before


def test_another_release_is_not_set_up_unasked(site: Site) -> None:
    before = site.host.state()
    said = refusal(site.play(**site.release("newer", **{"tdx1": "tdx2"})))
    assert "This host runs open-webui-tdx-0.5.20-tdx1, and open-webui-tdx-0.5.20-tdx2 " in said
    assert "set deploy_release_replace=true to exchange it" in said and said.endswith("Nothing was changed.")
    assert site.host.state() == before


def test_another_setting_is_carried_out_and_judged(site: Site) -> None:
    """Without a CA: the certificate comes back over ssh. After a reboot, for until then the event log shows both."""
    site.host.run("systemctl", "stop", "open-webui-tdx.service")
    launcher = "/opt/open-webui-tdx/open-webui-tdx"
    rebooted = site.host.run("env", "DATA_DIR=/var/lib/open-webui-tdx", launcher, "reboot-simulator")
    assert rebooted.returncode == 0, rebooted.stderr
    settings = {name: value for name, value in site.variables["deploy_settings"].items() if "ACME" not in name}
    done = site.play(deploy_settings={**settings, "TLS": "self-signed"}, deploy_verify_ca_file="")
    assert counts(done)[1] == 0, done.stdout[-6000:]
    assert done.stdout.splitlines()[-1].startswith(VERDICT)
