"""Make the test vectors from the simulator: `python tests/vectors/generate.py [FOLDER]`, by default in this folder.

Everything is fixed (time, nonce, keys; signatures are repeatable), so a second run writes the same bytes.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

import rfc8785  # noqa: E402

from simulator import pki, profile  # noqa: E402
from simulator.collateral import collateral  # noqa: E402
from simulator.quotes import Plan, assemble, make_quote  # noqa: E402
from simulator.sgx_extension import sgx_extension  # noqa: E402
from tests.standins.tokens import jwks, make_token  # noqa: E402

NOW = datetime(2025, 7, 1, 12, 0, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
STAMP = "2025-07-01T12:00:00Z"
NONCE = "jYkzjn5VHYgJbRc0s8ZfS2r0S1pQdX1yQ0c9mYd4ZkM"
ORIGIN = "https://chat.example"
SPKI = hashlib.sha256(b"the TD's TLS key").hexdigest()
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
]
OTHERS = {
    "ollama": event("ollama", {"libraries": "", "sha384": digest("ollama"), "version": "0.5.12"}),
    "endpoint": event("endpoint", {"url": "https://api.example/v1"}),
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


def log_of(events: list[str]) -> list[str]:
    return [INIT, *events]


def runtime_data(**changes: Any) -> dict[str, Any]:
    """The full runtime data; a member changed to None is left out."""
    members = {"v": 1, "nonce": NONCE, "release": RELEASE, "origin": ORIGIN, "tls_spki_sha256": SPKI} | changes
    return {key: value for key, value in members.items() if value is not None}


def quote_for(data: Any, lines: list[str], **options: Any) -> bytes:
    """A quote bound to `data` whose RTMR 3 holds `lines` (none: zeros)."""
    report_data = hashlib.sha384(rfc8785.dumps(data)).digest()
    rtmrs = (*profile.TD.rtmrs[:3], replay(lines) if lines else bytes(48))
    return make_quote(report_data, rtmrs=rtmrs, **options)


def platform_of(quote: bytes) -> dict[str, str]:
    body = profile.TD
    return {
        "mr_td": body.mr_td.hex(),
        "rtmr_0": body.rtmrs[0].hex(),
        "rtmr_1": body.rtmrs[1].hex(),
        "rtmr_2": body.rtmrs[2].hex(),
        "xfam": body.xfam.hex(),
        "td_attributes": body.td_attributes.hex(),
        "mr_seam": body.mr_seam.hex(),
    }


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

    def collateral(self, fault: str | None = None, made: dict[str, str] | None = None) -> str:
        made = collateral(NOW, fault=fault) if made is None else made
        name = fault or "up-to-date"
        members = {
            key: self.share("collateral", f"{name}.{key}", value, ".txt") if len(value) > 200 else value
            for key, value in made.items()
        }
        return self.share("collateral", name, json.dumps(members, indent=1, sort_keys=True), ".json")

    def add(self, name: str, about: str, overall: str, changed: dict[str, str], **parts: Any) -> None:
        """A case whose checks all pass except those in `changed`."""
        base = BARE if "bare" in parts else CHECKS
        usual = dict.fromkeys(base, "pass")
        if "service.token" in usual:
            usual["service.token"] = "skipped"
        expect = {"overall": overall, "checks": usual | changed}
        case = {"v": 1, "name": name, "about": about, "now": parts.pop("now", STAMP)}
        self.cases.append(case | parts | {"expect": expect})


W = Writer()
GOOD = quote_for(runtime_data(), log_of(EVENTS))
REFERENCES = {
    "v": 1,
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
    W.add(name, about, overall, changed, bundle=given, options=options(**held))


def overall_cases() -> None:
    case("verified", "Everything holds, with the simulator's root counted as genuine", "verified", {}, bundle("good"))
    case(
        "simulated",
        "The same without that option",
        "simulated",
        {"tee.real": "fail"},
        bundle("good"),
        test_root_is_genuine=None,
    )
    case(
        "nothing-held",
        "No reference values: nothing to compare with",
        "incomplete",
        {"release.match": "warn", "platform.match": "warn"},
        bundle("good"),
        references=None,
    )
    v5 = quote_for(runtime_data(), log_of(EVENTS), version=5)
    case("verified-v5", "A version 5 quote with a TD 1.5 body", "verified", {}, bundle("good-v5", quote=v5))
    v5_td10 = quote_for(runtime_data(), log_of(EVENTS), version=5, body="td10")
    case(
        "verified-v5-td10",
        "A version 5 quote with a TD 1.0 body",
        "verified",
        {},
        bundle("good-v5-td10", quote=v5_td10),
    )
    for check_id in ("quote.signature", "quote.tcb"):
        fault = {"quote.signature": "expired", "quote.tcb": "out-of-date"}[check_id]
        changed = stopped(check_id) if check_id == "quote.signature" else {"quote.tcb": "fail"}
        overall = "not-genuine" if check_id == "quote.signature" else "not-acceptable"
        changed |= {"tee.real": "fail"}
        case(
            f"simulated-and-{fault}",
            "Simulated does not hide another failure",
            overall,
            changed,
            bundle("good", fault=fault),
            test_root_is_genuine=None,
        )


def format_cases() -> None:
    for fault in (
        "bad-version",
        "wrong-tee-type",
        "wrong-key-type",
        "wrong-qe-vendor",
        "truncated",
        "truncated-header",
        "signature-size",
        "inner-certification-type",
        "garbage-chain",
    ):
        quote = quote_for(runtime_data(), log_of(EVENTS), fault=fault)
        case(
            f"format-{fault}",
            f"Quote fault {fault}",
            "not-genuine",
            stopped("quote.format"),
            bundle(fault, quote=quote),
        )
    for fault in ("body-size", "body-type"):
        quote = quote_for(runtime_data(), log_of(EVENTS), version=5, fault=fault)
        case(
            f"format-v5-{fault}",
            f"Quote fault {fault}",
            "not-genuine",
            stopped("quote.format"),
            bundle(fault, quote=quote),
        )
    for name, value in (("upper-case", GOOD.hex().upper()), ("odd", GOOD.hex()[:-1]), ("empty", ""), ("number", 4)):
        text = W.share("quotes", f"hex-{name}", value, ".hex") if isinstance(value, str) and value else value
        given = bundle("good", evidence_quote=text)
        case(
            f"format-hex-{name}",
            "The quote is not lower-case hexadecimal",
            "not-genuine",
            stopped("quote.format"),
            given,
        )
    case("format-no-quote", "No quote", "not-genuine", stopped("quote.format"), bundle("good", evidence_quote=None))
    case(
        "format-service-chosen",
        "A chosen service is not asked, and that is no skip",
        "not-genuine",
        stopped("quote.format", chosen=True),
        bundle("good", evidence_quote=None),
        services=[service("alibaba")],
    )
    for name, given in (
        ("unknown-member", bundle("good", surprise=1)),
        ("version", bundle("good", v=2)),
        ("time", bundle("good", time="yesterday")),
        ("no-evidence", bundle("good", evidence=None)),
        ("origin", bundle("good", connected={"origin": "https://chat.example/path"})),
    ):
        case(f"bundle-{name}", "A malformed bundle", "not-genuine", stopped("quote.format"), given)


def text_cases() -> None:
    small = bundle("good", collateral=None)
    small["evidence"] = {"quote": "00"}
    text = json.dumps(small)
    texts = {
        "duplicate-key": text.replace('"v": 1', '"v": 1, "v": 1', 1),
        "huge-number": text.replace('"v": 1', '"v": 1, "n": 99999999999999999999999999999999999999999', 1),
        "infinite-number": text.replace('"v": 1', '"v": 1e999', 1),
        "nan": text.replace('"v": 1', '"v": NaN', 1),
        "deep": text[:-1] + ', "deep": ' + "[" * 5000 + "]" * 5000 + "}",
        "trailing": text + "x",
        "surrogate": text.replace("chat.example", "chat\\ud800.example"),
        "array": "[1]",
        "empty": "",
    }
    for name, value in texts.items():
        W.add(
            f"text-{name}",
            "A bundle that strict JSON refuses",
            "not-genuine",
            stopped("quote.format"),
            bundle_text=value,
            options=options(),
        )


def signature_cases() -> None:
    for fault in (
        "corrupt-header",
        "corrupt-body",
        "corrupt-signature",
        "corrupt-attestation-key",
        "corrupt-qe-report",
        "corrupt-qe-signature",
        "wrong-attestation-key",
        "qe-report-data",
        "qe-report-signer",
        "qe-auth-data-size",
        "wrong-qe-identity",
        "wrong-qe-signer",
        "qe-debug",
        "qe-below-levels",
        "wrong-seam-signer",
        "seam-attributes",
        "unknown-module",
        "module-below-levels",
        "tcb-below-levels",
        "other-fmspc",
        "expired-pck",
        "future-pck",
        "expired-ca",
        "pck-issued-by-pck",
        "issuer-name",
        "foreign-root",
        "no-sgx-extension",
        "no-intermediate",
        "leaf-only",
    ):
        quote = quote_for(runtime_data(), log_of(EVENTS), fault=fault)
        bare(f"signature-{fault}", f"Quote fault {fault}", "not-genuine", "quote.signature", quote)
    quote = quote_for(runtime_data(), log_of(EVENTS), version=5, fault="wrong-tee-tcb-svn2")
    bare(
        "signature-wrong-tee-tcb-svn2",
        "The current TCB of a TD 1.5 matches no level",
        "not-genuine",
        "quote.signature",
        quote,
    )
    for fault in (
        "expired",
        "expired-tcb-info",
        "expired-qe-identity",
        "expired-root-crl",
        "expired-pck-crl",
        "future",
        "expired-signing-certificate",
        "no-matching-level",
        "revoked-pck",
        "revoked-ca",
        "revoked-tcb-signing",
        "forged-root-crl",
        "forged-pck-crl",
        "garbage-root-crl",
        "garbage-pck-crl",
        "wrong-issuer-pck-crl",
        "other-fmspc",
        "other-pce-id",
        "sgx-tcb-info",
        "sgx-qe-identity",
        "wrong-qe-identity",
        "wrong-module-signer",
        "tampered-tcb-info",
        "tampered-qe-identity",
        "tcb-info-signed-by-pck",
        "qe-identity-signed-by-pck",
        "foreign-root",
    ):
        bare(f"collateral-{fault}", f"Collateral fault {fault}", "not-genuine", "quote.signature", GOOD, fault)
    case(
        "signature-forged",
        "A forged body in a whole bundle",
        "not-genuine",
        stopped("quote.signature"),
        bundle("corrupt-body", quote=quote_for(runtime_data(), log_of(EVENTS), fault="corrupt-body")),
    )
    case("collateral-none", "No collateral", "not-genuine", stopped("quote.signature"), bundle("good", collateral=None))
    good = collateral(NOW)
    for name, made in (
        ("unknown-member", good | {"pck_certificate_chain": "x"}),
        ("not-hex", good | {"pck_crl": "zz"}),
        ("pem-with-text", good | {"tcb_info_issuer_chain": "text\n" + good["tcb_info_issuer_chain"]}),
        (
            "pem-other-block",
            good | {"tcb_info_issuer_chain": good["tcb_info_issuer_chain"].replace("CERTIFICATE", "FOO", 2)},
        ),
    ):
        shared = W.collateral(name, made)
        case(
            f"collateral-{name}",
            "Malformed collateral",
            "not-genuine",
            stopped("quote.signature"),
            bundle("good", collateral=shared),
        )
    for name, subject, issuer in (
        ("signer-below-platform-ca", pki.TCB_SIGNING_NAME, "platform-ca"),
        ("signer-of-another-name", "Intel SGX Something", "root"),
    ):
        shared = W.collateral(name, signed_below(subject, issuer))
        about = "TCB info signed by a certificate that the PKI issued for something else"
        case(f"roles-{name}", about, "not-genuine", stopped("quote.signature"), bundle("good", collateral=shared))
    pck = pki.issue(pki.PCK_NAME, subject_key="pck", issuer=pki.ROOT_NAME, issuer_key="root", sgx=sgx_extension())
    chain = pki.pem_chain(pck, pki.certificate("root"))
    bare(
        "roles-pck-below-root",
        "A PCK certificate that the root issued itself",
        "not-genuine",
        "quote.signature",
        assemble(Plan(chain=lambda: chain)),
    )
    seen = {"tcb_evaluation_data_number": 17, "root_ca_crl_number": 2, "pck_crl_number": 2}
    case("collateral-as-new-as-seen", "The newest collateral again", "verified", {}, bundle("good"), seen=seen)
    for fault in ("old-evaluation", "old-crl"):
        case(
            f"collateral-{fault}",
            "In date, but older than what was seen",
            "not-genuine",
            stopped("quote.signature"),
            bundle("good", fault=fault),
            seen=seen,
        )
        case(
            f"collateral-{fault}-unseen",
            "The same when nothing newer was seen",
            "verified",
            {},
            bundle("good", fault=fault),
        )
    for fault in ("outer-certification-type", "trailing-bytes", "high-s", "no-root", "crlf"):
        quote = quote_for(runtime_data(), log_of(EVENTS), fault=fault)
        case(f"harmless-{fault}", "Changes nothing that is claimed", "verified", {}, bundle(fault, quote=quote))


def signed_below(subject: str, issuer: str) -> dict[str, str]:
    """Good collateral whose TCB info is vouched for by a certificate of that subject and issuer."""
    names = {"platform-ca": (pki.PLATFORM_CA_NAME, ("platform-ca", "root")), "root": (pki.ROOT_NAME, ("root",))}
    issuer_name, above = names[issuer]
    leaf = pki.issue(subject, subject_key="tcb-signing", issuer=issuer_name, issuer_key=issuer)
    chain = pki.pem_chain(leaf, *(pki.certificate(name) for name in above))
    return collateral(NOW) | {"tcb_info_issuer_chain": chain}


def bare(name: str, about: str, overall: str, failed: str, quote: bytes, fault: str | None = None) -> None:
    changed = dict.fromkeys(BARE[BARE.index(failed) :], "fail")
    given = {"quote": W.quote(name, quote), "collateral": W.collateral(fault)}
    W.add(name, about, overall, changed, bare=given, options={"test_root_is_genuine": True})


def tcb_cases() -> None:
    given = {"quote": W.quote("good", GOOD), "collateral": W.collateral()}
    W.add("bare-simulated", "A bare quote", "simulated", {"tee.real": "fail"}, bare=given, options={})
    W.add("bare-verified", "A bare quote", "verified", {}, bare=given, options={"test_root_is_genuine": True})
    for fault in (
        "tcb-SWHardeningNeeded",
        "tcb-ConfigurationNeeded",
        "tcb-ConfigurationAndSWHardeningNeeded",
        "tcb-OutOfDate",
        "tcb-OutOfDateConfigurationNeeded",
        "tcb-Revoked",
        "qe-out-of-date",
        "qe-revoked",
        "module-out-of-date",
    ):
        case(
            f"tcb-{fault.removeprefix('tcb-')}",
            f"Collateral fault {fault}",
            "not-acceptable",
            {"quote.tcb": "fail"},
            bundle("good", fault=fault),
        )
    accepted = {"v": 1, "tcb": {"accepted_statuses": ["SWHardeningNeeded", "OutOfDate"]}}
    for status in ("SWHardeningNeeded", "OutOfDate"):
        case(
            f"tcb-accepted-{status}",
            "Accepted by policy: at best a warning",
            "incomplete",
            {"quote.tcb": "warn"},
            bundle("good", fault=f"tcb-{status}"),
            policy=accepted,
        )
    case(
        "tcb-accepted-other",
        "A policy that accepts another status",
        "not-acceptable",
        {"quote.tcb": "fail"},
        bundle("good", fault="tcb-ConfigurationNeeded"),
        policy=accepted,
    )
    refused = {"v": 1, "tcb": {"accepted_statuses": ["OutOfDate"], "refused_advisories": ["INTEL-SA-00960"]}}
    case(
        "tcb-refused-advisory",
        "An accepted status with a refused advisory",
        "not-acceptable",
        {"quote.tcb": "fail"},
        bundle("good", fault="tcb-OutOfDate"),
        policy=refused,
    )
    case(
        "tcb-minimum",
        "Below the policy's TCB evaluation data number",
        "not-acceptable",
        {"quote.tcb": "fail"},
        bundle("good"),
        policy={"v": 1, "tcb": {"min_tcb_evaluation_data_number": 18}},
    )
    relaunch = quote_for(runtime_data(), log_of(EVENTS), version=5, fault="relaunch-advised")
    case(
        "tcb-relaunch-advised",
        "A TD launched on an out-of-date module",
        "not-acceptable",
        {"quote.tcb": "fail"},
        bundle("relaunch-advised", quote=relaunch),
    )


def debug_cases() -> None:
    for fault in ("debug", "profiled", "reserved-attribute", "migratable", "sept-ve"):
        quote = quote_for(runtime_data(), log_of(EVENTS), fault=fault)
        changed = {"quote.tcb": "fail", "quote.debug": "fail", "platform.match": "fail"}
        case(
            f"debug-{fault}",
            f"Quote fault {fault}; its attributes are not the references' either",
            "not-acceptable",
            changed,
            bundle(fault, quote=quote),
        )
    quote = quote_for(runtime_data(), log_of(EVENTS), version=5, fault="service-td")
    case(
        "debug-service-td",
        "A TD 1.5 bound to a service TD",
        "not-acceptable",
        {"quote.tcb": "fail", "quote.debug": "fail"},
        bundle("service-td", quote=quote),
    )


def nonce_cases() -> None:
    failed = {"binding.nonce": "fail", "binding.channel": "fail"}

    def bound(name: str, about: str, data: Any, **changes: Any) -> None:
        quote = quote_for(data, log_of(EVENTS))
        case(
            f"nonce-{name}",
            about,
            "not-genuine",
            failed,
            bundle(f"nonce-{name}", quote=quote, evidence_runtime_data=data, **changes),
        )

    other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    bound("other", "A replay: the evidence carries another nonce", runtime_data(nonce=other))
    bound("none", "The evidence carries no nonce", runtime_data(nonce=None))
    bound("padded", "A nonce with padding is not the nonce", runtime_data(nonce=NONCE + "="))
    bound("version", "Runtime data of an unknown version", runtime_data(v=2))
    bound("unknown-member", "Runtime data with an unknown member", runtime_data(extra="x"))
    bound("release-shape", "A release that is no digest", runtime_data(release="abc"))
    bound("not-an-object", "Runtime data that is no object", [1])
    case(
        "nonce-unbound",
        "Runtime data that the quote is not bound to",
        "not-genuine",
        failed,
        bundle("good", evidence_runtime_data=runtime_data(origin="https://evil.example")),
    )
    case(
        "nonce-missing-runtime-data",
        "No runtime data",
        "not-genuine",
        failed,
        bundle("good", evidence_runtime_data=None),
    )
    case("nonce-not-recorded", "The bundle records no nonce", "not-genuine", failed, bundle("good", nonce=None))
    short = "AAAAAAAAAAAAAAAAAAAAAA"
    bound("short", "A nonce of 16 bytes", runtime_data(nonce=short), nonce=short)
    loose = NONCE[:-1] + "N"
    bound("not-canonical", "A nonce with stray bits in its last character", runtime_data(nonce=loose), nonce=loose)
    padded_report = make_quote(
        hashlib.sha384(rfc8785.dumps(runtime_data())).digest() + b"\x01" * 16,
        rtmrs=(*profile.TD.rtmrs[:3], replay(log_of(EVENTS))),
    )
    case(
        "nonce-report-data-tail",
        "Report data whose last 16 bytes are not zero",
        "not-genuine",
        failed,
        bundle("report-data-tail", quote=padded_report),
    )
    for name, now in (("old", "2025-07-01T12:10:01Z"), ("future", "2025-07-01T11:58:59Z")):
        W.add(
            f"nonce-{name}",
            "Evidence too old, or from the future",
            "not-genuine",
            failed,
            now=now,
            bundle=bundle("good"),
            options=options(),
        )
    W.add(
        "nonce-just-in-time",
        "Ten minutes old",
        "verified",
        {},
        now="2025-07-01T12:10:00Z",
        bundle=bundle("good"),
        options=options(),
    )


def channel_cases() -> None:
    def channel(name: str, about: str, status: str, connected: Any, **data: Any) -> None:
        overall = {"pass": "verified", "warn": "incomplete", "fail": "not-genuine"}[status]
        made = runtime_data(**data)
        given = bundle(
            f"channel-{name}", quote=quote_for(made, log_of(EVENTS)), evidence_runtime_data=made, connected=connected
        )
        case(f"channel-{name}", about, overall, {"binding.channel": status}, given)

    here = {"origin": ORIGIN, "tls_spki_sha256": SPKI}
    other = hashlib.sha256(b"another TLS key").hexdigest()
    channel("key-not-visible", "A client that cannot see the TLS key", "pass", {"origin": ORIGIN})
    channel("other-key", "Somebody else ends TLS", "fail", {"origin": ORIGIN, "tls_spki_sha256": other})
    channel(
        "other-origin",
        "Evidence for another origin",
        "fail",
        {"origin": "https://evil.example", "tls_spki_sha256": SPKI},
    )
    channel("other-port", "A port is part of the origin", "fail", {"origin": "https://chat.example:8443"})
    channel("no-origin-bound", "The operator configured no origin", "warn", here, origin=None)
    channel("no-key-bound", "TLS does not end inside the TD", "warn", here, tls_spki_sha256=None)
    channel(
        "plain-http",
        "Plain http beyond this machine",
        "warn",
        {"origin": "http://chat.example"},
        origin="http://chat.example",
        tls_spki_sha256=None,
    )
    channel("not-recorded", "The bundle does not say where its client connected", "warn", None)
    for number, local in enumerate(
        (
            "http://localhost:8080",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "http://127.9.9.9",
            "http://chat.localhost:8080",
        )
    ):
        channel(f"loopback-{number}", "This machine", "pass", {"origin": local}, origin=None, tls_spki_sha256=None)
    local = "http://127.0.0.1:8080"
    channel(
        "loopback-bound", "This machine, bound as such", "pass", {"origin": local}, origin=local, tls_spki_sha256=None
    )
    channel(
        "loopback-other-origin", "This machine, evidence for elsewhere", "warn", {"origin": local}, tls_spki_sha256=None
    )
    for number, sham in enumerate(("http://localhost.evil.example", "http://127.0.0.1.evil.example")):
        channel(
            f"sham-loopback-{number}", "Not this machine", "warn", {"origin": sham}, origin=None, tls_spki_sha256=None
        )


def log_cases() -> None:
    failed = {"eventlog.replay": "fail", "release.match": "fail"}

    def text(name: str, about: str, value: Any) -> None:
        case(f"log-{name}", about, "not-genuine", failed, bundle("good", evidence_event_log=value))

    lines = log_of(EVENTS)
    text("reordered", "Two events swapped", "\n".join([*lines[:3], lines[4], lines[3], *lines[5:]]) + "\n")
    text("dropped", "One event dropped", "\n".join(lines[:-1]) + "\n")
    text("duplicated", "One event twice", "\n".join([*lines, lines[-1]]) + "\n")
    text("changed", "One event changed", "\n".join(lines).replace("3.11.7", "3.11.8") + "\n")
    text("crlf", "Other line ends", "\r\n".join(lines) + "\r\n")
    text("blank-line", "An empty line at the end", "\n".join(lines) + "\n\n")
    text("no-init", "No INIT line", "\n".join(lines[1:]) + "\n")
    text("number", "Not a text", 7)
    case("log-missing", "A log withheld", "not-genuine", failed, bundle("good", evidence_event_log=None))
    case(
        "log-empty",
        "An empty log, but the register is not zero",
        "not-genuine",
        failed,
        bundle("good", evidence_event_log=""),
    )
    case(
        "log-without-last-break",
        "The last line break may lack",
        "verified",
        {},
        bundle("good", evidence_event_log="\n".join(lines)),
    )

    def extended(
        name: str, about: str, changed: list[str], overall: str, statuses: dict[str, str], **held: Any
    ) -> None:
        quote = quote_for(runtime_data(), changed)
        given = bundle(f"log-{name}", quote=quote, evidence_event_log="\n".join(changed) + "\n")
        case(f"log-{name}", about, overall, statuses, given, **held)

    extended(
        "init-not-zero",
        "An INIT line that claims an earlier register",
        ["INIT sha384/" + "1" * 96, *EVENTS],
        "not-genuine",
        failed,
    )
    for name, line in (
        ("unknown-operation", "open-webui-tdx surprise {}"),
        ("unknown-domain", "elsewhere release {}"),
        ("not-json", "open-webui-tdx model x"),
        ("not-canonical", 'open-webui-tdx model {"name": "x"}'),
        ("two-parts", "open-webui-tdx model"),
        ("duplicate-key", 'open-webui-tdx model {"a":1,"a":1}'),
    ):
        held = {"references": [REFERENCES | {"events": [*EVENTS, line]}]}
        extended(
            name,
            "An extended event that is unknown or malformed, though held",
            [*lines, line],
            "not-genuine",
            failed,
            **held,
        )
    unmeasured = quote_for(runtime_data(), [])
    for name, value in (("missing", None), ("empty", "")):
        case(
            f"unmeasured-{name}",
            "RTMR 3 is zero and there is no log; references are held",
            "not-acceptable",
            {"eventlog.replay": "warn", "release.match": "fail"},
            bundle("unmeasured", quote=unmeasured, evidence_event_log=value),
        )
    case(
        "unmeasured-nothing-held",
        "The same with nothing held",
        "incomplete",
        {"eventlog.replay": "warn", "release.match": "warn", "platform.match": "warn"},
        bundle("unmeasured", quote=unmeasured, evidence_event_log=None),
        references=None,
    )
    case(
        "unmeasured-log-without-register",
        "A log that was never extended",
        "not-genuine",
        failed,
        bundle("unmeasured", quote=unmeasured),
    )


def release_cases() -> None:
    def measured(name: str, about: str, events: list[str], status: str, held_events: list[str], **data: Any) -> None:
        overall = {"pass": "verified", "warn": "incomplete", "fail": "not-acceptable"}[status]
        made = runtime_data(**data)
        given = bundle(
            f"release-{name}",
            quote=quote_for(made, log_of(events)),
            evidence_runtime_data=made,
            evidence_event_log="\n".join(log_of(events)) + "\n",
        )
        case(
            f"release-{name}",
            about,
            overall,
            {"release.match": status},
            given,
            references=[REFERENCES | {"events": held_events}],
        )

    changed = {
        "release": EVENTS[0].replace(RELEASE, digest("another release")),
        "python": EVENTS[1].replace("3.11.7", "3.11.8"),
        "settings": EVENTS[2].replace('"true"', '"false"'),
        "llm": EVENTS[3].replace(digest("engine"), digest("another engine")),
        "model": EVENTS[4].replace(digest("model"), digest("another model")),
    }
    for position, (name, line) in enumerate(changed.items()):
        events = [*EVENTS[:position], line, *EVENTS[position + 1 :]]
        release = digest("another release") if name == "release" else RELEASE
        measured(
            f"other-{name}", f"The measured {name} is not the references'", events, "fail", EVENTS, release=release
        )
    measured("later-event", "One more event, unknown to the references", [*EVENTS, OTHERS["ollama"]], "fail", EVENTS)
    measured("restarted", "The same events twice: the service was restarted", [*EVENTS, *EVENTS], "pass", EVENTS)
    measured(
        "ollama",
        "Ollama instead of the embedded model",
        [*EVENTS[:3], OTHERS["ollama"], EVENTS[4]],
        "pass",
        [*EVENTS, OTHERS["ollama"]],
    )
    for name in ("endpoint", "tool", "function", "account", "modified"):
        measured(
            f"unknown-{name}", "An operation at best a warning, and not held", [*EVENTS, OTHERS[name]], "fail", EVENTS
        )
        measured(name, "Known, but at best a warning", [*EVENTS, OTHERS[name]], "warn", [*EVENTS, OTHERS[name]])
    for position, name in enumerate(("release", "python", "settings")):
        rest = [line for index, line in enumerate(EVENTS) if index != position]
        measured(f"without-{name}", f"The launch did not measure its {name}", rest, "fail", EVENTS, release=None)
    measured("no-bound-release", "Runtime data without release", EVENTS, "pass", EVENTS, release=None)
    measured(
        "other-bound-release",
        "The attester's release is not the measured one",
        EVENTS,
        "fail",
        EVENTS,
        release=digest("another release"),
    )
    case(
        "release-none-held",
        "References without events",
        "incomplete",
        {"release.match": "warn"},
        bundle("good"),
        references=[REFERENCES | {"events": []}],
    )
    case(
        "release-two-documents",
        "Events from one document, platforms from another",
        "verified",
        {},
        bundle("good"),
        references=[REFERENCES | {"platforms": []}, REFERENCES | {"events": []}],
    )


def platform_cases() -> None:
    case(
        "platform-none-held",
        "References without platforms",
        "incomplete",
        {"platform.match": "warn"},
        bundle("good"),
        references=[REFERENCES | {"platforms": []}],
    )
    good = platform_of(GOOD)
    for field, value in good.items():
        other = good | {field: hashlib.sha384(field.encode()).hexdigest()[: len(value)]}
        case(
            f"platform-other-{field}",
            f"{field} is not the reference's",
            "not-acceptable",
            {"platform.match": "fail"},
            bundle("good"),
            references=[REFERENCES | {"platforms": [other]}],
        )
    second = good | {"mr_td": digest("another mr_td")}
    case(
        "platform-second-entry",
        "One of two platforms matches",
        "verified",
        {},
        bundle("good"),
        references=[REFERENCES | {"platforms": [second, good]}],
    )
    mixed = [second, good | {"rtmr_0": digest("another rtmr_0")}]
    case(
        "platform-no-mixing",
        "Fields of two entries do not add up to one",
        "not-acceptable",
        {"platform.match": "fail"},
        bundle("good"),
        references=[REFERENCES | {"platforms": mixed}],
    )
    case(
        "platform-policy",
        "The policy's list is not met",
        "not-acceptable",
        {"platform.match": "fail"},
        bundle("good"),
        policy={"v": 1, "platform": {"mr_td": [digest("another mr_td")]}},
    )


def service(name: str, **changes: Any) -> dict[str, Any]:
    return {"service": name, "url": SERVICE_URL[name], "keys": jwks(name)} | changes


def service_cases() -> None:
    def token(name: str, shape: str = "new", fault: str | None = None) -> dict[str, str]:
        made = make_token(name, GOOD, origin=SERVICE_URL[name], now=SECONDS, shape=shape, fault=fault)
        text = W.share(
            "tokens",
            f"{name}-{shape}-{fault or 'good'}" if name == "trustee" else f"{name}-{fault or 'good'}",
            made,
            ".jwt",
        )
        return {"service": name, "url": SERVICE_URL[name], "token": text}

    def served(name: str, about: str, status: str, tokens: Any, services: list[dict[str, Any]], **held: Any) -> None:
        overall = {"pass": "verified", "warn": "incomplete", "fail": "not-acceptable"}[status]
        case(
            f"service-{name}",
            about,
            overall,
            {"service.token": status},
            bundle("good", service_tokens=tokens),
            services=services,
            **held,
        )

    faults = (
        "wrong-signature",
        "other-key",
        "alg-none",
        "hs256",
        "expired",
        "not-yet-valid",
        "no-expiry",
        "other-nonce",
        "other-measurements",
        "no-claims",
        "duplicate-key",
    )
    for name, shapes in (("alibaba", ("new",)), ("trustee", ("new", "old"))):
        for shape in shapes:
            served(
                f"{name}-{shape}" if name == "trustee" else name,
                "A token that holds",
                "pass",
                [token(name, shape)],
                [service(name)],
            )
        own = (
            ("wrong-kid", "other-audience", "other-issuer", "debug")
            if name == "alibaba"
            else ("contraindicated", "two-cpus")
        )
        for fault in (*faults, *own):
            served(f"{name}-{fault}", f"Token fault {fault}", "fail", [token(name, fault=fault)], [service(name)])
    served(
        "trustee-warning",
        "An appraisal with a warning",
        "warn",
        [token("trustee", fault="warning")],
        [service("trustee")],
    )
    served(
        "both",
        "Two services chosen",
        "pass",
        [token("alibaba"), token("trustee")],
        [service("alibaba"), service("trustee")],
    )
    served("one-missing", "Two chosen, one token", "fail", [token("alibaba")], [service("alibaba"), service("trustee")])
    served("missing", "No token", "fail", None, [service("alibaba")])
    served("twice", "Two tokens of one service", "fail", [token("alibaba")] * 2, [service("alibaba")])
    served(
        "other-url",
        "A token of another instance",
        "fail",
        [token("alibaba")],
        [service("alibaba", url="https://other.example")],
    )
    served(
        "other-keys",
        "The keys of another service",
        "fail",
        [token("alibaba")],
        [service("alibaba", keys=jwks("trustee"))],
    )
    garbage = [{"service": "alibaba", "url": SERVICE_URL["alibaba"], "token": "a.b"}]
    served("garbage", "No token at all", "fail", garbage, [service("alibaba")])
    case("service-not-chosen", "A token that nobody asked for", "verified", {}, bundle("good", service_tokens=garbage))
    case(
        "service-required",
        "The policy requires a service that was not chosen",
        "not-acceptable",
        {"service.token": "fail"},
        bundle("good"),
        policy={"v": 1, "services": {"required": ["alibaba"]}},
    )


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


GROUPS: tuple[Callable[[], None], ...] = (
    overall_cases,
    format_cases,
    text_cases,
    signature_cases,
    tcb_cases,
    debug_cases,
    nonce_cases,
    channel_cases,
    log_cases,
    release_cases,
    platform_cases,
    service_cases,
)

if __name__ == "__main__":
    for group in GROUPS:
        group()
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
    print(f"{len(W.cases)} cases")
