"""What may leave follows from the settings, and the `site` event says it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from launcher.errors import SettingError
from launcher.plan import settings
from launcher.plan.plan import Plan

from .test_plan import FOUND, content, planned

NAMES = frozenset({
    "AUDIO_STT_ENGINE", "CHROMA_HTTP_HOST", "CHROMA_HTTP_PORT", "CONTENT_EXTRACTION_ENGINE", "DATABASE_URL",
    "ENABLE_LDAP", "ENABLE_RAG_WEB_SEARCH", "GOOGLE_CLIENT_ID", "LDAP_SERVER_HOST", "OPENAI_API_BASE_URLS",
    "OPENID_PROVIDER_URL", "RAG_WEB_SEARCH_ENGINE", "SEARXNG_QUERY_URL", "SOME_URL", "TIKA_SERVER_URL",
    "AUTOMATIC1111_BASE_URL", "CODE_EXECUTION_ENGINE", "CODE_EXECUTION_JUPYTER_URL", "STORAGE_PROVIDER",
})  # fmt: skip


def made(no_fence: str = "", **environ: str) -> Plan:
    return planned(replace(FOUND, upstream_names=NAMES, no_fence=no_fence), **environ)


SEARCH = {"ENABLE_RAG_WEB_SEARCH": "true", "RAG_WEB_SEARCH_ENGINE": "searxng"}


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "closed"),
        ({"OPENAI_API_BASE_URLS": "https://API.example/v1;http://[2001:DB8::1]:8000/v1"},
         ["[2001:db8::1]:8000", "api.example:443"]),
        (SEARCH | {"SEARXNG_QUERY_URL": "http://search.example/?q=<query>"}, ["search.example:80"]),
        ({"OPENAI_API_BASE_URLS": "http://localhost:8000/v1"}, ["localhost:8000"]),  # vLLM, which nobody measures
        ({"CONTENT_EXTRACTION_ENGINE": "tika", "TIKA_SERVER_URL": "http://127.0.0.1:9998"}, ["127.0.0.1:9998"]),
        ({"TIKA_SERVER_URL": "http://127.0.0.1:9998", "AUTOMATIC1111_BASE_URL": "https://a.example"}, "closed"),  # off
        ({"DATABASE_URL": "postgresql://u:secret@localhost/chats"}, ["localhost:5432"]),
        ({"DATABASE_URL": "sqlite:////data/other.db"}, "closed"),
        ({"CHROMA_HTTP_HOST": "localhost", "CHROMA_HTTP_PORT": "8001"}, ["localhost:8001"]),
        ({"SOME_URL": "http://127.0.0.1:11434"}, ["127.0.0.1:11434"]),  # LLM=embedded: it is not measured then
        ({"EGRESS": "Extra.example, other.example:8443"}, ["extra.example:443", "other.example:8443"]),
        (SEARCH | {"RAG_WEB_SEARCH_ENGINE": "brave", "EGRESS": "api.search.brave.com"}, ["api.search.brave.com:443"]),
        ({"GOOGLE_CLIENT_ID": "x", "EGRESS": "accounts.google.com"}, ["accounts.google.com:443"]),
        # What cannot be held is not said to be.
        ({"EGRESS": "open"}, "open"),
        (SEARCH | {"RAG_WEB_SEARCH_ENGINE": "brave"}, "open"),
        ({"GOOGLE_CLIENT_ID": "x"}, "open"),
        ({"AUDIO_STT_ENGINE": "deepgram"}, "open"),
        ({"STORAGE_PROVIDER": "s3"}, "open"),
        ({"https_proxy": "http://proxy.example:3128"}, "open"),
        ({"http_proxy": "http://127.0.0.1:3128"}, "open"),
        ({"DATABASE_URL": "postgresql://u:secret@db.example/chats"}, "open"),
        ({"DATABASE_URL": "postgresql:///chats?host=/run/postgresql", "EGRESS": "a.example"}, ["a.example:443"]),
        ({"SOME_URL": "gopher://127.0.0.1/"}, "open"),
        ({"CODE_EXECUTION_ENGINE": "jupyter", "CODE_EXECUTION_JUPYTER_URL": "https://j.example"}, "open"),
        ({"CODE_EXECUTION_ENGINE": "jupyter", "CODE_EXECUTION_JUPYTER_URL": "http://localhost:8888"},
         ["localhost:8888"]),
        ({"ENABLE_LDAP": "true", "LDAP_SERVER_HOST": "ldap.example", "EGRESS": "a.example"}, "open"),
    ],
)  # fmt: skip
def test_the_site_event_says_what_may_leave(environ: dict[str, str], said: Any) -> None:
    plan = made(**environ)
    assert content(plan, "site")["egress"] == plan.egress.said == said
    fenced = said != "open"
    assert [plan.web.fenced, plan.model_server and plan.model_server.fenced] == [fenced, fenced]
    assert ("TEE_FENCED" in plan.web.env) == fenced
    assert not any(process.fenced for process in (plan.door, plan.attester, plan.registrar))


@pytest.mark.attack
def test_without_a_fence_the_launch_says_open_whatever_is_asked_for() -> None:
    for environ in ({}, {"EGRESS": "a.example"}):
        plan = made("it was not started by root", **environ)
        assert content(plan, "site")["egress"] == "open" and plan.egress.why == "it was not started by root"
        assert not plan.web.fenced and plan.broker is None and "http_proxy" not in plan.web.env


def test_the_web_server_leaves_by_the_broker_and_by_nothing_else() -> None:
    plan = made(OPENAI_API_BASE_URLS="https://api.example/v1;http://127.0.0.1:3128/v1")
    assert plan.broker is not None and '["api.example:443"]' in plan.broker.command
    env = plan.web.env  # another program has the usual port
    assert env["https_proxy"] == env["http_proxy"] == "http://127.0.0.1:3129"
    assert env["no_proxy"] == "127.0.0.1,::1,localhost"
    assert plan.egress.forwards == (("127.0.0.1", 3128),)
    closed = made()
    assert closed.broker is None and not {"http_proxy", "https_proxy", "no_proxy"} & closed.web.env.keys()


def test_the_ollama_that_is_measured_is_reached_by_the_relay_alone() -> None:
    assert made(OLLAMA_BASE_URL="http://127.0.0.1:11434", LLM="ollama").egress.said == "closed"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("https://a.example", "https://a.example is no host"), ("a.example:0", "no host"), ("a b:x", "b:x is no host"),
        ("open,a.example", "choose one"), ("closed:99999", "no host"), ("*", "no host"),
    ],
)  # fmt: skip
def test_what_egress_cannot_be(value: str, words: str) -> None:
    with pytest.raises(SettingError, match="EGRESS") as caught:
        settings.load({"EGRESS": value})
    assert words in str(caught.value)


def test_hosts_beside_a_proxy_are_refused() -> None:
    with pytest.raises(SettingError, match=r"https_proxy leads anywhere: take one of them away\.$"):
        made(EGRESS="a.example", https_proxy="http://proxy.example:3128")
