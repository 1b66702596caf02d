"""The environment and command of the web server.

Open WebUI takes hundreds of settings from its environment. It gets a fresh one: what every process needs, what this
launch decides, and those of the operator's variables that upstream's source reads. Nothing else leaks in, so that a
stray variable cannot change what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..datadir import DataDir
from ..errors import SettingError
from .effective import is_local
from .launch import Launch
from .model import EMBEDDED, ModelServer
from .settings import NAMES as SETTING_NAMES
from .settings import Settings

# Never taken from the operator: each loads code, sends data somewhere, or is decided by the launch. Upstream's names
# for what LLM and OLLAMA_BASE_URL decide are among them, so that there is one place to look.
REFUSED = frozenset(
    {
        "CUSTOM_NAME",
        "LICENSE_KEY",
        "WEBUI_JWT_SECRET_KEY",
        "FROM_INIT_PY",
        "DOCKER",
        "USE_CUDA_DOCKER",
        "USE_OLLAMA_DOCKER",
        "LD_LIBRARY_PATH",
        "RESET_CONFIG_ON_START",
        "WEBUI_BUILD_HASH",
        "K8S_FLAG",
        "ENABLE_AUDIT_LOGS",
        "AUDIT_LOG_LEVEL",
        "ENABLE_OLLAMA_API",
        "OLLAMA_BASE_URLS",
        "OLLAMA_API_BASE_URL",
        "SSL_CERT_DIR",
        "ALL_PROXY",
        "all_proxy",
    }
)
# Refused as well, but not worth a word: other programs set them, too.
_COMMON = frozenset({"LD_LIBRARY_PATH", "DOCKER", "ENV", "HOME"})

# What the files that this distribution adds to upstream read, and an operator may set.
OURS = frozenset({"ENABLE_ADMIN_DATA_ACCESS", "ENABLE_USER_WEBHOOKS"})

OPENAI = "https://api.openai.com/v1"


def fixed(release: Path, data: DataDir) -> dict[str, str]:
    """Where things are: the same for every launch, never the operator's to change."""
    home = data.webui / "home"
    # What is too long for memory on its way must not lie outside of what is encrypted, either.
    temporary = {"TMPDIR": str(data.temporary)} if data.encrypted else {}
    return temporary | {
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


def own_address(settings: Settings) -> dict[str, str]:
    """What follows from the address at which people reach this server."""
    address = settings.origin or settings.local_url
    values = {"CORS_ALLOW_ORIGIN": address, "WEBUI_URL": address}
    if address.startswith("https://"):
        values["WEBUI_SESSION_COOKIE_SECURE"] = "true"
    return values


def model_settings(server: ModelServer, settings: Settings) -> dict[str, str]:
    """Point Open WebUI at the model server, embeddings included (its own default downloads a model)."""
    if server.kind == "ollama":
        return {
            "ENABLE_OLLAMA_API": "true",
            "OLLAMA_BASE_URLS": settings.ollama_base_url,
            "RAG_EMBEDDING_ENGINE": "ollama",
            "RAG_EMBEDDING_MODEL": "nomic-embed-text",
            "RAG_OLLAMA_BASE_URL": settings.ollama_base_url,
        }
    if server.kind == "embedded":
        # A model this small writes useless titles, tags and completions, and they would delay its answers.
        tasks = (
            "AUTOCOMPLETE_GENERATION",
            "TITLE_GENERATION",
            "TAGS_GENERATION",
            "SEARCH_QUERY_GENERATION",
            "RETRIEVAL_QUERY_GENERATION",
        )
        return {
            "ENABLE_OPENAI_API": "true",
            "OPENAI_API_BASE_URLS": EMBEDDED,
            "OPENAI_API_KEYS": server.key,
            "DEFAULT_MODELS": server.default_model,
            "RAG_EMBEDDING_MODEL": server.default_model,
            "RAG_OPENAI_API_BASE_URL": EMBEDDED,
            "RAG_OPENAI_API_KEY": server.key,
            **{f"ENABLE_{task}": "false" for task in tasks},
        }
    return {}


def operators(environ: Mapping[str, str], known: frozenset[str], own: frozenset[str]) -> dict[str, str]:
    """The operator's upstream settings: those that upstream reads, that we neither decide nor refuse."""
    return {name: environ[name] for name in sorted((known | OURS) & environ.keys()) if name not in REFUSED | own}


def ignored(environ: Mapping[str, str]) -> list[str]:
    """Names that the operator set and that have no effect here."""
    return sorted(name for name in REFUSED - _COMMON if environ.get(name))


def tee(settings: Settings) -> dict[str, str]:
    """What the door's attestation endpoints need besides the socket (docs/design.md, "Settings handed over")."""
    values = {
        "TEE_SERVICE": settings.service,
        "TEE_SERVICE_URL": settings.service_url,
        "TEE_SERVICE_KEY": settings.service_key,
        "TEE_SERVICE_ORIGINS": ",".join(settings.service_origins),
        "TEE_GATE": settings.gate,
        "TEE_MAX_AGE_S": str(settings.max_age_s),
        "TEE_CHANNEL": settings.channel,
        "TEE_PCCS_URL": settings.pccs_url,
    }
    return {name: value for name, value in values.items() if value}


def for_embeddings(url: str, server: ModelServer, settings: Settings) -> str:
    """RAG_OLLAMA_BASE_URL as it is used: on this machine nothing but the Ollama that is measured, in its one spelling.

    Raises SettingError for any other program of this machine: nobody measures it, and it would get what is uploaded.
    """
    plain = url.rstrip("/")
    if not url or not is_local(url):  # elsewhere it is an endpoint
        return url
    if server.kind == "ollama" and plain == settings.ollama_base_url:
        return plain
    raise SettingError(
        f"RAG_OLLAMA_BASE_URL={url} is not the Ollama of this launch, so what answers there would not be measured: "
        "leave it out, and use LLM=ollama with OLLAMA_BASE_URL for the Ollama that makes embeddings."
    )


@dataclass(frozen=True)
class Configuration:
    """What decides how Open WebUI behaves: its variables, and which of them the operator set."""

    env: dict[str, str] = field(repr=False)
    theirs: dict[str, str] = field(repr=False)


def configure(launch: Launch, server: ModelServer, known: frozenset[str]) -> Configuration:
    """Everything for Open WebUI except the machine's own variables, the pinned defaults and the secret.

    `known` are the variables that the release's own Open WebUI reads.
    """
    settings = launch.settings
    where = fixed(launch.release, launch.data)
    own = frozenset(where) | frozenset(SETTING_NAMES) | {"WEBUI_SECRET_KEY"}
    theirs = operators(launch.environ, known, own)
    values = own_address(settings) | model_settings(server, settings)
    changed = dict(theirs)
    if theirs.get("OPENAI_API_BASE_URLS") or theirs.get("OPENAI_API_BASE_URL"):
        changed.setdefault("ENABLE_OPENAI_API", "true")
    if changed.get("ENABLE_OPENAI_API", "").lower() == "true":
        # Upstream's own order of names, made explicit so that what is measured is what is used.
        urls = theirs.get("OPENAI_API_BASE_URLS") or theirs.get("OPENAI_API_BASE_URL") or OPENAI
        keys = theirs.get("OPENAI_API_KEYS") or theirs.get("OPENAI_API_KEY") or ""
        if server.kind == "embedded":  # beside the embedded model, not instead of it
            urls, keys = f"{EMBEDDED};{urls}", f"{server.key};{keys}"
        changed |= {"OPENAI_API_BASE_URLS": urls, "OPENAI_API_KEYS": keys}
    if "RAG_OLLAMA_BASE_URL" in changed:
        changed["RAG_OLLAMA_BASE_URL"] = for_embeddings(changed["RAG_OLLAMA_BASE_URL"], server, settings)
    return Configuration(values | changed | where, theirs)
