"""What the cases share: the fixed world they speak of, good bundles to change, and the writer of files."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rfc8785

from simulator import profile
from simulator.collateral import collateral
from simulator.quotes import make_quote
from tests.standins.tokens import jwks
from tests.vectors import nonces

NOW = datetime(2025, 7, 1, 12, 0, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
STAMP = "2025-07-01T12:00:00Z"
NONCE = "jYkzjn5VHYgJbRc0s8ZfS2r0S1pQdX1yQ0c9mYd4ZkM"
ORIGIN = "https://chat.example"
SPKI = hashlib.sha256(b"the TD's TLS key").hexdigest()
TLS = {"spki_sha256": SPKI, "key": "drawn"}
OWNER = nonces.b64(hashlib.sha256(b"the owner's Ed25519 key").digest())
KEPT = {"state": "encrypted", "owner": OWNER, "generation": 1}
ALONE, PROOF = nonces.alone(NONCE)
RELEASE = hashlib.sha384(b"release.json").hexdigest()
SERVICE_URL = {"alibaba": "https://attest.example", "trustee": "https://trustee.example"}
INIT = "INIT sha384/" + "0" * 96
CHECKS = [
    "quote.format",
    "quote.signature",
    "quote.tcb",
    "quote.debug",
    "tee.real",
    "binding.nonce",
    "binding.channel",
    "eventlog.replay",
    "release.match",
    "platform.match",
    "service.token",
    "data.protected",
]
BARE = CHECKS[:5]


def digest(label: str) -> str:
    return hashlib.sha384(label.encode()).hexdigest()


def event(operation: str, content: Any) -> str:
    return f"open-webui-tdx {operation} {rfc8785.dumps(content).decode()}"


EVENTS = [
    event("release", {"sha384": RELEASE}),
    event("python", {"environment": digest("environment"), "sha384": digest("python"), "version": "3.11.7"}),
    event("settings", {"ENABLE_SIGNUP": "true", "PROFILE": "slim", "WEBUI_SECRET_KEY": "set"}),
    event("llm", {"engine": "xllamacpp", "sha384": digest("engine")}),
    event("model", {"digest": f"sha384:{digest('model')}", "name": "smollm2:135m"}),
    event("gocryptfs", {"sha384": digest("gocryptfs"), "version": "2.3"}),
]
SITE = {"origin": ORIGIN, "endpoints": [], "admin_access": False, "data_owner": OWNER}
OTHERS = {
    "ollama": event("ollama", {"libraries": "", "sha384": digest("ollama"), "version": "0.5.12"}),
    "tool": event("tool", {"id": "calculator", "sha384": digest("tool")}),
    "function": event("function", {"id": "filter", "sha384": digest("function")}),
    "account": event("account", {"web_server": "root"}),
    "modified": event(
        "modified", {"count": 1, "files": [{"path": "backend/start.sh", "what": "changed"}], "sha384": digest("files")}
    ),
}


def replay(lines: list[str]) -> bytes:
    register = bytes(48)
    for line in lines:
        register = hashlib.sha384(register + hashlib.sha384(line.encode()).digest()).digest()
    return register


def launch(lines: list[str], plan: list[str]) -> str:
    """The event that puts the lines of `plan`, which stand in `lines`, in force."""
    text = "".join(f"{line}\n" for line in plan)
    content = {"lines": [lines.index(line) + 1 for line in plan], "plan": hashlib.sha384(text.encode()).hexdigest()}
    return event("launch", content)


def log_of(events: list[str], site: dict[str, Any] | None = SITE) -> list[str]:
    """The log of one launch: INIT, the events, what the site chose (None: nothing is said), the launch."""
    plan = [*events, event("site", site)] if site is not None else list(events)
    lines = [INIT, *plan]
    return [*lines, launch(lines, plan)]


def runtime_data(**changes: Any) -> dict[str, Any]:
    """The full runtime data, for NONCE alone; a member changed to None is left out."""
    members = {"v": 2, "nonces": ALONE, "release": RELEASE, "origin": ORIGIN, "tls": TLS, "data": KEPT} | changes
    return {key: value for key, value in members.items() if value is not None}


def quote_for(data: Any, lines: list[str], **options: Any) -> bytes:
    """A quote bound to `data` whose RTMR 3 holds `lines` (none: zeros)."""
    report_data = hashlib.sha384(rfc8785.dumps(data)).digest()
    rtmrs = (*profile.TD.rtmrs[:3], replay(lines) if lines else bytes(48))
    return make_quote(report_data, rtmrs=rtmrs, **options)


def platform_of(quote: bytes, root: str = "verity") -> dict[str, str]:
    body = profile.TD
    return {
        "root": root,
        "mr_td": body.mr_td.hex(),
        "rtmr_0": body.rtmrs[0].hex(),
        "rtmr_1": body.rtmrs[1].hex(),
        "rtmr_2": body.rtmrs[2].hex(),
        "xfam": body.xfam.hex(),
        "td_attributes": body.td_attributes.hex(),
        "mr_seam": body.mr_seam.hex(),
    }


def stray_bits(pem: str) -> str:
    """PEM in which one certificate's base64 ends in bits that mean nothing: a second spelling of the same bytes."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = pem.index("=") - 1
    return pem[:last] + digits[digits.index(pem[last]) ^ 1] + pem[last + 1 :]


class Writer:
    """Collects cases; long values are shared through files that cases name with `@`."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.cases: list[dict[str, Any]] = []

    def share(self, folder: str, name: str, text: str, suffix: str) -> str:
        key = hashlib.sha256(f"{suffix}\0{text}".encode()).hexdigest()
        if key not in self.names:
            self.names[key] = f"{folder}/{name}{suffix}"
            self.files[self.names[key]] = text
        return "@" + self.names[key]

    def quote(self, name: str, quote: bytes) -> str:
        """Two files: what is of this quote, and the certification data, which most quotes have in common."""
        body = {4: 584, 5: 6 + int.from_bytes(quote[50:54], "little")}.get(quote[0], 584)
        end = min(48 + body + 4 + 64, len(quote))
        head = self.share("quotes", name, quote[:end].hex(), ".hex")
        return head + self.share("quotes", f"{name}-tail", quote[end:].hex(), ".hex") if end < len(quote) else head

    def collateral(self, fault: str | None = None, made: dict[str, Any] | None = None) -> str:
        made = collateral(NOW, fault=fault) if made is None else made
        name = fault or "up-to-date"
        members = {
            key: self.share("collateral", f"{name}.{key}", value, ".txt") if len(value or "") > 200 else value
            for key, value in made.items()
        }
        return self.share("collateral", name, json.dumps(members, indent=1, sort_keys=True), ".json")

    def add(self, name: str, about: str, overall: str, changed: dict[str, str], **parts: Any) -> None:
        """A case whose checks all pass except those in `changed`."""
        base = BARE if "bare" in parts else CHECKS
        usual = dict.fromkeys(base, "pass")
        if "service.token" in usual:
            usual["service.token"] = "skipped"
        expect: dict[str, Any] = {"overall": overall, "checks": usual | changed}
        if says := parts.pop("says", None):
            expect["says"] = says
        case = {"v": 1, "name": name, "about": about, "now": parts.pop("now", STAMP)}
        self.cases.append(case | parts | {"expect": expect})


OVERALL = {"pass": "verified", "warn": "incomplete", "fail": "not-acceptable"}
"""The overall verdict when one check of the references has that status, and nothing else is amiss."""

W = Writer()
GOOD = quote_for(runtime_data(), log_of(EVENTS))
REFERENCES = {
    "v": 2,
    "name": "test",
    "events": EVENTS,
    "rtmr_3": replay(log_of(EVENTS)).hex(),
    "platforms": [platform_of(GOOD)],
}


def bundle(name: str, *, quote: bytes | None = None, fault: str | None = None, **changes: Any) -> dict[str, Any]:
    """A good bundle with some members changed; `evidence_x` changes the member x of the evidence, None drops it."""
    evidence: dict[str, Any] = {
        "quote": W.quote(name if quote is not None else "good", GOOD if quote is None else quote),
        "tee": "tdx-simulated",
        "runtime_data": runtime_data(),
        "proof": PROOF,
        "event_log": W.share("logs", "good", "\n".join(log_of(EVENTS)) + "\n", ".txt"),
        "timestamp": "2025-07-01T12:00:00+00:00",
        "id": "6e2f2a53-5d3c-4a5e-9d0c-1d5b6a5a0a11",
        "status": True,
    }
    members: dict[str, Any] = {
        "v": 1,
        "time": STAMP,
        "nonce": NONCE,
        "connected": {"origin": ORIGIN, "tls_spki_sha256": SPKI},
        "evidence": evidence,
        "collateral": W.collateral(fault),
    }
    for key, value in changes.items():
        target = evidence if key.startswith("evidence_") else members
        target[key.removeprefix("evidence_")] = value
    for target in (evidence, members):
        for key in [key for key, value in target.items() if value is None]:
            del target[key]
    return members


def options(**changes: Any) -> dict[str, Any]:
    members = {"test_root_is_genuine": True, "references": [REFERENCES]} | changes
    return {key: value for key, value in members.items() if value is not None}


def stopped(check: str, chosen: bool = False) -> dict[str, str]:
    """Statuses when `check` fails and nothing after it can be asked."""
    after = CHECKS[CHECKS.index(check) :]
    return {name: "fail" for name in after if name != "service.token" or chosen}


def case(name: str, about: str, overall: str, changed: dict[str, str], given: dict[str, Any], **held: Any) -> None:
    """That the good bundles' TLS key is drawn in the TD, and their data encrypted, counts only where `platform.match`
    passes."""
    if changed.get("platform.match", "pass") != "pass":
        changed = {"binding.channel": "warn", "data.protected": "warn"} | changed
    says = held.pop("says", None)
    W.add(name, about, overall, changed, bundle=given, options=options(**held), says=says)


def bare(name: str, about: str, overall: str, failed: str, quote: bytes, fault: str | None = None) -> None:
    changed = dict.fromkeys(BARE[BARE.index(failed) :], "fail")
    given = {"quote": W.quote(name, quote), "collateral": W.collateral(fault)}
    W.add(name, about, overall, changed, bare=given, options={"test_root_is_genuine": True})


def service(name: str, **changes: Any) -> dict[str, Any]:
    return {"service": name, "url": SERVICE_URL[name], "keys": jwks(name)} | changes


def write(folder: Path) -> None:
    for name in ("cases", "quotes", "collateral", "tokens", "logs", "references"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    names = [case["name"] for case in W.cases]
    if len(set(names)) != len(names):
        raise SystemExit(f"two cases have one name: {sorted(name for name in names if names.count(name) > 1)}")
    for made in W.cases:
        made = copy.deepcopy(made)
        for index, held in enumerate(made.get("options", {}).get("references", [])):
            label = "good" if held == REFERENCES else f"{made['name']}-{index}"
            made["options"]["references"][index] = W.share("references", label, json.dumps(held, indent=1), ".json")
        (folder / "cases" / f"{made['name']}.json").write_text(json.dumps(made, indent=1, ensure_ascii=True) + "\n")
    for name, text in W.files.items():
        (folder / name).write_text(text + "\n")
