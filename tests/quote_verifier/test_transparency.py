"""--ct: a certificate for the service's name with somebody else's key is found from outside."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from quote_verifier.bundle import Bundle, bundle_from
from quote_verifier.errors import UsageError
from quote_verifier.fetch import Fetcher, spki_sha256
from quote_verifier.request import Request, judge
from quote_verifier.transparency import check_certificates, known_keys, monitor_address, name_of
from quote_verifier.verdict import Check, Verdict

from quote_verifier import transparency
from tests.door.authorities import TestAuthority, draw

from . import world
from .world import Site, Td, make_certificate

NAME = "chat.example.org"
CA = TestAuthority("A public CA")
OURS, THEIRS = draw(), draw()
PROVEN = Verdict((Check("binding.nonce", "pass", ""),), {})


def hashed(key: Any) -> str:
    return spki_sha256(
        x509.load_pem_x509_certificate(CA.leaf(key.public_key(), "x.example")).public_bytes(Encoding.DER)
    )


class Monitor(Site):
    """A stand-in for crt.sh. `logged`: certificates (PEM) by id; a search finds those that name what it asks for."""

    def __init__(self, *certificates: bytes) -> None:
        super().__init__(Td())
        self.logged = dict(enumerate(certificates, 7_000_000_000))
        self.listing: bytes | None = None

    def reply(self, target: str) -> world.Reply:
        query = parse_qs(urlsplit(target).query)
        if "d" in query:
            pem = self.logged[int(query["d"][0])]
            return 200, {"Content-Type": "application/pkix-cert"}, pem
        assert {name: query[name] for name in ("match", "exclude", "output")} == {
            "match": ["="], "exclude": ["expired"], "output": ["json"]
        }  # fmt: skip
        if self.listing is not None:
            return 200, {}, self.listing
        found = [entry(number, pem) for number, pem in self.logged.items()]
        named = [one for one in found if query["Identity"][0] in one["name_value"].split("\n")]
        return 200, {"Content-Type": "application/json"}, json.dumps(named).encode()


def entry(number: int, pem: bytes) -> dict[str, Any]:
    """As crt.sh lists a certificate."""
    certificate = x509.load_pem_x509_certificate(pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    common = certificate.subject.rfc4514_string().removeprefix("CN=")
    return {
        "issuer_ca_id": 295814,
        "issuer_name": certificate.issuer.rfc4514_string(),
        "common_name": common,
        "name_value": "\n".join({common, *names.get_values_for_type(x509.DNSName)}),
        "id": number,
        "entry_timestamp": "2026-11-25T10:00:00.123",
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "serial_number": f"{certificate.serial_number:x}",
        "result_count": 2,
    }


def bundle(tls: Any) -> Bundle:
    made = bundle_from(Td().bundle())
    return replace(made, evidence={"runtime_data": {"v": 2} | ({} if tls is None else {"tls": tls})})


BOUND = bundle({"spki_sha256": hashed(OURS), "key": "drawn"})


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    with Monitor(CA.leaf(OURS.public_key(), NAME)) as running:
        yield running


def ask(monitor: Monitor, *known: str, public: bool = True, of: Bundle = BOUND, verdict: Verdict = PROVEN) -> Check:
    fetcher = Fetcher(deadline_s=2)
    return check_certificates(NAME, monitor.url, of, verdict, fetcher, known_keys(known), public)


def add(monitor: Monitor, *pem: bytes) -> None:
    for one in pem:
        monitor.logged[max(monitor.logged) + 1] = one


def test_only_the_tds_key(monitor: Monitor) -> None:
    check = ask(monitor)
    assert check.status == "pass"
    assert check.detail == f"1 certificate for {NAME} that {monitor.url} lists as valid is for the TD's key"


@pytest.mark.attack
@pytest.mark.parametrize("name", [NAME, "*.example.org"])
def test_somebody_elses_certificate_is_named(monitor: Monitor, name: str) -> None:
    """Also a wildcard's, which a search for the name alone does not find."""
    add(monitor, CA.leaf(THEIRS.public_key(), name))
    check = ask(monitor)
    assert check.status == "fail"
    assert check.detail.startswith(
        f"1 certificate for {NAME} with a key that the TD does not hold: {monitor.url}/?id=7"
    )
    assert f"by CN={CA.name}" in check.detail
    assert f"key {hashed(THEIRS)}" in check.detail


def test_an_earlier_key_is_known_by_its_hash_alone(monitor: Monitor) -> None:
    add(monitor, CA.leaf(THEIRS.public_key(), NAME))
    check = ask(monitor, hashed(THEIRS).upper())
    assert (check.status, check.detail[:14]) == ("pass", "2 certificates")
    assert ask(monitor, "0" * 64).status == "fail"


@pytest.mark.attack
def test_a_precertificate_counts(monitor: Monitor) -> None:
    """Logs hold it before there is a certificate, and nobody must ever show the certificate itself."""
    poisoned = x509.CertificateBuilder(extensions=[x509.Extension(x509.PrecertPoison.oid, True, x509.PrecertPoison())])
    made = x509.load_pem_x509_certificate(CA.leaf(THEIRS.public_key(), NAME))
    builder = poisoned.subject_name(made.subject).issuer_name(made.issuer).public_key(THEIRS.public_key())
    builder = builder.serial_number(made.serial_number).not_valid_before(made.not_valid_before_utc)
    builder = builder.not_valid_after(made.not_valid_after_utc)
    names = x509.SubjectAlternativeName([x509.DNSName(NAME)])
    signed = builder.add_extension(names, False).sign(CA.key, made.signature_hash_algorithm)  # type: ignore[arg-type]
    add(monitor, signed.public_bytes(Encoding.PEM))
    assert ask(monitor).status == "fail"


def test_what_cannot_be_used_for_the_name_is_no_matter(monitor: Monitor) -> None:
    past = datetime.now(UTC) - timedelta(days=400)
    public = THEIRS.public_key()
    add(
        monitor, CA.leaf(public, NAME, start=past), CA.leaf(public, "other.example.org"), CA.leaf(public, "example.org")
    )
    monitor.listing = json.dumps([entry(number, pem) for number, pem in monitor.logged.items()]).encode()
    assert ask(monitor).status == "pass"


def test_one_that_is_not_valid_yet_is(monitor: Monitor) -> None:
    add(monitor, CA.leaf(THEIRS.public_key(), NAME, start=datetime.now(UTC) + timedelta(days=9)))
    assert ask(monitor).status == "fail"


def test_a_long_list_is_cut_and_counted(monitor: Monitor) -> None:
    add(monitor, *(CA.leaf(THEIRS.public_key(), NAME) for _ in range(12)))
    detail = ask(monitor).detail
    assert detail.startswith("12 certificates ")
    assert detail.count("/?id=") == 10
    assert "; and 2 more. " in detail


@pytest.mark.attack
def test_a_monitor_that_leaves_ours_out_does_not_tell_everything(monitor: Monitor) -> None:
    monitor.logged.clear()
    check = ask(monitor)
    assert check.status == "warn"
    assert "does not list the certificate of this very connection among 0" in check.detail
    assert ask(monitor, public=False).status == "pass"  # of a CA of one's own: nobody logs it


@pytest.mark.parametrize(
    ("listing", "said"),
    [
        (b"<html>", "does not answer in JSON, as crt.sh does"),
        (b"", "does not answer in JSON"),
        (b"[" * 100_000, "does not answer in JSON"),
        (b"{}", "does not answer with a list"),
        (b"[1]", "a certificate without an id"),
        (b'[{"id": true}]', "a certificate without an id"),
        (b'[{"id": "7"}]', "a certificate without an id"),
        (b'[{"id": -1}]', "a certificate without an id"),
        (b'[{"id": 1e99}]', "a certificate without an id"),
        (json.dumps([{"id": number + 1} for number in range(201)]).encode(), "201 certificates, more than the 200"),
    ],
)
def test_a_list_that_is_none(monitor: Monitor, listing: bytes, said: str) -> None:
    monitor.listing = listing
    check = ask(monitor)
    assert check.status == "warn"
    assert said in check.detail
    assert check.detail.startswith(f"It could not be found out which certificates are logged for {NAME}: ")


@pytest.mark.parametrize("pem", [b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_certificate_that_cannot_be_read_is_no_reason_to_pass(monitor: Monitor, pem: bytes) -> None:
    monitor.listing = json.dumps([entry(*one) for one in monitor.logged.items()] + [{"id": 5}]).encode()
    monitor.logged[5] = pem
    check = ask(monitor)
    assert (check.status, check.detail.endswith("/?d=5 is no certificate that can be read (PEM)")) == ("warn", True)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["hang", "endless", "redirect"])
def test_a_monitor_that_does_not_answer(monitor: Monitor, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transparency, "MAX_LIST", 100_000)
    monitor.broken["/"] = getattr(world, how)
    assert ask(monitor).status == "warn"
    monitor.broken["/"] = world.answering(b"busy", 503)
    assert "answered HTTP 503: 'busy'" in ask(monitor).detail


def test_all_of_it_has_a_deadline(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transparency, "DEADLINE_S", -1)
    assert "needs more than -1 s" in ask(monitor).detail


def test_no_key_no_answer(monitor: Monitor) -> None:
    check = ask(monitor, of=bundle(None))
    assert (check.status, check.detail) == ("warn", "No TLS key is bound: no certificate can be told to be the TD's")
    for verdict in (Verdict((Check("binding.nonce", "fail", ""),), {}), Verdict((), {})):
        check = ask(monitor, verdict=verdict)
        assert (check.status, check.asked) == ("fail", False)
    assert monitor.requests == []


@pytest.mark.parametrize(
    "url", ["http://monitor.example", "ftp://crt.sh", "crt.sh", "https://u@crt.sh", "https://crt.sh/?q=x"]
)
def test_no_address_of_a_monitor(url: str) -> None:
    with pytest.raises(UsageError, match=r"^--ct"):
        monitor_address(url)


@pytest.mark.parametrize(
    "base",
    [
        "http://chat.example",
        "https://localhost",
        "https://a.localhost",
        "https://127.0.0.1:8",
        "https://[::1]",
        "https://host",
    ],
)
def test_no_name_that_a_public_ca_knows(base: str) -> None:
    with pytest.raises(UsageError, match="--ct needs a service with a public name and https"):
        name_of(base)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "https://chat.example", "known_key": ["0" * 64]}, "--known-key is for --ct"),
        ({"url": "https://chat.example", "ct": "https://crt.sh", "known_key": ["0"]}, "64 hexadecimal digits"),
        ({"evidence": Path("x"), "ct": "https://crt.sh"}, "it needs a URL"),
    ],
)
def test_what_does_not_belong_together(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        judge(Request(**options))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's name leads to this machine."""
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *more, **others: real("127.0.0.1" if host == NAME else host, *more, **others),
    )


@pytest.mark.parametrize(("stranger", "status", "code"), [(True, "fail", 5), (False, "pass", 6)])
def test_the_command_line_judges_it_with_the_rest(
    monitor: Monitor, here: None, tmp_path: Path, stranger: bool, status: str, code: int
) -> None:
    certificate = make_certificate(tmp_path, NAME)
    td = Td(bound={"tls": {"spki_sha256": certificate.spki, "key": "drawn"}})
    if stranger:
        add(monitor, CA.leaf(THEIRS.public_key(), NAME))
    with Site(td, certificate) as site:
        verdict = judge(
            Request(
                url=site.url,
                ct=monitor.url + "/",
                known_key=[hashed(OURS)],
                ca_file=certificate.path,
                cache=tmp_path / "cache",
            )
        )
    assert (verdict.checks[-1].id, verdict.checks[-1].status) == ("certificates.known", status)
    assert verdict.exit_code == code
