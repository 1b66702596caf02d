"""The doctor: each step of the documented set-up as it is found, with the command that mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher import doctor
from launcher.doctor import Finding
from launcher.errors import UnavailableError
from launcher.measure import encryption

ALINUX = 'ID="alinux"\nPRETTY_NAME="Alibaba Cloud Linux 3.2104"\n'


def host(tmp_path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def look(tmp_path: Path, files: dict[str, str], **environ: str) -> dict[str, Finding]:
    found = doctor.examine(tmp_path / "release", {"LLM": "none", **environ}, host(tmp_path, files))
    return {finding.step: finding for finding in found}


def test_a_bare_host_lacks_everything_and_says_what_mends_it(tmp_path: Path) -> None:
    found = look(tmp_path, {})
    assert {step: finding.state for step, finding in found.items()} | {"account": "?"} == {
        "kernel": "done",
        "TDX device": "missing",
        "libtdx-attest": "missing",
        "PCCS": "missing",
        "Ollama": "not needed",
        "models": "not needed",
        "GPU": "not needed",
        "Python": "done",
        "release": "wrong",
        "account": "?",
        "unit": "missing",
    }
    assert all(finding.mend for finding in found.values() if finding.state in ("missing", "wrong"))


def test_a_simulation_needs_no_tdx(tmp_path: Path) -> None:
    found = look(tmp_path, {"etc/open-webui-tdx/settings": "# ours\nTDX=simulated\n"})
    assert {found[step].state for step in ("TDX device", "libtdx-attest", "PCCS")} == {"not needed"}


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("PCCS_URL=https://sgx-dcap-server.cn-beijing.aliyuncs.com/sgx/certification/v4/\n", "done"),
        ('{\n  "pccs_url": "https://pccs.example/sgx/certification/v4/"\n}\n', "done"),
        ('{\n  "pccs_url": "https://localhost:8081/sgx/certification/v4/"\n}\n', "wrong"),
        ("# PCCS_URL=https://pccs.example/\nUSE_SECURE_CERT=TRUE\n", "missing"),
    ],
)
def test_pccs_in_either_form_of_the_file(tmp_path: Path, text: str, state: str) -> None:
    assert look(tmp_path, {"etc/sgx_default_qcnl.conf": text})["PCCS"].state == state


def test_the_library_is_spoken_of_for_itself_and_fetched_as_the_distribution_does() -> None:
    for system, command in (("alinux", "yum install libtdx-attest"), ("debian", "apt install libtdx-attest")):
        found = doctor._library("missing", system)
        assert found.state == "missing" and "libtdx_attest.so.1" in found.detail and found.mend.startswith(command)
    assert doctor._library("real", "debian").state == "done"
    assert doctor._library("simulated", "debian").state == "wrong"


@pytest.mark.parametrize(
    ("release", "state"),
    [("5.10.134-17.3.al8.x86_64", "wrong"), ("5.10.134-18.al8.x86_64", "done"), ("5.10.200-1.al8.x86_64", "done")],
)
def test_the_first_kernel_that_will_do(tmp_path: Path, release: str, state: str) -> None:
    assert doctor._kernel(host(tmp_path, {"etc/os-release": ALINUX}), release).state == state


def test_other_systems_have_other_numbers(tmp_path: Path) -> None:
    root = host(tmp_path, {"etc/os-release": "ID=debian\nPRETTY_NAME='Debian 12'\n"})
    assert doctor._kernel(root, "5.4.0") == Finding("kernel", "done", "5.4.0 on Debian 12")


def test_a_service_without_the_units_of_its_fence(tmp_path: Path) -> None:
    units = {f"etc/systemd/system/{name}": "" for name in (doctor.UNIT, *doctor.FENCE_UNITS)}
    assert look(tmp_path, units)["fence"].mend == "systemctl start open-webui-tdx-fence.socket"
    (tmp_path / "etc/systemd/system" / doctor.FENCE_UNITS[1]).unlink()
    found = look(tmp_path, {})["fence"]
    assert found.state == "missing" and found.detail.endswith("/open-webui-tdx-fence@.service")


def test_what_encrypts_is_looked_for_where_data_is_encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> list[tuple[str, str]]:
        environ = {"TDX": "simulated", "LLM": "none", "DATA_KEY": "unlock", "DATA_OWNER": "A" * 43}
        every = doctor.examine(tmp_path / "release", environ, tmp_path)
        return [(each.state, each.detail) for each in every if each.step == "encryption"]

    program = encryption.Program("gocryptfs", Path("/usr/bin/gocryptfs"), "2.3", "ab")
    monkeypatch.setattr(encryption, "measure", lambda volume: program)
    assert found() == [("done", "gocryptfs 2.3, /usr/bin/gocryptfs")]
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    (units / "open-webui-tdx.service").touch()
    assert [state for state, _ in found()] == ["done", "missing"]
    (units / "open-webui-tdx.service.d").mkdir()
    (units / "open-webui-tdx.service.d/encrypted-data.conf").touch()
    assert [state for state, _ in found()] == ["done"]

    def missing(volume: bool) -> encryption.Program:
        raise UnavailableError("install the packages gocryptfs and fuse3.")

    monkeypatch.setattr(encryption, "measure", missing)
    assert found() == [("missing", "install the packages gocryptfs and fuse3.")]


def test_a_wrong_setting_is_the_finding(tmp_path: Path) -> None:
    found = look(tmp_path, {"etc/open-webui-tdx/settings": "PORT=many\n"})
    assert list(found) == ["settings"]
    assert "PORT=many" in found["settings"].detail


def test_the_settings_file_is_read_as_systemd_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "settings"
    path.write_text("# a comment\n; another\nORIGIN=\"https://chat.example\"\nWEBUI_NAME='Our chat'\nnothing\n\n")
    assert doctor.environment_file(path) == {"ORIGIN": "https://chat.example", "WEBUI_NAME": "Our chat"}


def test_the_end_says_what_is_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.show([Finding("kernel", "done", "6.1")])
    assert not doctor.show([Finding("PCCS", "missing", "there is none", "set it")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "Every step is done."
    assert lines[3].endswith("-> set it")
    assert lines[-1] == "To do: PCCS."
