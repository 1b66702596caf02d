"""Cases about the bundle, its quote, the TCB and the TD attributes."""

import json
from typing import Any

from simulator.plans.quote import Plan, assemble, default_chain
from tests.vectors.ground import (
    EVENTS,
    GOOD,
    REFERENCES,
    W,
    bundle,
    case,
    log_of,
    options,
    platform_of,
    quote_for,
    runtime_data,
    service,
    stopped,
    stray_bits,
)


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
    quote = assemble(Plan(chain=lambda: stray_bits(default_chain())))
    case(
        "format-pem-stray-bits",
        "A certificate of the quote's chain in base64 that is not canonical",
        "not-genuine",
        stopped("quote.format"),
        bundle("pem-stray-bits", quote=quote),
    )
    _hexadecimal()
    _bundles()


def _hexadecimal() -> None:
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


def _bundles() -> None:
    for name, given in (
        ("unknown-member", bundle("good", surprise=1)),
        ("version", bundle("good", v=2)),
        ("time", bundle("good", time="yesterday")),
        ("time-fraction", bundle("good", time="2025-07-01T12:00:00.1234567890Z")),
        ("time-digits", bundle("good", time="\u0662025-07-01T12:00:00Z")),
        ("time-offset", bundle("good", time="2025-07-01T14:00:00+02:00")),
        ("time-second-60", bundle("good", time="2025-07-01T11:59:60Z")),
        ("time-hour-24", bundle("good", time="2025-06-30T24:00:00Z")),
        ("time-february-30", bundle("good", time="2025-02-30T12:00:00Z")),
        ("time-year-0", bundle("good", time="0000-07-01T12:00:00Z")),
        ("time-before-1970", bundle("good", time="1969-12-31T23:59:59Z")),
        ("time-space", bundle("good", time="2025-07-01 12:00:00Z")),
        ("time-line-break", bundle("good", time="2025-07-01T12:00:00Z\n")),
        ("time-number", bundle("good", time=1751371200)),
        ("nonce-number", bundle("good", nonce=1)),
        ("tokens-object", bundle("good", service_tokens={})),
        ("tokens-many", bundle("good", service_tokens=[{"service": "", "url": "", "token": ""}] * 17)),
        ("token-without-url", bundle("good", service_tokens=[{"service": "a", "token": "b"}])),
        ("connected-text", bundle("good", connected="https://chat.example")),
        ("connected-member", bundle("good", connected={"origin": "https://chat.example", "x": 1})),
        ("connected-key-short", bundle("good", connected={"origin": "https://chat.example", "tls_spki_sha256": "ab"})),
        ("connected-key-empty", bundle("good", connected={"origin": "https://chat.example", "tls_spki_sha256": ""})),
        ("connected-not-sealed", bundle("good", connected={"origin": "https://chat.example", "sealed": False})),
        ("connected-sealed-null", bundle("good", connected={"origin": "https://chat.example", "sealed": None})),
        ("no-evidence", bundle("good", evidence=None)),
        ("origin", bundle("good", connected={"origin": "https://chat.example/path"})),
    ):
        case(f"bundle-{name}", "A malformed bundle", "not-genuine", stopped("quote.format"), given)
    for name, time in (("fraction", "2025-07-01T12:00:00.123456789Z"), ("offset-zero", "2025-07-01T12:00:00+00:00")):
        case(f"bundle-time-{name}-taken", "A time in UTC", "verified", {}, bundle("good", time=time))
    nulls = bundle("good", service_tokens=None) | {"service_tokens": None}
    case("bundle-null-tokens", "No tokens", "verified", {}, nulls)


def text_cases() -> None:
    text = json.dumps(bundle("good"))
    for name, value in _refused_texts(text).items():
        about = "A bundle that strict JSON refuses"
        W.add(f"text-{name}", about, "not-genuine", stopped("quote.format"), bundle_text=value, options=options())
    for name, value in _taken_texts(text).items():
        W.add(f"text-{name}", "A bundle that strict JSON takes", "verified", {}, bundle_text=value, options=options())


def _with_member(text: str, spelling: str) -> str:
    """The good bundle with one more member in its evidence, which takes any."""
    return text.replace('"evidence": {', f'"evidence": {{"n": {spelling}, ', 1)


def _nested(text: str, levels: int) -> str:
    """As many levels in all: the bundle and its evidence are two."""
    return _with_member(text, "[" * (levels - 2) + "]" * (levels - 2))


def _refused_texts(text: str) -> dict[str, str]:
    start = '{"v": 1'
    assert text.startswith(start)
    return {
        "duplicate-key": text.replace(start, f'{start}, "v": 1', 1),
        "escaped-duplicate": text.replace(start, f'{start}, "\\u0076": 1', 1),
        "inner-duplicate": _with_member(text, '{"a": 1, "b": 2, "a": 1}'),
        "huge-number": _with_member(text, "99999999999999999999999999999999999999999"),
        "unsafe-number": _with_member(text, "9007199254740992"),
        "infinite-number": _with_member(text, "1e999"),
        "long-number": _with_member(text, "0." + "1" * 31),
        "version-float": text.replace(start, '{"v": 1.0', 1),
        "version-exponent": text.replace(start, '{"v": 1e0', 1),
        "version-true": text.replace(start, '{"v": true', 1),
        "minus-zero": _with_member(text, "-0"),
        "whole-float": _with_member(text, "0.1e1"),
        "underflow": _with_member(text, "1e-400"),
        "leading-zero": _with_member(text, "01"),
        "nan": _with_member(text, "NaN"),
        "deep": _nested(text, 33),
        "very-deep": _nested(text, 5000),
        "trailing": text + "x",
        "byte-order-mark": "\ufeff" + text,
        "surrogate": text.replace("chat.example", "chat\\ud800.example"),
        "surrogate-member": _with_member(text, '"\\udc00\\ud800"'),
        "surrogate-key": _with_member(text, '{"\\ud800": 1}'),
        "control-character": _with_member(text, '"\x01"'),
        "short-escape": _with_member(text, '"\\u12"'),
        "unknown-escape": _with_member(text, '"\\x41"'),
        "comment": _with_member(text, "1 /* one */"),
        "form-feed": _with_member(text, "1\f"),
        "no-break-space": _with_member(text, "1\u00a0"),
        "single-quotes": _with_member(text, "'a'"),
        "array": f"[{text}]",
        "empty": "",
    }


def _taken_texts(text: str) -> dict[str, str]:
    return {
        "good": text,
        "deep-enough": _nested(text, 32),
        "largest-number": _with_member(text, "[9007199254740991, -9007199254740991]"),
        "longest-number": _with_member(text, "0." + "1" * 30),
        "fraction": _with_member(text, "[1.5, -2.5e-3, 1.25E+1, 0]"),
        "escaped-pair": _with_member(text, '"\\ud83d\\ude00\\u0000\\/"'),
        "proto": _with_member(text, '{"__proto__": {"v": 2}, "constructor": 1, "hasOwnProperty": null}'),
        "white-space": f" \t\r\n{text}\n ",
    }


def tcb_cases() -> None:
    given = {"quote": W.quote("good", GOOD), "collateral": W.collateral()}
    W.add("bare-simulated", "A bare quote", "simulated", {"tee.real": "fail"}, bare=given, options={})
    root: dict[str, Any] = {"test_root_is_genuine": True}
    says = {"quote.signature": "of 2025-06-30, 1 d old"}
    W.add("bare-verified", "A bare quote", "verified", {}, bare=given, options=root, says=says)
    about, says = (
        "Collateral a second before it is due",
        {"quote.signature": "of 2025-06-30, 30 d old"},
    )
    late = "2025-07-30T11:59:59Z"
    W.add("collateral-oldest", about, "verified", {}, bare=given, options=root, now=late, says=says)
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
    _tcb_policies()
    relaunch = quote_for(runtime_data(), log_of(EVENTS), version=5, fault="relaunch-advised")
    case(
        "tcb-relaunch-advised",
        "A TD launched on an out-of-date module",
        "not-acceptable",
        {"quote.tcb": "fail"},
        bundle("relaunch-advised", quote=relaunch),
    )


def _tcb_policies() -> None:
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


def debug_cases() -> None:
    for fault in ("debug", "profiled", "reserved-attribute", "migratable", "sept-ve"):
        quote = quote_for(runtime_data(), log_of(EVENTS), fault=fault)
        changed = {"quote.debug": "fail", "platform.match": "fail"}
        case(
            f"debug-{fault}",
            f"Quote fault {fault}; its attributes are not the references' either",
            "not-acceptable",
            changed,
            bundle(fault, quote=quote),
        )
    migratable = quote_for(runtime_data(), log_of(EVENTS), fault="migratable")
    held = [REFERENCES | {"platforms": [platform_of(GOOD) | {"td_attributes": "0000003000000000"}]}]
    for allowed, overall, status in ((True, "incomplete", "warn"), (False, "not-acceptable", "fail")):
        case(
            f"debug-migratable-{'accepted' if allowed else 'refused'}",
            "A TD that can be moved to another platform, and a policy that says whether it may",
            overall,
            {"quote.debug": status},
            bundle("migratable", quote=migratable),
            references=held,
            policy={"v": 1, "platform": {"allow_migration": allowed}},
        )


def service_td_cases() -> None:
    """A TD 1.5 bound to a service TD, named by nobody, by the policy, by reference values, or wrongly."""
    quote = quote_for(runtime_data(), log_of(EVENTS), version=5, fault="service-td")
    given = bundle("service-td", quote=quote)
    bound, other = "01" * 48, "02" * 48
    named = [REFERENCES | {"platforms": [platform_of(GOOD) | {"mr_service_td": bound}]}]
    named_other = [REFERENCES | {"platforms": [platform_of(GOOD) | {"mr_service_td": other}]}]
    elsewhere = platform_of(GOOD) | {"mr_td": "ab" * 48, "mr_service_td": bound}
    accepted, unlike = ({"v": 1, "platform": {"mr_service_td": [value]}} for value in (bound, other))
    debug, platform = {"quote.debug": "fail"}, {"platform.match": "fail"}
    for name, about, overall, changed, held in (
        ("", "Named by nobody", "not-acceptable", debug | platform, {}),
        ("-accepted", "Accepted by the policy alone", "incomplete", {"quote.debug": "warn"}, {"policy": accepted}),
        ("-other-accepted", "The policy accepts another", "not-acceptable", debug | platform, {"policy": unlike}),
        ("-held", "Named by the reference values held", "verified", {}, {"references": named}),
        (
            "-other-held",
            "Another is named, and the policy accepts this one",
            "not-acceptable",
            {"quote.debug": "warn"} | platform,
            {"references": named_other, "policy": accepted},
        ),
        (
            "-held-elsewhere",
            "Named for another platform only: this one may have none",
            "not-acceptable",
            platform,
            {"references": [REFERENCES | {"platforms": [platform_of(GOOD), elsewhere]}]},
        ),
        (
            "-no-references",
            "Accepted by the policy, and nothing held",
            "incomplete",
            {"quote.debug": "warn", "release.match": "warn", "platform.match": "warn"},
            {"references": None, "policy": accepted},
        ),
    ):
        case(f"debug-service-td{name}", f"A TD 1.5 bound to a service TD. {about}", overall, changed, given, **held)
    case(
        "debug-service-td-missing",
        "Reference values and a policy name a service TD; a TD 1.0 has none",
        "not-acceptable",
        platform,
        bundle("good"),
        references=named,
        policy=accepted,
    )
    _accepted_service_td(quote, accepted)


def _accepted_service_td(quote: bytes, accepted: dict[str, Any]) -> None:
    old = {"v": 1, "tcb": {"accepted_statuses": ["OutOfDate"]}} | {"platform": accepted["platform"]}
    for name, overall, changed, policy in (
        ("", "not-acceptable", {"quote.tcb": "fail", "quote.debug": "warn"}, accepted),
        ("-accepted", "incomplete", {"quote.tcb": "warn", "quote.debug": "warn"}, old),
    ):
        case(
            f"debug-service-td-out-of-date{name}",
            "The TCB of a TD with an accepted service TD is judged like any other's",
            overall,
            changed,
            bundle("service-td", quote=quote, fault="tcb-OutOfDate"),
            policy=policy,
        )
    forged = bytearray(quote)
    forged[600] ^= 1
    case(
        "debug-service-td-forged",
        "An accepted service TD in a forged quote",
        "not-genuine",
        stopped("quote.signature"),
        bundle("service-td-forged", quote=bytes(forged)),
        policy=accepted,
    )
