"""Cases about the bundle, its quote, the TCB and the TD attributes."""

import json

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
    none = {"references": named, "policy": accepted}
    case(
        "debug-service-td-missing",
        "Reference values and a policy name a service TD; a TD 1.0 has none",
        "not-acceptable",
        platform,
        bundle("good"),
        **none,
    )
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
