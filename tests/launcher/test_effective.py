from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from launcher.datadir import DataDir
from launcher.measure.found import upstream_names
from launcher.plan import effective, settings, webserver
from launcher.plan.launch import Launch
from launcher.plan.model import EMBEDDED, ModelServer

UPSTREAM = """
os.environ.get("WEBUI_NAME"); os.getenv("OPENAI_API_BASE_URLS"); os.environ.get("OPENAI_API_KEYS")
os.environ.get("DATABASE_URL"); os.environ.get("ENABLE_OPENAI_API"); os.environ.get("WEBHOOK_URL")
os.getenv("AUDIO_STT_ENGINE")
os.environ.get("OLLAMA_BASE_URLS"); os.environ.get("CUSTOM_NAME"); os.environ.get("PORT"); os.environ.get("DATA_DIR")
"""
SERVER = ModelServer("embedded", key="sk-1", models=("tiny",))


@pytest.fixture
def release(tmp_path: Path) -> Path:
    package = tmp_path / "backend/open_webui"
    package.mkdir(parents=True)
    (package / "env.py").write_text(UPSTREAM)
    (package / "config.py").write_text("")
    return tmp_path


def configured(release: Path, server: ModelServer = SERVER, **environ: str) -> webserver.Configuration:
    chosen = settings.load(environ)
    launch = Launch(release, chosen, DataDir(chosen.data_dir, "boot"), "tdx", environ)
    return webserver.configure(launch, server, upstream_names(release))


def lines(release: Path, server: ModelServer = SERVER, **environ: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    made = configured(release, server, **environ)
    env = effective.pin(made.env)
    return effective.event(env, made.theirs, server, settings.load(environ)), effective.endpoints(env)


def test_ports_keys_and_addresses_of_this_launch_are_not_measured(release: Path) -> None:
    other = replace(SERVER, key="sk-2")
    assert lines(release, PORT="8080", HOST="::1", DATA_DIR="/a") == lines(release, other, PORT="9090", DATA_DIR="/b")
    event, leaving = lines(release)
    assert event["OPENAI_API_BASE_URLS"] == EMBEDDED and event["LLM"] == "embedded" and leaving == []


def test_every_pinned_setting_is_listed(release: Path) -> None:
    assert effective.PINNED.keys() - effective.ADMIN_ACCESS.keys() <= lines(release)[0].keys()


def test_what_the_site_chooses_is_not_in_the_settings(release: Path) -> None:
    """Its own event says it, so that reference values of a build fit any site."""
    event, leaving = lines(release, OPENAI_API_BASE_URLS="https://x.example/v1")
    other, _ = lines(release, OPENAI_API_BASE_URLS="https://y.example/v1")
    assert event == other and event["OPENAI_API_BASE_URLS"] == f"{EMBEDDED};{effective.ENDPOINT}"
    assert [each["value"] for each in leaving] == ["https://x.example/v1"]


@pytest.mark.parametrize("name", sorted(effective.ADMIN_ACCESS))
def test_what_administrators_can_read_is_the_sites_choice(name: str) -> None:
    assert effective.admin_access({name: "True"}) and not effective.admin_access({name: "false"})
    assert not effective.admin_access({})


@pytest.mark.parametrize(
    "environ",
    [
        {"TEE_GATE": "off"},
        {"TEE_CHANNEL": "off"},
        {"TEE_CHANNEL": "require"},
        {"TEE_SERVICE": "alibaba"},
        {"FORWARDED_ALLOW_IPS": "10.0.0.1"},
        {"WEBUI_NAME": "x"},
        {"WEBHOOK_URL": "https://x.example"},
        {"AUDIO_STT_ENGINE": "openai"},
    ],
)
def test_one_setting_changes_the_event(release: Path, environ: dict[str, str]) -> None:
    assert lines(release, SERVER, **environ)[0] != lines(release)[0]


def test_secrets_are_never_shown(release: Path) -> None:
    event, leaving = lines(
        release,
        OPENAI_API_BASE_URLS="https://me:hunter2@x.example/v1",
        OPENAI_API_KEYS="hunter2",
        DATABASE_URL="postgresql://me:hunter2@db.example/x",
    )
    assert "hunter2" not in str(event) + str(leaving)
    assert event["OPENAI_API_KEYS"] == "set" and event["DATABASE_URL"] == "set"
    assert {"setting": "DATABASE_URL", "value": "set"} in leaving
    assert {"setting": "OPENAI_API_BASE_URLS", "value": "https://x.example/v1"} in leaving


def test_the_operators_service_stands_beside_the_embedded_model(release: Path) -> None:
    made = configured(release, OPENAI_API_BASE_URLS="https://x.example/v1")
    assert made.env["OPENAI_API_BASE_URLS"] == f"{EMBEDDED};https://x.example/v1"
    assert made.env["OPENAI_API_KEYS"] == "sk-1;"


def test_switching_openai_on_without_an_address_names_upstreams_own(release: Path) -> None:
    _, leaving = lines(release, ModelServer("none"), ENABLE_OPENAI_API="True")
    assert leaving == [{"setting": "OPENAI_API_BASE_URLS", "value": webserver.OPENAI}]


def test_what_the_launch_decides_cannot_be_set(release: Path) -> None:
    environ = {"OLLAMA_BASE_URLS": "http://x.example", "CUSTOM_NAME": "x", "DATA_DIR": "/x", "PORT": "1"}
    made = configured(release, SERVER, **environ)
    assert made.theirs == {} and webserver.ignored(environ) == ["CUSTOM_NAME", "OLLAMA_BASE_URLS"]


def test_locked_covers_the_pinned_and_the_operators(release: Path) -> None:
    assert {"OPENAI_API_BASE_URLS", "WEBUI_NAME"} <= set(effective.locked({"WEBUI_NAME": "x"}))


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:11434", True),
        ("http://localhost", True),
        ("http://[::1]:1", True),
        ("127.0.0.1:5432", True),
        ("http://127.0.0.1.evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://evil@10.0.0.1", False),
        ("http://127.0.0.1@evil.example", False),
        ("https://x", False),
        ("", False),
        ("http://0.0.0.0", False),
        ("http://[", False),
    ],
)
def test_what_stays_on_the_machine(url: str, local: bool) -> None:
    assert effective.is_local(url) is local
