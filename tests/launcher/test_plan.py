"""A launch as a value: what is measured is what is handed over, and planning starts nothing."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launcher.datadir import DataDir
from launcher.errors import SettingError
from launcher.measure import interpreter
from launcher.plan import plan, settings
from launcher.plan.events import Event
from launcher.plan.launch import Launch
from launcher.plan.model import EMBEDDED, Measured, ModelServer, Prepared
from launcher.plan.plan import Found, Plan
from launcher.plan.processes import Process, User

ROOT = Path(__file__).resolve().parents[2]
NAMES = frozenset({"WEBUI_NAME", "OPENAI_API_BASE_URLS", "OPENAI_API_KEYS", "DATABASE_URL"})
LLM = ModelServer("embedded", key="sk-1", weights=Path("/release/llm/tiny.gguf"), models=("tiny",))
FOUND = Found("ab" * 48, (), {"version": "3"}, NAMES, Prepared(LLM), (), None, None, None, 1000, "k" * 40, "one-time")


def planned(found: Found = FOUND, kind: str = "tdx-simulated", **environ: str) -> Plan:
    data = DataDir(Path("/data"), "boot")
    launch = Launch(Path("/release"), settings.load(environ), data, kind, environ, "/bin/python", 7, Path("/sockets"))
    return plan.make(launch, found)


def content(made: Plan, operation: str) -> dict[str, Any]:
    (event,) = [event for event in made.events if event.operation == operation]
    return dict(event.content)


def test_the_same_launch_is_the_same_plan() -> None:
    assert planned() == planned()
    assert planned(WEBUI_NAME="x") != planned()


def test_what_is_measured_is_what_the_web_server_gets() -> None:
    made = planned(WEBUI_NAME="Mine", OPENAI_API_BASE_URLS="https://x.example/v1")
    told = {**made.web.env, **made.told({"chat": "http://c/v1", "embeddings": "http://e/v1"})}
    measured = content(made, "settings")
    for name in ("WEBUI_NAME", "ENABLE_OPENAI_API", "RAG_EMBEDDING_ENGINE", "OFFLINE_MODE"):
        assert told[name] == measured[name]
    assert measured["OPENAI_API_BASE_URLS"] == f"{EMBEDDED};<endpoint>"
    assert content(made, "site")["endpoints"] == [{"setting": "OPENAI_API_BASE_URLS", "value": "https://x.example/v1"}]
    assert told["OPENAI_API_BASE_URLS"] == "http://c/v1;https://x.example/v1"
    assert measured["RAG_OPENAI_API_BASE_URL"] == EMBEDDED and told["RAG_OPENAI_API_BASE_URL"] == "http://e/v1"
    assert EMBEDDED not in "".join(told.values())


def test_the_web_server_is_told_addresses_and_nothing_else() -> None:
    told = planned().told({"chat": "c", "embeddings": "e"})
    assert told.keys() == {"OPENAI_API_BASE_URLS", "RAG_OPENAI_API_BASE_URL"}
    assert planned(replace(FOUND, model=Prepared(ModelServer("none")))).told({}) == {}


def test_bytecode_that_the_launcher_was_started_with_is_everybodys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Otherwise each role compiles for itself: none may plant code for another."""
    assert len(caches(planned())) > 3
    given = replace(planned().launch, bytecode=tmp_path)
    assert caches(plan.make(given, FOUND)) == {f"pycache_prefix={tmp_path}"}
    for prefix, found in ((str(tmp_path), tmp_path), ("/proc/self/no-bytecode", None), (None, None)):
        monkeypatch.setattr(sys, "pycache_prefix", prefix)
        assert interpreter.given_bytecode() == found


def caches(made: Plan) -> frozenset[str]:
    """Where the plan's processes look for bytecode."""
    processes = (made.web, made.door, made.attester, made.registrar, made.pccs, made.model_server)
    words = [word for process in processes if process for word in process.command]
    return frozenset(word for word in words if word.startswith("pycache_prefix="))


@pytest.mark.attack
def test_the_door_gets_no_secret_and_the_web_server_no_way_around_it() -> None:
    """What stands on a command line anybody can read; and the web server neither listens nor asks the attester."""
    made = planned(replace(FOUND, door_user=User("door", 998, 998)), OPENAI_API_KEY="sk-theirs", HOST="0.0.0.0")
    given = " ".join(made.door.command) + json.dumps(dict(made.door.env))
    assert not any(secret in given for secret in ("sk-1", "sk-theirs", "k" * 40, "one-time"))
    assert made.door.user == User("door", 998, 998) and "998" in made.attester.command
    assert not {"TEE_ATTESTER_SOCKET", "TEE_KIND"} & made.web.env.keys()
    assert {"--host", "--port"}.isdisjoint(made.web.command) and "/sockets/web/web.sock" in made.web.command


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({}, ["localhost", "127.0.0.1", "::1"]),
        ({"HOST": "0.0.0.0"}, ["localhost", "127.0.0.1", "::1"]),
        ({"HOST": "192.0.2.7"}, ["192.0.2.7"]),
        ({"ORIGIN": "https://chat.example:8443"}, ["chat.example"]),
        ({"ORIGIN": "https://[2001:db8::1]"}, ["2001:db8::1"]),
    ],
)
def test_the_certificate_is_for_where_people_go(environ: dict[str, str], names: list[str]) -> None:
    made = planned(FOUND, TLS="self-signed", **environ)
    config = json.loads(made.door.command[made.door.command.index("door") + 1])
    assert config["names"] == names and config["tls"] == "self-signed"
    assert content(made, "site")["tls"] == "self-signed"
    assert made.web.env["WEBUI_SESSION_COOKIE_SECURE"] == "true" and made.door.ready.url.startswith("https://")


@pytest.mark.parametrize("chosen", ["off", "offer", "require"])
def test_the_channel_is_measured_and_everybody_is_told(chosen: str) -> None:
    made = planned(TEE_CHANNEL=chosen, HOST="0.0.0.0")
    config = json.loads(made.door.command[made.door.command.index("door") + 1])
    assert config["channel"] == content(made, "settings")["TEE_CHANNEL"] == chosen
    assert made.door.env["TEE_CHANNEL"] == made.web.env["TEE_CHANNEL"] == chosen
    outside = "?key=one-time" in made.administrator_link
    assert made.administrator_link.endswith("one-time") and outside == (chosen != "require")


def test_events_stand_in_order() -> None:
    code, model = Event("tool", {"id": "t", "sha384": ""}), Event("model", {"name": "m", "digest": ""})
    found = replace(FOUND, model=Prepared(LLM, (model,)), code=(code,))
    made = planned(found, "tdx", OPENAI_API_BASE_URLS="https://x.example/v1")
    assert [event.operation for event in made.events] == [
        "release",
        "python",
        "settings",
        "site",
        "model",
        "tool",
        "account",
    ]
    given = replace(found, user=User("web", 999, 999))
    assert [event.operation for event in planned(given, "tdx").events][-1] == "tool"


def test_only_two_processes_can_find_the_device() -> None:
    made = planned()
    found = [made.attester, made.registrar, made.door, made.web, made.model_server, made.pccs]
    holders = {each.name for each in found if each and "TDX_SIM_STATE" in each.env}
    assert holders == {"attester", "registrar"} and len([each for each in found if each]) == 6


def test_the_models_key_is_in_two_environments_only() -> None:
    made = planned()
    found = [made.attester, made.registrar, made.web, made.model_server, made.pccs]
    assert {each.name for each in found if each and "sk-1" in str(dict(each.env))} == {"web server", "model server"}


@pytest.mark.parametrize("process", ["attester", "registrar", "door", "web", "model_server", "pccs"])
def test_every_process_is_one_of_ours_and_its_module_exists(process: str) -> None:
    found: Process = getattr(planned(), process)
    module = found.command[found.command.index("_module") + 2]
    assert found.command[:3] == ("/bin/python", "-I", "-S")
    assert importlib.util.find_spec(module) is not None


def test_planning_imports_nothing_that_starts_reads_or_asks() -> None:
    allowed = {
        "__future__",
        "collections.abc",
        "dataclasses",
        "pathlib",
        "typing",
        "re",
        "ipaddress",
        "hashlib",
        "idna",
        "json",
    }
    for path in sorted((ROOT / "launcher/plan").glob("*.py")):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert {name.name for name in node.names} <= allowed, path
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                assert node.module in {*allowed, "urllib.parse", "quote_generator", "data_unlock.outside"}, path
            if isinstance(node, ast.ImportFrom) and node.level == 2:
                assert node.module in ("datadir", "errors"), path


@pytest.mark.slow
def test_reference_values_are_made_without_what_starts_processes() -> None:
    code = (
        "import sys, json\nimport launcher.measure.reference\n"
        "print(json.dumps([name for name in sys.modules if name.startswith('launcher.')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)
    assert "launcher.plan.plan" in loaded
    assert not [name for name in loaded if name.startswith("launcher.serve") or name == "launcher.run"]


@pytest.mark.attack
@pytest.mark.parametrize(
    ("environ", "link"),
    [
        ({"HOST": "0.0.0.0"}, "http://127.0.0.1:8080/auth#administrator=one-time"),
        ({"HOST": "10.0.0.7", "PORT": "80"}, "http://10.0.0.7:80/auth#administrator=one-time"),
        ({"HOST": "chat"}, "http://chat:8080/auth#administrator=one-time"),
        ({"HOST": "chat", "TEE_CHANNEL": "off"}, "http://chat:8080/api/v1/tee/administrator?key=one-time"),
        ({"ORIGIN": "https://chat.example"}, "https://chat.example/api/v1/tee/administrator?key=one-time"),
        ({"HOST": "127.0.0.1"}, ""),
        ({"HOST": "localhost", "ORIGIN": "http://localhost:3000"}, ""),
        ({"HOST": "::1", "ORIGIN": "http://[::1]:3000"}, ""),
    ],
)
def test_beyond_loopback_the_first_administrator_needs_a_link(environ: dict[str, str], link: str) -> None:
    made = planned(FOUND, **environ)
    key = made.web.env.get("TEE_FIRST_SIGNUP", "")
    assert made.administrator_link == link
    assert key == ("one-time" if link else "") and "one-time" not in str(made.events)


@pytest.mark.attack
def test_the_web_server_gets_the_relays_address_and_the_measured_one_stays_ollamas() -> None:
    server = ModelServer("ollama", models=("m",), ollama=Measured("ab" * 48, "", (7, 1, 2)))
    made = planned(replace(FOUND, model=Prepared(server)))
    told = made.told({"ollama": "http://127.0.0.1:9"})
    assert told["OLLAMA_BASE_URLS"] == told["RAG_OLLAMA_BASE_URL"] == "http://127.0.0.1:9"
    assert content(made, "settings")["OLLAMA_BASE_URLS"] == "http://127.0.0.1:11434"
    assert made.relay is not None and made.relay.user is None and str(made.relay.ready.file).startswith("/data/run/")
    assert planned(replace(FOUND, model=Prepared(ModelServer("ollama")))).relay is None


@pytest.mark.attack
def test_embeddings_go_to_the_measured_ollama_and_to_no_other_program_here() -> None:
    server = ModelServer("ollama", models=("m",), ollama=Measured("ab" * 48, "", (7, 1, 2)))
    names = NAMES | {"RAG_OLLAMA_BASE_URL"}
    found = replace(FOUND, model=Prepared(server), upstream_names=names)
    same = planned(found, RAG_OLLAMA_BASE_URL="http://127.0.0.1:11434/")  # another spelling is the relay's, too
    assert same.told({"ollama": "http://127.0.0.1:9"})["RAG_OLLAMA_BASE_URL"] == "http://127.0.0.1:9"
    for held in (found, replace(FOUND, upstream_names=names)):
        with pytest.raises(SettingError, match="would not be measured"):
            planned(held, RAG_OLLAMA_BASE_URL="http://127.0.0.1:11435")
    away = planned(found, RAG_OLLAMA_BASE_URL="http://elsewhere:11434")
    assert content(away, "site")["endpoints"] == [{"setting": "RAG_OLLAMA_BASE_URL", "value": "http://elsewhere:11434"}]
