"""Cases about how what the service keeps lies on its disk: what the evidence says of it, and what was measured."""

import json
from pathlib import Path
from typing import Any

from tests.vectors import nonces
from tests.vectors.ground import (
    EVENTS,
    INIT,
    KEPT,
    OWNER,
    REFERENCES,
    SITE,
    bundle,
    case,
    digest,
    event,
    launch,
    log_of,
    platform_of,
    quote_for,
    runtime_data,
)

BUILDS = Path(__file__).resolve().parents[2] / "quote_verifier/src/quote_verifier/data/programs.json"
NOT_OWNED = {name: value for name, value in SITE.items() if name != "data_owner"}
OTHER = nonces.b64(bytes(32))
OVERALL = {"pass": "verified", "warn": "incomplete", "fail": "not-acceptable"}


def _kept(
    name: str, about: str, status: str, data: Any, lines: list[str], *, known: str = "pass", says: str = "", **held: Any
) -> None:
    """`known` is the status of `release.match`, which is no worse than that of `data.protected`."""
    made = runtime_data(data=data)
    given = bundle(
        f"data-{name}",
        quote=quote_for(made, lines),
        evidence_runtime_data=made,
        evidence_event_log="\n".join(lines) + "\n",
    )
    changed = {"data.protected": status, "release.match": known}
    told = {"says": {"data.protected": says}} if says else {}
    case(f"data-{name}", about, OVERALL[status], changed, given, **told, **held)


def data_cases() -> None:
    plain, owned = log_of(EVENTS[:5], NOT_OWNED), log_of(EVENTS)
    _kept("locked", "Encrypted, and not opened yet", "pass", {"state": "encrypted", "owner": OWNER}, owned,
          says="by gocryptfs, of an origin that this verifier does not know; only")  # fmt: skip
    asked = SITE | {"data_trustee": "https://kbs.example/kbs/v0/resource/default/open-webui/data-key"}
    _kept("trustee", "Encrypted, and its key comes from a Trustee", "pass", KEPT, log_of(EVENTS, asked))
    unclear = log_of(EVENTS, SITE | {"data_trustee": 1})
    _kept("trustee-number", "A Trustee that is a number", "fail", KEPT, unclear, known="fail")
    _kept("plain", "Data that lies in plain text", "warn", {"state": "plain"}, plain)
    _kept("unsaid", "The evidence does not say how the data lies", "warn", None, plain)
    _kept("not-owned", "Encrypted, and the launch measured no owner", "fail", KEPT, log_of(EVENTS, NOT_OWNED))
    _kept("other-owner", "Encrypted for another owner than the measured one", "fail", KEPT | {"owner": OTHER}, owned)
    _kept("nobodys", "Encrypted for nobody", "fail", {"state": "encrypted", "generation": 1}, owned)
    _kept(
        "said-plain", "The launch measured an owner, and the data lies in plain text", "fail", {"state": "plain"}, owned
    )
    _kept("said-nothing", "The launch measured an owner, and the evidence says nothing of it", "fail", None, owned)
    _kept("plain-owned", "Plain, and said to be somebody's", "fail", {"state": "plain", "owner": OWNER}, owned)
    _kept("no-program", "Encrypted, and nothing was measured that encrypts", "fail", KEPT, log_of(EVENTS[:5]))
    by_volume = [*EVENTS[:5], event("cryptsetup", {"sha384": digest("cryptsetup"), "version": "2.6.1"})]
    held = [REFERENCES | {"events": by_volume}]
    _kept("volume", "Encrypted by cryptsetup, as a volume", "pass", KEPT, log_of(by_volume), references=held)
    debian = json.loads(BUILDS.read_text())["gocryptfs"][0]
    by_debian = [*EVENTS[:5], event("gocryptfs", {name: debian[name] for name in ("sha384", "version")})]
    held = [REFERENCES | {"events": by_debian}]
    _kept("debian", "Encrypted by a build that is known", "pass", KEPT, log_of(by_debian), references=held,
          says="by gocryptfs 2.3 (Debian 12, 2.3-1+b4); only")  # fmt: skip
    _elsewhere()
    _earlier()
    unmeasured = [REFERENCES | {"platforms": [platform_of(quote_for(runtime_data(), owned), "unmeasured")]}]
    _kept(
        "trusted",
        "On a root that nobody measured, its administrator trusted",
        "pass",
        KEPT,
        owned,
        references=unmeasured,
        policy={"platform": {"trust_administrator": True}},
    )
    case(
        "data-nothing-held",
        "Plain data, and nothing held: it is still said",
        "incomplete",
        {"release.match": "warn", "platform.match": "warn"},
        _plain_bundle(plain),
        references=None,
    )


def _plain_bundle(lines: list[str]) -> dict[str, Any]:
    made = runtime_data(data={"state": "plain"})
    return bundle(
        "data-plain",
        quote=quote_for(made, lines),
        evidence_runtime_data=made,
        evidence_event_log="\n".join(lines) + "\n",
    )


def _elsewhere() -> None:
    """Settings by which what people write is kept off the machine, and one by which it is only sent."""
    for name, setting, status in (
        ("database", "DATABASE_URL", "warn"),
        ("files", "STORAGE_PROVIDER", "warn"),
        ("search", "ELASTICSEARCH_URL", "warn"),
        ("webhook", "WEBHOOK_URL", "pass"),
    ):
        site = SITE | {"endpoints": [{"setting": setting, "value": "set"}]}
        lines = log_of(EVENTS, site)
        made = runtime_data()
        given = bundle(
            f"data-elsewhere-{name}", quote=quote_for(made, lines), evidence_event_log="\n".join(lines) + "\n"
        )
        changed = {"data.protected": status, "release.match": "warn"}
        case(f"data-elsewhere-{name}", f"Encrypted, and {setting} leads elsewhere", "incomplete", changed, given)


def _earlier() -> None:
    """Only what is in force counts: the owner's key is for the data of this launch."""
    before = log_of(EVENTS[:5], NOT_OWNED)
    plan = [*EVENTS, event("site", SITE)]
    after = [*before, *(line for line in plan if line not in before)]
    _kept(
        "plain-before",
        "An earlier launch of this boot kept its data plain",
        "pass",
        KEPT,
        [*after, launch(after, plan)],
    )
    turned = [INIT, *plan]
    turned = [*turned, launch(turned, plan), event("site", NOT_OWNED)]
    later = [*EVENTS[:5], event("site", NOT_OWNED)]
    _kept(
        "owned-before",
        "An earlier launch had an owner, this one has none",
        "warn",
        {"state": "plain"},
        [*turned, launch(turned, later)],
    )
