"""The settings that decide where a user's words go and who can read them.

Upstream lets its database override the environment, and a database is not measured. So the web server takes **every**
setting from its launch (`TEE_LOCKED_SETTINGS=*`), except a few looks that it lists itself with a reason each
(`open_webui/tee/locked.py`). What nobody sets has the release's own default, which the release's digest covers.
`PINNED` holds what a launch sets and people should see, whatever its value; that and everything else that the
operator sets for upstream make the `settings` event.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from .model import EMBEDDED, ModelServer
from .settings import Settings

# Upstream's name and the value a launch gives it unless the operator or the model server decides otherwise.
PINNED: dict[str, str] = {
    # where prompts go
    "ENABLE_OLLAMA_API": "false",
    "OLLAMA_BASE_URLS": "",
    "OLLAMA_API_CONFIGS": "",
    "ENABLE_OPENAI_API": "false",
    "OPENAI_API_BASE_URLS": "",
    "OPENAI_API_KEYS": "",
    "OPENAI_API_CONFIGS": "",
    "ENABLE_DIRECT_CONNECTIONS": "false",
    "ENABLE_EVALUATION_ARENA_MODELS": "false",
    # where documents, searches, sound and pictures go
    "RAG_EMBEDDING_ENGINE": "openai",
    "RAG_OPENAI_API_BASE_URL": "",
    "RAG_OPENAI_API_KEY": "",
    "RAG_OLLAMA_BASE_URL": "",
    "CONTENT_EXTRACTION_ENGINE": "",
    "TIKA_SERVER_URL": "",
    "DOCUMENT_INTELLIGENCE_ENDPOINT": "",
    "ENABLE_RAG_WEB_SEARCH": "false",
    "ENABLE_RAG_LOCAL_WEB_FETCH": "false",
    "RAG_WEB_SEARCH_ENGINE": "",
    "RAG_WEB_LOADER_ENGINE": "safe_web",
    "SEARXNG_QUERY_URL": "",
    "YOUTUBE_LOADER_PROXY_URL": "",
    "AUDIO_STT_ENGINE": "",
    "AUDIO_STT_OPENAI_API_BASE_URL": "",
    "AUDIO_TTS_ENGINE": "",
    "AUDIO_TTS_OPENAI_API_BASE_URL": "",
    "ENABLE_IMAGE_GENERATION": "false",
    "IMAGE_GENERATION_ENGINE": "",
    "IMAGES_OPENAI_API_BASE_URL": "",
    "AUTOMATIC1111_BASE_URL": "",
    "COMFYUI_BASE_URL": "",
    "ENABLE_GOOGLE_DRIVE_INTEGRATION": "false",
    "ENABLE_ONEDRIVE_INTEGRATION": "false",
    "WEBHOOK_URL": "",
    "ENABLE_COMMUNITY_SHARING": "false",
    # where code runs
    "CODE_EXECUTION_ENGINE": "pyodide",
    "CODE_EXECUTION_JUPYTER_URL": "",
    "CODE_INTERPRETER_ENGINE": "pyodide",
    "CODE_INTERPRETER_JUPYTER_URL": "",
    # who gets in, and who reads what
    "WEBUI_AUTH": "true",
    "WEBUI_AUTH_TRUSTED_EMAIL_HEADER": "",
    "ENABLE_LDAP": "false",
    "LDAP_SERVER_HOST": "",
    "ENABLE_OAUTH_SIGNUP": "false",
    "OPENID_PROVIDER_URL": "",
    "BYPASS_MODEL_ACCESS_CONTROL": "false",
    "ENABLE_ADMIN_CHAT_ACCESS": "false",
    "ENABLE_ADMIN_EXPORT": "false",
    "ENABLE_ADMIN_DATA_ACCESS": "false",
    "ENABLE_USER_WEBHOOKS": "false",
    "ENABLE_CHANNELS": "false",
    "JWT_EXPIRES_IN": "4w",
    "ENABLE_FORWARD_USER_INFO_HEADERS": "false",
    "ENABLE_AUDIT_LOGS": "false",
    "CORS_ALLOW_ORIGIN": "",
    # where data is kept, and what is fetched
    "STORAGE_PROVIDER": "local",
    "VECTOR_DB": "chroma",
    "CHROMA_HTTP_HOST": "",
    "DATABASE_URL": "",
    "WEBSOCKET_MANAGER": "",
    "OFFLINE_MODE": "true",
    "RAG_EMBEDDING_MODEL_TRUST_REMOTE_CODE": "false",
    "RAG_RERANKING_MODEL_TRUST_REMOTE_CODE": "false",
}
# An empty value would be taken as a value by upstream: these are handed over only if they are set.
_OMIT_EMPTY = frozenset(
    {"WEBUI_AUTH_TRUSTED_EMAIL_HEADER", "DATABASE_URL", "CHROMA_HTTP_HOST", "OLLAMA_API_CONFIGS", "OPENAI_API_CONFIGS"}
)
_SECRET = re.compile(
    r"KEY|SECRET|PASSWORD|TOKEN|CREDENTIAL|JUPYTER_AUTH|API_AUTH|DATABASE_URL|REDIS_URL|DB_URL|_CONFIGS$"
)
# Each lets administrators read what others wrote, unless it has this value.
ADMIN_ACCESS = {
    "ENABLE_ADMIN_CHAT_ACCESS": "false",
    "ENABLE_ADMIN_DATA_ACCESS": "false",
    "ENABLE_ADMIN_EXPORT": "false",
}
ENDPOINT = "<endpoint>"
OWN = "<own>"
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s;,\"'<>\]}]+")

# A URL setting and what switches it on: (setting, its value or None for "true"). What is off leads nowhere.
_ENDPOINTS: tuple[tuple[str, str, str], ...] = (
    ("OLLAMA_BASE_URLS", "ENABLE_OLLAMA_API", "true"),
    ("OPENAI_API_BASE_URLS", "ENABLE_OPENAI_API", "true"),
    ("RAG_OPENAI_API_BASE_URL", "RAG_EMBEDDING_ENGINE", "openai"),
    ("RAG_OLLAMA_BASE_URL", "RAG_EMBEDDING_ENGINE", "ollama"),
    ("TIKA_SERVER_URL", "CONTENT_EXTRACTION_ENGINE", "tika"),
    ("DOCUMENT_INTELLIGENCE_ENDPOINT", "CONTENT_EXTRACTION_ENGINE", "document_intelligence"),
    ("RAG_WEB_SEARCH_ENGINE", "ENABLE_RAG_WEB_SEARCH", "true"),
    ("AUDIO_STT_OPENAI_API_BASE_URL", "AUDIO_STT_ENGINE", "openai"),
    ("AUDIO_TTS_OPENAI_API_BASE_URL", "AUDIO_TTS_ENGINE", "openai"),
    ("IMAGES_OPENAI_API_BASE_URL", "IMAGE_GENERATION_ENGINE", "openai"),
    ("AUTOMATIC1111_BASE_URL", "IMAGE_GENERATION_ENGINE", "automatic1111"),
    ("COMFYUI_BASE_URL", "IMAGE_GENERATION_ENGINE", "comfyui"),
    ("CODE_EXECUTION_JUPYTER_URL", "CODE_EXECUTION_ENGINE", "jupyter"),
    ("CODE_INTERPRETER_JUPYTER_URL", "CODE_INTERPRETER_ENGINE", "jupyter"),
    ("LDAP_SERVER_HOST", "ENABLE_LDAP", "true"),
)
# Engines that are a service somewhere else by themselves; the values that stay on the machine.
_LOCAL_ENGINES: dict[str, frozenset[str]] = {
    "AUDIO_STT_ENGINE": frozenset({"", "openai"}),
    "AUDIO_TTS_ENGINE": frozenset({"", "openai", "transformers"}),
    "IMAGE_GENERATION_ENGINE": frozenset({"", "openai", "automatic1111", "comfyui"}),
    "STORAGE_PROVIDER": frozenset({"", "local"}),
    "RAG_WEB_LOADER_ENGINE": frozenset({"", "safe_web"}),
}
# Where these are set at all, something leaves the machine.
_ALWAYS = ("WEBHOOK_URL", "OPENID_PROVIDER_URL", "DATABASE_URL", "CHROMA_HTTP_HOST", "YOUTUBE_LOADER_PROXY_URL")


def locked(theirs: Mapping[str, str]) -> tuple[str, ...]:
    """`TEE_LOCKED_SETTINGS`: every setting but the free ones (`*`), and those of them that are measured
    nevertheless."""
    return ("*", *sorted(PINNED.keys() | theirs.keys()))


def pin(env: Mapping[str, str]) -> dict[str, str]:
    """`env` completed with the pinned defaults, as the web server gets it."""
    full = {**PINNED, **env}
    return {name: value for name, value in full.items() if value or name not in _OMIT_EMPTY}


def event(env: Mapping[str, str], theirs: Mapping[str, str], server: ModelServer, settings: Settings) -> dict[str, str]:
    """The `settings` event: name to value, secrets only as "set". The same on every machine for the same settings.

    `env` is what the web server gets, `theirs` what of it the operator set.
    """
    names = (PINNED.keys() | theirs.keys()) - ADMIN_ACCESS.keys()
    values = {name: env.get(name, "") for name in sorted(names)}
    shown = {name: _shown(name, value, settings) for name, value in values.items()}
    shown |= {name: value for name, value in _leading_away(env).items() if name in shown}
    shown |= {
        "LLM": server.kind,
        "FORWARDED_ALLOW_IPS": ",".join(settings.forwarded_allow_ips),
        "TEE_CHANNEL": settings.channel,
        "TEE_GATE": settings.gate,
        "TEE_SERVICE": settings.service,
        "TEE_SERVICE_KEY": settings.service_key,  # a public key: the service's, to be pinned by clients
        "TEE_SERVICE_ORIGINS": ",".join(settings.service_origins),
        "TEE_SERVICE_URL": settings.service_url,
    }
    return shown


def _shown(name: str, value: str, settings: Settings) -> str:
    if _SECRET.search(name):
        return "set" if value else ""
    if name in ("CORS_ALLOW_ORIGIN", "WEBUI_URL") and value == (settings.origin or settings.local_url):
        return OWN
    return without_login(value)


def without_login(value: str) -> str:
    """The value without the names and passwords in its URLs."""
    return re.sub(r"(?<=://)[^/@\s;]*@", "", value)


def _leading_away(env: Mapping[str, str]) -> dict[str, str]:
    """The settings that `endpoints` lists, without what the `site` event says of them; secrets as in `_shown`.

    A switch that is on for such an address alone is the site's choice, too.
    """
    shown: dict[str, str] = {}
    for name in {found["setting"] for found in endpoints(env)}:
        values = env[name].split(";")
        kept = [value if is_local(value) else ENDPOINT for value in values]
        shown[name] = "set" if _SECRET.search(name) else ";".join(kept)
        if set(kept) == {ENDPOINT}:
            shown |= {switch: ENDPOINT for url, switch, _ in _ENDPOINTS if url == name}
    return shown


def admin_access(env: Mapping[str, str]) -> bool:
    """Whether a setting lets administrators read what others wrote."""
    return any(env.get(name, default).lower() != default for name, default in ADMIN_ACCESS.items())


def addresses(env: Mapping[str, str]) -> list[tuple[str, str]]:
    """Every switched-on setting that leads anywhere, this machine included, and its values, secrets too."""
    found: set[tuple[str, str]] = set()
    for name, switch, wanted in _ENDPOINTS:
        if env.get(switch, "").lower() == wanted:
            found |= {(name, url.strip()) for url in env.get(name, "").split(";")}
    found |= {(name, env[name]) for name, local in _LOCAL_ENGINES.items() if env.get(name, "") not in local}
    found |= {(name, env.get(name, "").strip()) for name in _ALWAYS}
    return sorted((name, value) for name, value in found if value)


def endpoints(env: Mapping[str, str]) -> list[dict[str, str]]:
    """The endpoints of the `site` event: every switched-on setting that leads off this machine, in order of name."""
    found = {(name, _told(name, value)) for name, value in addresses(env) if not is_local(value)}
    return [{"setting": name, "value": value} for name, value in sorted(found)]


def _told(name: str, value: str) -> str:
    """A value as the `site` event has it."""
    return "set" if _SECRET.search(name) else without_login(value)


def other_addresses(theirs: Mapping[str, str], own: str) -> list[tuple[str, str]]:
    """Each address in any other setting of the operator's, this machine included, in order of name.

    `own` is the address of this server. What `addresses` knows is left to it: it also knows what is switched off.
    """
    known = {name for name, _, _ in _ENDPOINTS} | set(_ALWAYS) | {"CORS_ALLOW_ORIGIN", "WEBUI_URL"}
    found = {(name, url) for name in theirs.keys() - known for url in URL.findall(theirs[name])}
    return sorted((name, url) for name, url in found if not f"{url}/".startswith(f"{own}/"))


def other_urls(theirs: Mapping[str, str], own: str) -> list[dict[str, str]]:
    """The endpoints of the `site` event among `other_addresses`."""
    elsewhere = [(name, url) for name, url in other_addresses(theirs, own) if not is_local(url)]
    found = {(name, _told(name, url)) for name, url in elsewhere}
    return [{"setting": name, "value": value} for name, value in sorted(found)]


def is_local(url: str) -> bool:
    """Whether a URL or host stays on this machine: only what is loopback by its very name does."""
    text = url.strip()
    if text == EMBEDDED or text.startswith("sqlite:"):
        return True
    try:
        host = urlsplit(text if "://" in text else f"//{text}").hostname or ""
    except ValueError:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
