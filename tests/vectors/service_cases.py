"""Cases about the tokens of attestation services."""

from typing import Any

from tests.standins.tokens import jwks, make_token
from tests.vectors.ground import GOOD, SECONDS, SERVICE_URL, W, bundle, case, service


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
        "byte-order-mark",
        "critical-extension",
        "unencoded-payload",
        "number-as-key-id",
        "padded-signature",
        "far-expiry",
        "two-spellings",
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
            ("wrong-kid", "other-audience", "other-issuer", "debug", "debug-null")
            if name == "alibaba"
            else ("contraindicated", "two-cpus", "null-report-data")
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
    with_path = [token("alibaba") | {"url": SERVICE_URL["alibaba"] + "/v1/attestation/"}]
    served("with-path", "Its address is given with the path", "pass", with_path, [service("alibaba")])
    served(
        "chosen-with-path",
        "Its address is held with the path",
        "pass",
        [token("trustee")],
        [service("trustee", url=SERVICE_URL["trustee"] + "/attestation")],
    )
    unreachable = service("trustee", problem="it did not answer")
    served("unreachable", "A service that could not be asked", "fail", None, [unreachable])
    served("unreachable-with-token", "Whatever token there is", "fail", [token("trustee")], [unreachable])
    served(
        "unreachable-of-two",
        "One of two could not be asked",
        "fail",
        [token("alibaba")],
        [service("alibaba"), unreachable],
    )
    served(
        "unreachable-required",
        "The policy requires it",
        "fail",
        None,
        [unreachable],
        policy={"v": 1, "services": {"required": ["trustee"]}},
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
