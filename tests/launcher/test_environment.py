"""What every process gets as its environment: built from nothing, and whatever sends words elsewhere is measured."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

import pytest

from launcher.errors import SettingError
from launcher.measure.found import certificates
from launcher.plan import environment
from launcher.plan.model import ModelServer, Prepared
from launcher.plan.plan import Found, Plan

from .test_plan import FOUND, planned

pytestmark = pytest.mark.attack

HOSTILE = {
    "PATH": "/evil",
    "TMPDIR": "/mnt/elsewhere",
    "LANG": "xx",
    "LC_ALL": "xx",
    "LD_PRELOAD": "/evil.so",
    "LD_LIBRARY_PATH": "/evil",
    "LD_AUDIT": "/evil.so",
    "PYTHONPATH": "/evil",
    "PYTHONHOME": "/evil",
    "OPENSSL_CONF": "/evil",
    "OPENSSL_MODULES": "/evil",
    "SSLKEYLOGFILE": "/tmp/keys",
    "REQUESTS_CA_BUNDLE": "/evil",
    "CURL_CA_BUNDLE": "/evil",
    "SSL_CERT_DIR": "/evil",
    "ALL_PROXY": "http://evil.example",
    "all_proxy": "http://evil.example",
    "ws_proxy": "http://evil.example",
    "HF_ENDPOINT": "http://evil.example",
    "UVICORN_HOST": "::",
    "WEB_CONCURRENCY": "9",
    "GIT_SSH_COMMAND": "evil",
    "LLAMA_ARG_API_KEY": "x",
    "GGML_BACKEND_PATH": "/evil.so",
}
PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")


def environments(made: Plan) -> dict[str, dict[str, str]]:
    found = [made.attester, made.registrar, made.web, made.model_server, made.pccs]
    return {each.name: dict(each.env) for each in found if each}


def leading_away(made: Plan) -> list[dict[str, str]]:
    """What the `site` event says leaves the machine."""
    (site,) = (event.content for event in made.events if event.operation == "site")
    return list(site["endpoints"])


@pytest.mark.parametrize("kind", ["tdx", "tdx-simulated"])
def test_nothing_of_the_operators_shell_reaches_a_process(kind: str) -> None:
    plain, hostile = planned(kind=kind), planned(FOUND, kind, **HOSTILE)
    assert environments(plain) == environments(hostile)
    assert plain.events == hostile.events


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_is_an_endpoint(name: str) -> None:
    made = planned(FOUND, **{name: "http://me:hunter2@proxy.example:3128"})
    assert leading_away(made) == [{"setting": name.lower(), "value": "http://proxy.example:3128"}]
    assert made.web.env[name.lower()] == "http://me:hunter2@proxy.example:3128"
    others = {name: env for name, env in environments(made).items() if name != "web server"}
    assert "proxy.example" not in str(others)


def test_a_proxy_on_this_machine_is_one_too() -> None:
    """It is another program that reads every word, and where it sends them is nowhere written."""
    assert len(leading_away(planned(http_proxy="http://127.0.0.1:3128"))) == 1


def test_a_proxy_that_is_no_url_is_refused() -> None:
    with pytest.raises(SettingError, match="https_proxy"):
        planned(https_proxy="proxy.example:3128")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "127.0.0.2"])
@pytest.mark.parametrize("no_proxy", ["", "intranet.example"])
def test_loopback_never_goes_through_a_proxy(host: str, no_proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ollama = replace(FOUND, model=Prepared(ModelServer("ollama")))
    made = planned(
        ollama, OLLAMA_BASE_URL="http://127.0.0.2:11434", http_proxy="http://proxy.example:3128", no_proxy=no_proxy
    )
    for name in [*PROXIES, "no_proxy", "NO_PROXY"]:
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "no_proxy"):
        monkeypatch.setenv(name, made.web.env[name])
    assert proxy_bypass_environment(host)
    assert not proxy_bypass_environment("models.example")
    assert proxy_bypass_environment("intranet.example") == bool(no_proxy)


def test_certificates_that_decide_who_is_believed_are_an_endpoint(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(b"-----BEGIN CERTIFICATE-----\n")
    found: Found = replace(FOUND, certificates=certificates({"SSL_CERT_FILE": str(file)}))
    made = planned(found, SSL_CERT_FILE=str(file))
    digest = hashlib.sha384(file.read_bytes()).hexdigest()
    assert leading_away(made) == [{"setting": "SSL_CERT_FILE", "value": f"sha384:{digest}"}]
    # A copy that only the launcher can write: what was measured is what is read later.
    assert made.web.env["SSL_CERT_FILE"] == str(made.launch.data.certificates) != str(file)
    assert "SSL_CERT_FILE" not in planned().web.env


def test_certificates_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="SSL_CERT_FILE"):
        certificates({"SSL_CERT_FILE": str(tmp_path / "absent")})


def test_a_url_that_the_operator_set_is_an_endpoint_wherever_it_stands() -> None:
    found = replace(FOUND, upstream_names=FOUND.upstream_names | {"SOME_NEW_URL", "SOME_LIST"})
    made = planned(found, SOME_NEW_URL="https://x.example/a", SOME_LIST="http://127.0.0.1:1;wss://y.example")
    assert leading_away(made) == [
        {"setting": "SOME_LIST", "value": "wss://y.example"},
        {"setting": "SOME_NEW_URL", "value": "https://x.example/a"},
    ]


def test_every_name_that_is_passed_on_has_a_reason() -> None:
    assert all(len(reason) > 20 for reason in environment.HARMLESS.values())
    assert planned(TZ="Asia/Tokyo").web.env["TZ"] == "Asia/Tokyo"
    assert "TZ" not in planned(TZ=":/evil/../file").web.env
