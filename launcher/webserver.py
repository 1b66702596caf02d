"""The environment and command of the web server.

Open WebUI takes hundreds of settings from its environment. It gets a fresh one: what every process needs, what this
launch decides, and those of the operator's variables that upstream's source reads. Nothing else leaks in, so that a
stray variable cannot change what was measured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .datadir import DataDir
from .settings import NAMES as SETTING_NAMES
from .settings import Settings

# What any process needs from the machine.
MACHINE = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR",
           "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")

# Never taken from the operator: each loads code or sends data somewhere, or belongs to the launch.
REFUSED = frozenset({
    "CUSTOM_NAME", "LICENSE_KEY", "WEBUI_JWT_SECRET_KEY", "FROM_INIT_PY", "DOCKER", "USE_CUDA_DOCKER",
    "USE_OLLAMA_DOCKER", "LD_LIBRARY_PATH", "RESET_CONFIG_ON_START", "WEBUI_BUILD_HASH", "K8S_FLAG",
})

_READS = re.compile(r"""os\.(?:environ\.get|getenv)\(\s*["']([A-Z][A-Z0-9_]*)["']""")


@dataclass(frozen=True)
class ModelServer:
    """What answers chats. ``kind`` is ``ollama``, ``embedded`` or ``none``; ``key`` is the embedded server's."""

    kind: str
    chat_url: str = ""
    embeddings_url: str = ""
    key: str = field(default="", repr=False)
    default_model: str = ""
    models: tuple[str, ...] = ()


def known_names(release: Path) -> frozenset[str]:
    """Every environment variable that the release's own Open WebUI reads for its settings."""
    package = release / "backend" / "open_webui"
    found: set[str] = set()
    for name in ("env.py", "config.py"):
        found.update(_READS.findall((package / name).read_text(encoding="utf-8")))
    return frozenset(found)


def fixed(release: Path, data: DataDir) -> dict[str, str]:
    """Where things are: the same for every launch, never the operator's to change."""
    home = data.webui / "home"
    return {
        "ENV": "prod",
        "HOME": str(home),
        "DATA_DIR": str(data.webui),
        "STATIC_DIR": str(data.static),
        "FONTS_DIR": str(release / "backend/open_webui/static/fonts"),
        "FRONTEND_BUILD_DIR": str(release / "backend/open_webui/frontend"),
        "HF_HOME": str(home / "huggingface"),
        "SENTENCE_TRANSFORMERS_HOME": str(home / "sentence-transformers"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "ANONYMIZED_TELEMETRY": "false",
        "DO_NOT_TRACK": "true",
        "SCARF_NO_ANALYTICS": "true",
    }


def defaults(settings: Settings) -> dict[str, str]:
    """Ours instead of upstream's: nothing phones home and nothing leaves the machine unless the operator says so."""
    values = {
        "OFFLINE_MODE": "true",
        "ENABLE_DIRECT_CONNECTIONS": "false",
        "ENABLE_COMMUNITY_SHARING": "false",
        "ENABLE_EVALUATION_ARENA_MODELS": "false",
        "RAG_EMBEDDING_MODEL_TRUST_REMOTE_CODE": "false",
        "RAG_RERANKING_MODEL_TRUST_REMOTE_CODE": "false",
        "CORS_ALLOW_ORIGIN": settings.origin or settings.local_url,
        "WEBUI_URL": settings.origin or settings.local_url,
        "RAG_EMBEDDING_ENGINE": "openai",
        "ENABLE_OPENAI_API": "false",
        "ENABLE_OLLAMA_API": "false",
    }
    if settings.origin.startswith("https://"):
        values["WEBUI_SESSION_COOKIE_SECURE"] = "true"
    return values


def model_settings(server: ModelServer, settings: Settings) -> dict[str, str]:
    """Point Open WebUI at the model server, embeddings included (its own default downloads a model)."""
    if server.kind == "ollama":
        return {
            "ENABLE_OLLAMA_API": "true",
            "OLLAMA_BASE_URL": settings.ollama_base_url,
            "RAG_EMBEDDING_ENGINE": "ollama",
            "RAG_EMBEDDING_MODEL": "nomic-embed-text",
            "RAG_OLLAMA_BASE_URL": settings.ollama_base_url,
        }
    if server.kind == "embedded":
        # A model this small writes useless titles, tags and completions, and they would delay its answers.
        tasks = ("AUTOCOMPLETE_GENERATION", "TITLE_GENERATION", "TAGS_GENERATION", "SEARCH_QUERY_GENERATION",
                 "RETRIEVAL_QUERY_GENERATION")
        return {
            "ENABLE_OPENAI_API": "true",
            "OPENAI_API_BASE_URLS": server.chat_url,
            "OPENAI_API_KEYS": server.key,
            "DEFAULT_MODELS": server.default_model,
            "RAG_EMBEDDING_MODEL": server.default_model,
            "RAG_OPENAI_API_BASE_URL": server.embeddings_url,
            "RAG_OPENAI_API_KEY": server.key,
            **{f"ENABLE_{task}": "false" for task in tasks},
        }
    return {}


def operators(environ: Mapping[str, str], known: frozenset[str], own: frozenset[str]) -> dict[str, str]:
    """The operator's upstream settings: those that upstream reads, that we neither decide nor refuse."""
    return {name: environ[name] for name in sorted(known & environ.keys()) if name not in REFUSED | own}


def tee(settings: Settings) -> dict[str, str]:
    """What the attestation router needs besides the socket (docs/design.md, "Settings handed to the web server")."""
    values = {
        "TEE_SERVICE": settings.service,
        "TEE_SERVICE_URL": settings.service_url,
        "TEE_SERVICE_KEY": settings.service_key,
        "TEE_GATE": settings.gate,
        "TEE_RATE_LIMIT": str(settings.rate_limit),
        "TEE_MAX_AGE_S": str(settings.max_age_s),
        "TEE_PCCS_URL": settings.pccs_url,
    }
    return {name: value for name, value in values.items() if value}


def arguments(settings: Settings) -> list[str]:
    """uvicorn's arguments: no reload, and no forwarded header believed unless its sender was named."""
    trusted = settings.forwarded_allow_ips
    proxy = ["--proxy-headers", "--forwarded-allow-ips", ",".join(trusted)] if trusted else ["--no-proxy-headers"]
    return ["open_webui.main:app", "--host", settings.host, "--port", str(settings.port),
            "--timeout-graceful-shutdown", "3", "--no-server-header", *proxy]


def environment(
    release: Path, settings: Settings, data: DataDir, server: ModelServer, environ: Mapping[str, str]
) -> dict[str, str]:
    """Everything that decides how Open WebUI behaves, without the machine's own variables and the secret."""
    where = fixed(release, data)
    own = frozenset(where) | frozenset(SETTING_NAMES) | {"WEBUI_SECRET_KEY"}
    theirs = operators(environ, known_names(release), own)
    values = defaults(settings) | model_settings(server, settings)
    if theirs.get("OPENAI_API_BASE_URLS"):
        theirs.setdefault("ENABLE_OPENAI_API", "true")
        if server.kind == "embedded":  # beside the embedded model, not instead of it
            for name in ("OPENAI_API_BASE_URLS", "OPENAI_API_KEYS"):
                theirs[name] = f"{values[name]};{theirs.get(name, '')}"
    return values | theirs | where | tee(settings)
