"""Cases about the tokens of attestation services."""

from typing import Any

from tests.standins.tokens import jwks, make_token
from tests.vectors.ground import GOOD, OVERALL, SECONDS, SERVICE_URL, W, bundle, case, service

FAULTS = (
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


def service_cases() -> None:
    _token_faults()
    _choices()
    _addresses()
    _unreachable()
    _garbage_and_required()


def _token_faults() -> None:
    for name, shapes in (("alibaba", ("new",)), ("trustee", ("new", "old"))):
        for shape in shapes:
            _served(
                f"{name}-{shape}" if name == "trustee" else name,
                "A token that holds",
                "pass",
                [_token(name, shape)],
                [service(name)],
            )
        own = (
            ("wrong-kid", "other-audience", "other-issuer", "debug", "debug-null")
            if name == "alibaba"
            else ("contraindicated", "two-cpus", "null-report-data")
        )
        for fault in (*FAULTS, *own):
            _served(f"{name}-{fault}", f"Token fault {fault}", "fail", [_token(name, fault=fault)], [service(name)])
    _served(
        "trustee-warning",
        "An appraisal with a warning",
        "warn",
        [_token("trustee", fault="warning")],
        [service("trustee")],
    )


def _choices() -> None:
    _served(
        "both",
        "Two services chosen",
        "pass",
        [_token("alibaba"), _token("trustee")],
        [service("alibaba"), service("trustee")],
    )
    _served(
        "one-missing", "Two chosen, one token", "fail", [_token("alibaba")], [service("alibaba"), service("trustee")]
    )
    _served("missing", "No token", "fail", None, [service("alibaba")])
    _served("twice", "Two tokens of one service", "fail", [_token("alibaba")] * 2, [service("alibaba")])


def _addresses() -> None:
    _served(
        "other-url",
        "A token of another instance",
        "fail",
        [_token("alibaba")],
        [service("alibaba", url="https://other.example")],
    )
    _served(
        "other-keys",
        "The keys of another service",
        "fail",
        [_token("alibaba")],
        [service("alibaba", keys=jwks("trustee"))],
    )
    with_path = [_token("alibaba") | {"url": SERVICE_URL["alibaba"] + "/v1/attestation/"}]
    _served("with-path", "Its address is given with the path", "pass", with_path, [service("alibaba")])
    _served(
        "chosen-with-path",
        "Its address is held with the path",
        "pass",
        [_token("trustee")],
        [service("trustee", url=SERVICE_URL["trustee"] + "/attestation")],
    )


def _unreachable() -> None:
    unreachable = service("trustee", problem="it did not answer")
    _served("unreachable", "A service that could not be asked", "fail", None, [unreachable])
    _served("unreachable-with-token", "Whatever token there is", "fail", [_token("trustee")], [unreachable])
    _served(
        "unreachable-of-two",
        "One of two could not be asked",
        "fail",
        [_token("alibaba")],
        [service("alibaba"), unreachable],
    )
    _served(
        "unreachable-required",
        "The policy requires it",
        "fail",
        None,
        [unreachable],
        policy={"v": 1, "services": {"required": ["trustee"]}},
    )


def _garbage_and_required() -> None:
    garbage = [{"service": "alibaba", "url": SERVICE_URL["alibaba"], "token": "a.b"}]
    _served("garbage", "No token at all", "fail", garbage, [service("alibaba")])
    case("service-not-chosen", "A token that nobody asked for", "verified", {}, bundle("good", service_tokens=garbage))
    case(
        "service-required",
        "The policy requires a service that was not chosen",
        "not-acceptable",
        {"service.token": "fail"},
        bundle("good"),
        policy={"v": 1, "services": {"required": ["alibaba"]}},
    )


def _token(name: str, shape: str = "new", fault: str | None = None) -> dict[str, str]:
    made = make_token(name, GOOD, origin=SERVICE_URL[name], now=SECONDS, shape=shape, fault=fault)
    text = W.share(
        "tokens",
        f"{name}-{shape}-{fault or 'good'}" if name == "trustee" else f"{name}-{fault or 'good'}",
        made,
        ".jwt",
    )
    return {"service": name, "url": SERVICE_URL[name], "token": text}


def _served(name: str, about: str, status: str, tokens: Any, services: list[dict[str, Any]], **held: Any) -> None:
    case(
        f"service-{name}",
        about,
        OVERALL[status],
        {"service.token": status},
        bundle("good", service_tokens=tokens),
        services=services,
        **held,
    )
