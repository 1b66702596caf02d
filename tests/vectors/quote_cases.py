"""Cases about the bundle, its quote, the TCB and the TD attributes."""

import json

from tests.vectors.ground import (
    EVENTS,
    GOOD,
    W,
    bundle,
    case,
    log_of,
    options,
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
