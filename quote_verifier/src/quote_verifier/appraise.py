"""The judgement: all checks, in their order, over one bundle or one bare quote. No network, no files.

A check that cannot be asked because an earlier one failed is `fail` with a detail that says so.
"""

import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .acceptable import check_debug, check_platform, check_tcb
from .binding import check_nonce
from .bundle import Bundle, load_bundle
from .channel import Connected, check_channel, check_sealed
from .collateral import Seen, parse_collateral
from .encoding import from_hex
from .errors import Malformed, NotGenuine, UsageError
from .eventlog import check_replay
from .genuine import MIGRATABLE, SERVICE_TD, Genuine, RootName, root_certificate, verify_quote
from .kept_data import check_data
from .policy import Policy
from .quote import Quote, parse_quote
from .references import References
from .release import check_release
from .strictjson import text_member
from .times import parse_time
from .tokens import Service, check_tokens
from .verdict import ALL_CHECKS, BARE_CHECKS, Check, Verdict


@dataclass(frozen=True)
class Options:
    """What the relying party holds; `collateral_note` says who was asked for the collateral. `test_root_is_genuine` is
    for tests of this package only, and no command line sets it: the simulator's published root counts as Intel's.
    `sealed`: whatever this client sends, it seals to the bound key of the encrypted channel."""

    references: References = field(default_factory=References)
    policy: Policy = field(default_factory=Policy)
    services: tuple[Service, ...] = ()
    seen: Seen | Mapping[RootName, Seen] = field(default_factory=Seen)
    collateral_note: str = ""
    test_root_is_genuine: bool = field(default=False, kw_only=True)
    sealed: bool = field(default=False, kw_only=True)


DEFAULT_OPTIONS = Options()


def _not_asked(check_ids: Iterable[str], cause: str, services_chosen: bool = True) -> list[Check]:
    checks = []
    for check_id in check_ids:
        if check_id == "service.token" and not services_chosen:
            checks.append(Check(check_id, "skipped", "No attestation service was chosen"))
        else:
            checks.append(Check(check_id, "fail", f"Not checked: {cause}.", asked=False))
    return checks


def _stopped(failed: Check, checks: list[Check], ids: tuple[str, ...], options: Options) -> Verdict:
    """The verdict when `failed` leaves nothing else to ask."""
    rest = ids[len(checks) + 1 :]
    chosen = bool(options.services or options.policy.required_services)
    return Verdict((*checks, failed, *_not_asked(rest, f"{failed.id} failed", chosen)), {})


def _real(genuine: Genuine, options: Options) -> Check:
    if genuine.root == "intel":
        return Check("tee.real", "pass", "The root that verified is Intel's")
    if options.test_root_is_genuine:
        return Check("tee.real", "pass", "TEST ONLY: the simulator's root counts as genuine")
    return Check(
        "tee.real", "fail", "SIMULATED: signed under the simulator's published test root, which protects nothing"
    )


def _signature(genuine: Genuine, now: int, options: Options) -> Check:
    if genuine.root == "intel":
        root = "Intel SGX Root CA"
    else:
        fingerprint = hashlib.sha256(root_certificate(genuine.root)).hexdigest()
        root = f"the simulator's published test root, not Intel's (SHA-256 {fingerprint})"
    days = (now - int(parse_time(f"{genuine.issued}T00:00:00Z", "issueDate").timestamp())) // 86400
    chain = f"The chain ends at {root}; nothing on it is revoked or expired"
    age = f"collateral of {genuine.issued}, {days} d old"
    return Check("quote.signature", "pass", "; ".join(filter(None, (chain, age, options.collateral_note))))


NO_COLLATERAL = "There is no collateral, without which no signature can be checked"


def _debug(genuine: Genuine, quote: Quote, options: Options) -> Check:
    check = check_debug(quote, options.references, options.policy)
    # dcap-qvl knows no policy about these two; whatever else it refuses stays refused, should our reading miss it
    if check.status != "fail" and genuine.refusal not in ("", SERVICE_TD, MIGRATABLE):
        return Check("quote.debug", "fail", f"dcap-qvl refuses the TD's attributes: {genuine.refusal}")
    return check


def _quote_checks(
    quote: Quote, collateral: Any, now: int, options: Options, ids: tuple[str, ...]
) -> tuple[list[Check], Verdict | None, Genuine | None]:
    """The five checks of a bare quote; a finished verdict if the signature does not hold."""
    checks = [
        Check(
            "quote.format", "pass", f"TDX quote, version {quote.version}, TD {'1.0' if quote.body_type == 2 else '1.5'}"
        )
    ]
    if collateral is None:
        missing = Check("quote.signature", "fail", NO_COLLATERAL, asked=False)
        return checks, _stopped(missing, checks, ids, options), None
    try:
        genuine = verify_quote(quote, parse_collateral(collateral), now, options.seen)
    except (Malformed, NotGenuine) as error:
        detail = "; ".join(filter(None, (str(error), options.collateral_note)))
        return checks, _stopped(Check("quote.signature", "fail", detail), checks, ids, options), None
    checks += [
        _signature(genuine, now, options),
        check_tcb(genuine, quote, options.policy),
        _debug(genuine, quote, options),
        _real(genuine, options),
    ]
    return checks, None, genuine


def _claims(quote: Quote) -> dict[str, str]:
    return {name: value.hex() for name, value in quote.body.items()}


def _bound_checks(bundle: Bundle, quote: Quote, now: int, options: Options) -> list[Check]:
    runtime_data = bundle.evidence.get("runtime_data")
    nonce = check_nonce(bundle.evidence, bundle.nonce, bundle.time, quote, now, options.policy.max_age_s)
    platform = check_platform(quote, options.references, options.policy, bundle.evidence.get("boot_log"))
    bound: dict[str, Any] = {}
    if nonce.status != "fail":
        bound = runtime_data or {}
        channel = _channel(bundle, bound, platform, options)
    else:
        (channel,) = _not_asked(["binding.channel"], "binding.nonce failed")
    replayed, events = check_replay(bundle.evidence.get("event_log"), quote)
    if replayed.status == "fail":
        (release,) = _not_asked(["release.match"], "eventlog.replay failed")
    else:
        release = check_release(events, options.references, bound)
    token = check_tokens(options.services, options.policy.required_services, bundle.tokens, quote, now)
    failed = next((each.id for each in (nonce, replayed) if each.status == "fail"), None)
    if failed:
        (data,) = _not_asked(["data.protected"], f"{failed} failed")
    else:
        data = check_data(events, bound, platform)
    return [nonce, channel, replayed, release, platform, token, data]


def _channel(bundle: Bundle, bound: dict[str, Any], platform: Check, options: Options) -> Check:
    if options.sealed:
        return check_sealed(bound, bundle.origin, platform)
    connected = Connected(bundle.origin, bundle.spki, bundle.sealed)
    return check_channel(bound, connected, platform, options.policy.trust_administrator)


def _moment(now: int | None) -> int:
    if now is not None and now < 0:
        raise UsageError(f"the time of judgement is {now}, before 1970, when no evidence was made")
    return int(time.time()) if now is None else now


def malformed(reason: str, options: Options) -> Verdict:
    """The verdict on something that cannot be read at all."""
    return _stopped(Check("quote.format", "fail", reason), [], ALL_CHECKS, options)


def verify(bundle: Bundle | bytes | str, *, now: int | None = None, options: Options = DEFAULT_OPTIONS) -> Verdict:
    """Judge an evidence bundle as of `now` (Unix seconds; the clock's time if left out).

    Establishes what docs/verification.md says of each check, and nothing beyond what `options` lets it compare with.
    Never raises for what the bundle holds: a malformed bundle is not genuine. `UsageError` for a `now` before 1970.
    """
    moment = _moment(now)
    try:
        judged = bundle if isinstance(bundle, Bundle) else load_bundle(bundle)
        quote = parse_quote(from_hex(text_member(judged.evidence, "quote", "the evidence"), "the quote"))
    except Malformed as error:
        return malformed(str(error), options)
    checks, stopped, genuine = _quote_checks(quote, judged.collateral, moment, options, ALL_CHECKS)
    if stopped or genuine is None:
        return stopped or Verdict((), {})
    return Verdict((*checks, *_bound_checks(judged, quote, moment, options)), _claims(quote), genuine)


def verify_bare(
    quote: bytes, collateral: Any, *, now: int | None = None, options: Options = DEFAULT_OPTIONS
) -> Verdict:
    """Judge a bare quote and its collateral object: only `quote.*` and `tee.real`.

    Establishes that the quote is genuine and its platform acceptable; not that it is fresh, nor whose it is.
    """
    moment = _moment(now)
    try:
        parsed = parse_quote(quote)
    except Malformed as error:
        return _stopped(Check("quote.format", "fail", str(error)), [], BARE_CHECKS, options)
    checks, stopped, genuine = _quote_checks(parsed, collateral, moment, options, BARE_CHECKS)
    return stopped or Verdict(tuple(checks), _claims(parsed), genuine)
