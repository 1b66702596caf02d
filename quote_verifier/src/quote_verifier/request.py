"""What one run is asked to judge, and with what: the command line as data, checked and carried out."""

import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.progress import Progress

from . import collateral_source, live, transparency
from .address import Address, parse_address
from .appraise import Options, malformed, verify, verify_bare
from .assets import MAX_MANIFEST, check_assets, load_manifest
from .bundle import Bundle
from .collateral_cache import CollateralCache
from .errors import Malformed, UsageError
from .fetch import Fetcher
from .policy import Policy, load_policy
from .quote import MAX_QUOTE_BYTES, parse_quote
from .references import load_references, merge
from .service_client import choose
from .storing import write_json
from .strictjson import MAX_BYTES, load_object
from .times import parse_time
from .tokens import Service
from .verdict import Check, Verdict

ASSET_DEADLINE_S = 120.0


@dataclass
class Request:
    """The command line, read: each member is the option of that name, `held` the policy once it is read."""

    url: str | None = None
    evidence: Path | None = None
    quote: Path | None = None
    collateral: Path | None = None
    at: str | None = None
    release: list[Path] = field(default_factory=list)
    policy: Path | None = None
    as_json: bool = False
    manifest: Path | None = None
    check_assets: bool = False
    service: list[str] = field(default_factory=list)
    service_url: list[str] = field(default_factory=list)
    service_key: list[Path] = field(default_factory=list)
    pccs: str | None = None
    pcs: bool = False
    offline: bool = False
    cache: Path | None = None
    ca_file: Path | None = None
    ct: str | None = None
    known_key: list[str] = field(default_factory=list)
    save: Path | None = None
    timeout: float = 20.0
    held: Policy = field(default_factory=Policy)


def read(path: Path, what: str, limit: int = MAX_BYTES) -> bytes:
    """A user's file, at most `limit` bytes. Raises `UsageError`."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise UsageError(f"{what} {path} cannot be read: {error.strerror}") from None
    if len(data) > limit:
        raise UsageError(f"{what} {path} is larger than {limit} bytes")
    return data


def _options(request: Request) -> Options:
    if request.policy:
        try:
            request.held = load_policy(read(request.policy, "the policy").decode("utf-8"))
        except UnicodeDecodeError:
            raise UsageError(f"the policy {request.policy} is not UTF-8 text") from None
    references = merge(load_references(read(path, "the reference values")) for path in request.release)
    return Options(references=references, policy=request.held, services=_services(request))


def _services(request: Request) -> tuple[Service, ...]:
    count = len(request.service)
    for given, name in ((request.service_url, "--service-url"), (request.service_key, "--service-key")):
        if given and len(given) != count:
            raise UsageError(
                f"{name} is given {len(given)} times, --service {count} times: one for each, in the same order"
            )
    if len(set(request.service)) != count:
        raise UsageError("a service is named twice")
    urls: list[str | None] = [*request.service_url] or [None] * count
    keys: list[Path | None] = [*request.service_key] or [None] * count
    return tuple(choose(*one) for one in zip(request.service, urls, keys, strict=True))


def _moment(request: Request) -> int:
    if request.at is None:
        return int(time.time())
    try:
        return int(parse_time(request.at, "--at").timestamp())
    except Malformed as error:
        raise UsageError(str(error)) from None


def _check_usage(request: Request) -> None:
    subjects = [
        name
        for name, given in (("a URL", request.url), ("--evidence", request.evidence), ("--quote", request.quote))
        if given
    ]
    if len(subjects) != 1:
        raise UsageError(
            f"give exactly one of a URL, --evidence and --quote, not {' and '.join(subjects) or 'none'}; see --help"
        )
    if request.at and request.url:
        raise UsageError("--at is for files: a running service is judged as of now")
    if request.check_assets != (request.manifest is not None) or (request.check_assets and not request.url):
        raise UsageError("--check-assets needs a URL and --manifest release.json, and --manifest is for --check-assets")
    if request.collateral and not request.quote:
        raise UsageError("--collateral belongs to --quote; a bundle and a service bring their own")
    if request.quote and (request.release or request.service):
        raise UsageError(
            "a bare quote is asked only the quote.* and tee.real checks: --release and --service do not apply"
        )
    if request.save and not request.url:
        raise UsageError("--save keeps the evidence of a running service: it needs a URL")
    if request.save and request.save.is_dir():
        raise UsageError(f"--save {request.save} is a folder; name the file to write")
    if request.cache and request.cache.exists() and not request.cache.is_dir():
        raise UsageError(f"--cache {request.cache} is a file; name a folder")
    if request.pccs and request.pcs:
        raise UsageError("--pccs and --pcs exclude each other")
    if request.pccs:
        request.pccs = _address(request.pccs, "--pccs").url
    if request.url:
        request.url = _site(request.url)
    if request.known_key and not request.ct:
        raise UsageError("--known-key is for --ct")
    if request.ct:
        if not request.url:
            raise UsageError("--ct asks about the name of a running service: it needs a URL")
        request.ct = transparency.monitor_address(request.ct)
        transparency.name_of(request.url)
        transparency.known_keys(request.known_key)


def _check_authorities(path: Path) -> None:
    """Whether the file of --ca-file is one, so that it is not the server that gets the blame."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        raise UsageError(f"--ca-file {path} holds no certificate (PEM)") from None
    except OSError as error:
        raise UsageError(f"--ca-file {path} cannot be read: {error.strerror}") from None
    if not context.cert_store_stats()["x509"]:
        raise UsageError(f"--ca-file {path} holds no certificate (PEM)")


def _no_source(_: object) -> NoReturn:
    raise UsageError("a bare quote needs its collateral: --collateral FILE, --pccs URL or --pcs")


def sources(request: Request, fetcher: Fetcher) -> collateral_source.Sources:
    """Where this run takes collateral from."""
    address = collateral_source.INTEL_PCS if request.pcs else request.pccs
    relay = collateral_source.relay(fetcher, request.url) if request.url else _no_source
    if not address:
        return collateral_source.Sources(relay)
    return collateral_source.Sources(relay, collateral_source.pccs(fetcher, address), address)


def _address(url: str, what: str) -> Address:
    try:
        return parse_address(url)
    except Malformed as error:
        raise UsageError(f"{what}: {error}") from None


def _site(url: str) -> str:
    """The origin of the service to judge: evidence is bound to that, and the service answers at its root."""
    address = _address(url, "the address")
    if address.path:
        raise UsageError(f"the address: {url[:200]!r} has a path; give {address.origin}")
    return address.origin


def _judge_bundle(path: Path, request: Request, options: Options) -> Verdict:
    for service in options.services:
        if not service.keys:
            raise UsageError(
                f"--service {service.service} with --evidence needs --service-key: a file is judged without the network"
            )
    data = read(path, "the bundle")
    return verify(data, now=_moment(request), options=options)


def _quote_bytes(raw: bytes) -> bytes:
    """A quote's bytes; a file that is all hexadecimal digits, with or without 0x before them, holds their bytes."""
    text = raw.strip()
    digits = text[2:] if text[:2].lower() == b"0x" else text
    if not digits or any(byte not in b"0123456789abcdefABCDEF" for byte in digits):
        return raw
    if len(digits) % 2:
        raise Malformed(f"the quote is hexadecimal of {len(digits)} digits, which is an odd number: one is missing")
    return bytes.fromhex(digits.decode("ascii"))


def _judge_quote(path: Path, request: Request, options: Options, fetcher: Fetcher) -> Verdict:
    raw = _quote_bytes(read(path, "the quote", 4 * MAX_QUOTE_BYTES))
    collateral: Any = None
    try:
        if request.collateral:
            collateral = load_object(read(request.collateral, "the collateral"), "the collateral")
        else:
            cache = CollateralCache(request.cache, request.offline)
            asked = sources(request, fetcher)
            collateral = cache.get(parse_quote(raw), asked.chosen, asked.other_name)
    except Malformed as error:
        collateral = error
    return verify_bare(raw, collateral, now=_moment(request), options=options)


def _judge_service(base: str, request: Request, options: Options, fetcher: Fetcher) -> Verdict:
    try:
        found = live.fetch_evidence(base, fetcher, bool(request.save) or options.references.explain)
    except Malformed as error:
        return malformed(str(error), options)
    cache = CollateralCache(request.cache, request.offline)
    bundle, verdict = live.judge(found, sources(request, fetcher), cache, fetcher, options)
    if request.ct:
        verdict = verdict.with_check(_certificates(base, request, bundle, verdict))
    if request.save:
        _save(request.save, live.as_document(bundle))
    if request.manifest:
        manifest = load_manifest(read(request.manifest, "the manifest", MAX_MANIFEST))
        downloads = Fetcher(fetcher.ca_file, max(ASSET_DEADLINE_S, fetcher.deadline_s))
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("Comparing the frontend's files", total=len(manifest.assets))
            verdict = verdict.with_check(
                check_assets(base, manifest, bundle, verdict, downloads, lambda step: bar.advance(task, step))
            )
    return verdict


def _certificates(base: str, request: Request, bundle: Bundle, verdict: Verdict) -> Check:
    """The monitor's certificate is of the usual CAs, whatever the service's own is of."""
    monitor, fetcher = request.ct or "", Fetcher(None, request.timeout)
    known, public = transparency.known_keys(request.known_key), request.ca_file is None
    name = transparency.name_of(base)
    return transparency.check_certificates(name, monitor, bundle, verdict, fetcher, known, public)


def _save(path: Path, document: dict[str, Any]) -> None:
    try:
        write_json(path, document, indent=1)
    except OSError as error:
        raise UsageError(f"--save {path} cannot be written: {error.strerror}") from None


def prepare(request: Request) -> tuple[Options, Fetcher]:
    """Check what was asked for, and read the files it names. Raises `UsageError`."""
    _check_usage(request)
    options = _options(request)
    if request.ca_file:
        _check_authorities(request.ca_file)
    return options, Fetcher(str(request.ca_file) if request.ca_file else None, request.timeout)


def judge(request: Request) -> Verdict:
    """Do what the command line asks. Raises `UsageError`, `Unreachable` or `Malformed`."""
    options, fetcher = prepare(request)
    if request.evidence:
        return _judge_bundle(request.evidence, request, options)
    if request.quote:
        return _judge_quote(request.quote, request, options, fetcher)
    return _judge_service(request.url or "", request, options, fetcher)
