"""A launch as one value: the events that are measured, and the processes that are started, from the same settings.

`make` is pure. `run` measures `events` and starts the processes of that same object; `reference` and the
command `events` print its events and start nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from . import effective, egress, environment, processes, webserver
from .egress import Egress
from .events import Difference, Event, account_event, python_event, release_events, site_event
from .launch import Launch
from .model import EMBEDDED, ModelServer, Prepared
from .processes import Process, User

ADMINISTRATOR = "/api/v1/tee/administrator"  # open_webui/tee/first.py serves it


@dataclass(frozen=True)
class Found:
    """What was found on the machine for a launch, and decided before it."""

    release_digest: str
    differences: tuple[Difference, ...]
    python: Mapping[str, str]
    upstream_names: frozenset[str]  # the variables that the release's Open WebUI reads
    model: Prepared
    code: tuple[Event, ...]  # administrators' Python in the database
    user: User | None
    door_user: User | None
    broker_user: User | None
    own_uid: int
    session_key: str = field(repr=False)
    administrator_key: str = field(repr=False)
    no_fence: str = ""  # why this machine or account has none
    certificates: bytes = field(default=b"", repr=False)  # of SSL_CERT_FILE
    encryption: Event | None = None  # the program that encrypts what is kept


@dataclass(frozen=True)
class Plan:
    """What a launch measures, in order, and what it starts."""

    launch: Launch
    model: Prepared
    user: User | None
    events: tuple[Event, ...]
    registrar: Process
    attester: Process
    door: Process
    web: Process
    model_server: Process | None
    pccs: Process | None
    relay: Process | None
    broker: Process | None
    egress: Egress
    certificates: bytes  # to be copied to `DataDir.certificates`, or nothing
    asking_uid: int  # the web server's account, which may ask the measurer

    @property
    def administrator_link(self) -> str:
        """The link that makes the first administrator, where not just anybody may become that."""
        key = self.web.env.get("TEE_FIRST_SIGNUP")
        settings = self.launch.settings
        # what stands behind # leaves the browser through the channel alone
        path = f"/auth#administrator={key}" if settings.channel == "require" else f"{ADMINISTRATOR}?key={key}"
        return f"{settings.origin or settings.local_url}{path}" if key else ""

    def told(self, addresses: Mapping[str, str]) -> dict[str, str]:
        """What the web server is told when everything else runs: the addresses that stand as `<embedded>` in the plan
        (`addresses` has them as `chat` and `embeddings`), or, as `ollama`, of the relay to the Ollama that the plan
        names. (The door is told how the launch ended, and where the PCCS is.)"""
        values = {}
        for name, role in (("OPENAI_API_BASE_URLS", "chat"), ("RAG_OPENAI_API_BASE_URL", "embeddings")):
            if role in addresses and EMBEDDED in self.web.env.get(name, ""):
                values[name] = self.web.env[name].replace(EMBEDDED, addresses[role])
        for name in ("OLLAMA_BASE_URLS", "RAG_OLLAMA_BASE_URL"):
            if "ollama" in addresses and self.web.env.get(name) == self.launch.settings.ollama_base_url:
                values[name] = addresses["ollama"]
        return values

    def unlocked(self, session_key: str) -> Plan:
        """The same with the key that lies in the encrypted data, once that is open."""
        return replace(self, web=replace(self.web, env={**self.web.env, "WEBUI_SECRET_KEY": session_key}))


def egress_of(launch: Launch, server: ModelServer, upstream_names: frozenset[str], no_fence: str) -> Egress:
    """What may leave in a launch with this model server, before anything was measured. Raises SettingError."""
    configuration = webserver.configure(launch, server, upstream_names)
    return egress.decide(launch, effective.pin(configuration.env), configuration.theirs, no_fence)


def make(launch: Launch, found: Found) -> Plan:
    """The plan of a launch. The same settings and the same machine give the same plan. Raises SettingError."""
    server = found.model.server
    configuration = webserver.configure(launch, server, found.upstream_names)
    env = effective.pin(configuration.env)
    ways = egress.decide(launch, env, configuration.theirs, found.no_fence)
    uid = found.user.uid if found.user else found.own_uid
    asking = found.door_user.uid if found.door_user else found.own_uid
    return Plan(
        launch=launch,
        model=found.model,
        user=found.user,
        events=_events(launch, found, env, configuration.theirs, ways),
        registrar=processes.registrar(launch),
        attester=processes.attester(launch, found.release_digest, asking),
        door=processes.door(launch, _door_env(launch, found, env), found.door_user),
        web=processes.web_server(
            launch, _web_env(launch, found, env, configuration.theirs, ways), found.user, ways.fenced
        ),
        model_server=processes.model(launch, server, found.user, ways.fenced),
        pccs=processes.pccs(launch, found.user),
        relay=processes.relay(launch, server),
        broker=processes.broker(launch, ways, found.broker_user),
        egress=ways,
        certificates=found.certificates,
        asking_uid=uid,
    )


def _events(
    launch: Launch, found: Found, env: Mapping[str, str], theirs: Mapping[str, str], ways: Egress
) -> tuple[Event, ...]:
    """What goes into RTMR 3, in order (docs/design.md, "Event log")."""
    events = release_events(found.release_digest, found.differences)
    events.append(python_event(found.python))
    events.append(Event("settings", effective.event(env, theirs, found.model.server, launch.settings)))
    leading_away = _endpoints(launch, found, env, theirs)
    events.append(site_event(launch.settings, leading_away, effective.admin_access(env), ways.said))
    events += [found.encryption] if found.encryption else []
    events += found.model.events
    events += found.code
    if launch.kind == "tdx" and found.user is None:
        events.append(account_event("root" if found.own_uid == 0 else "the launcher's"))
    return tuple(events)


def _endpoints(launch: Launch, found: Found, env: Mapping[str, str], theirs: Mapping[str, str]) -> list[dict[str, str]]:
    digest = hashlib.sha384(found.certificates).hexdigest() if found.certificates else ""
    own = launch.settings.origin or launch.settings.local_url
    contents = effective.endpoints(env) + effective.other_urls(theirs, own)
    contents += environment.endpoints(launch.environ, digest)
    return sorted(contents, key=lambda content: (content["setting"], content["value"]))


def _web_env(
    launch: Launch, found: Found, env: Mapping[str, str], theirs: Mapping[str, str], ways: Egress
) -> dict[str, str]:
    """The whole environment of the web server: `Plan.told` only fills in what is not known yet."""
    own = {
        "TEE_CHANNEL": launch.settings.channel,
        "TEE_LOCKED_SETTINGS": ",".join(effective.locked(theirs)),
        "TEE_MEASURER_SOCKET": str(launch.measurer_socket),
        "WEBUI_SECRET_KEY": found.session_key,
    }
    if launch.settings.public:
        own["TEE_FIRST_SIGNUP"] = found.administrator_key
    if found.model.allowed is not None:
        own["TEE_MEASURED_MODELS"] = str(launch.data.measured_models)
    if ways.fenced:
        own["TEE_FENCED"] = "true"
    return {**environment.base(launch.environ), **_network(launch, found, env), **ways.network(), **env, **own}


def _network(launch: Launch, found: Found, env: Mapping[str, str]) -> dict[str, str]:
    addresses = [address for value in env.values() for address in value.split(";")]
    return environment.network(launch.environ, addresses, str(launch.data.certificates) if found.certificates else "")


def _door_env(launch: Launch, found: Found, env: Mapping[str, str]) -> dict[str, str]:
    """What attestation needs, and the way to a PCCS elsewhere: no secret, and nothing of Open WebUI's."""
    own = {"TEE_ATTESTER_SOCKET": str(launch.attester_socket), "TEE_KIND": launch.kind}
    return {
        **environment.base(launch.environ),
        **_network(launch, found, env),
        **webserver.tee(launch.settings),
        **own,
    }
