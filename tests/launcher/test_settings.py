from __future__ import annotations

import json
from pathlib import Path

import pytest

from launcher.errors import SettingError
from launcher.plan import settings


def test_defaults() -> None:
    found = settings.load({})
    assert (found.host, found.port, found.tdx, found.llm, found.service, found.gate) == (
        "127.0.0.1",
        8080,
        "auto",
        "auto",
        "none",
        "warn",
    )
    assert found.data_dir == Path.cwd() / "var" and found.data_dir.is_absolute()
    assert found.forwarded_allow_ips == () and found.ollama_base_url == "http://127.0.0.1:11434"


def test_a_store_in_the_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = {"HOME": str(tmp_path)}
    monkeypatch.setattr(settings, "DEFAULT_STORE", str(tmp_path / "service"))
    assert settings.load(home).ollama_models == tmp_path / "service"
    (tmp_path / ".ollama/models").mkdir(parents=True)
    assert settings.load(home).ollama_models == tmp_path / ".ollama/models"
    assert settings.load({**home, "OLLAMA_MODELS": "/elsewhere"}).ollama_models == Path("/elsewhere")
    (tmp_path / "service").mkdir()
    assert settings.load(home).ollama_models == tmp_path / "service"


def test_named_proxies_are_addresses_and_networks_as_people_write_them() -> None:
    found = settings.load({"FORWARDED_ALLOW_IPS": "10.0.0.7, 10.1.2.3/16, 2001:db8::1,"})
    assert found.forwarded_allow_ips == ("10.0.0.7", "10.1.2.3/16", "2001:db8::1")


def test_a_path_may_hold_spaces() -> None:
    assert settings.load({"OLLAMA_BINARY": "/opt/my programs/ollama"}).ollama_binary == "/opt/my programs/ollama"


def test_an_empty_value_is_the_default() -> None:
    assert settings.load(dict.fromkeys(settings.NAMES, "")) == settings.load({})


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        ("https://Chat.Example:443/", "https://chat.example"),
        ("http://chat.example:8080", "http://chat.example:8080"),
        ("https://[2001:DB8::1]", "https://[2001:db8::1]"),
    ],
)
def test_origins_are_written_as_browsers_write_them(value: str, origin: str) -> None:
    assert settings.load({"ORIGIN": value}).origin == origin


def test_origins_are_spelt_as_the_verifiers_compare_them_or_refused() -> None:
    """The addresses that both verifiers are held to: what the launcher takes, it writes like a browser."""
    vectors = json.loads((Path(__file__).resolve().parents[1] / "vectors" / "origins.json").read_text())
    taken = set()
    for value, origin in vectors["origins"].items():
        if origin is not None:
            try:
                assert settings.load({"ORIGIN": value}).origin == origin, value
                taken.add(origin)
            except SettingError:
                continue
    assert {
        "https://xn--bcher-kva.example",
        "https://xn--strae-oqa.example",
        "https://[2001:db8::1:0:0:1]",
        "https://chat.example.",
        "https://chat.example",
        "http://chat.example:443",
    } <= taken
    for value in (
        *vectors["refused"],
        "https://127.1",
        "https://0x7f.0.0.1",
        "https://ex^ample",
        "https://[fe80::1%25eth0]",
    ):
        with pytest.raises(SettingError):
            settings.load({"ORIGIN": value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TDX", "Real"),
        ("LLM", "gpt"),
        ("PROFILE", "tiny"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "8080 "),
        ("PORT", "٣"),
        ("HOST", "a b"),
        ("HOST", "127.0.0.1;id"),
        ("ORIGIN", "chat.example"),
        ("ORIGIN", "https://chat.example/path"),
        ("ORIGIN", "https://user:secret@chat.example"),
        ("ORIGIN", "https://chat.example:x"),
        ("ORIGIN", "ftp://chat.example"),
        ("OLLAMA_BASE_URL", "localhost:11434"),
        ("OLLAMA_BASE_URL", "http://x/?a"),
        ("TEE_SERVICE", "intel"),
        ("TEE_GATE", "on"),
        ("TEE_CHANNEL", "always"),
        ("TEE_RATE_LIMIT", "60"),
        ("TEE_MAX_AGE_S", "1h"),
        ("FORWARDED_ALLOW_IPS", "*"),
        ("FORWARDED_ALLOW_IPS", "proxy.example"),
        ("TLS_SPKI_SHA256", "ab" * 32),
        ("DATA_DIR", "a\nb"),
        ("RUN_AS", "a\0b"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=name):
        settings.load({name: value})


@pytest.mark.parametrize(
    ("host", "channel"),
    [
        ("127.0.0.1", "offer"),
        ("127.1.2.3", "offer"),
        ("localhost", "offer"),
        ("::1", "offer"),
        ("0.0.0.0", "require"),
        ("::", "require"),
        ("192.0.2.7", "require"),
        ("chat.example", "require"),
    ],
)
def test_where_other_machines_listen_the_channel_is_required(host: str, channel: str) -> None:
    assert settings.load({"HOST": host}).channel == channel
    assert settings.load({"HOST": host, "TEE_CHANNEL": "off"}).channel == "off"


@pytest.mark.parametrize(
    "environ",
    [
        {"TEE_SERVCE": "alibaba"},
        {"TEE_SERVICE": "trustee"},
        {"TEE_SERVICE_URL": "https://x"},
        {"TEE_SERVICE_KEY": "x"},
        {"TEE_CHANNEL": "require", "OAUTH_CLIENT_ID": "x"},
        {"TEE_CHANNEL": "require", "GOOGLE_CLIENT_ID": "x"},
        {"HOST": "0.0.0.0", "ENABLE_WEBSOCKET_SUPPORT": "False"},
        {"TEE_CHANNEL": "offer", "WEBUI_AUTH_TRUSTED_EMAIL_HEADER": "X-Email"},  # which anybody could seal
        {"WEBUI_AUTH_TRUSTED_EMAIL_HEADER": "X-Email"},
        {"RAG_WEB_LOADER_ENGINE": "playwright"},
    ],
)
def test_settings_that_do_not_fit_together(environ: dict[str, str]) -> None:
    with pytest.raises(SettingError):
        settings.load(environ)


def test_credentials_are_not_repeated() -> None:
    with pytest.raises(SettingError) as caught:
        settings.load({"TEE_PCCS_URL": "https://me:hunter2@pccs.example"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:8080"), ("::", "http://[::1]:8080"), ("192.0.2.1", "http://192.0.2.1:8080")],
)
def test_where_this_machine_reaches_it(host: str, url: str) -> None:
    assert settings.load({"HOST": host}).local_url == url
