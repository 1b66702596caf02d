"""Keeping a certificate: when it is renewed, what is refused, what is said, and that nothing waits for a CA."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from door import tls
from door.account import account_key
from door.acme import Keeper, Waits
from door.authority import AcmeTrouble
from door.keeping import ACCOUNT, CERTIFICATE
from door.tls import Certificates
from tests.door.authorities import TestAuthority, draw, pem

NAME = "chat.example"
QUICK = Waits(least_s=0.01, first_s=0.01, longest_s=0.05, spread=0)
CA = TestAuthority()


class Ordering:
    """A CA that answers with what `answers` holds, one after the other, and then with the last one again."""

    account = "https://ca.example/account/1"

    def __init__(self, *answers: Callable[[bytes], bytes] | AcmeTrouble) -> None:
        self.answers, self.requests = list(answers), list[x509.CertificateSigningRequest]()

    def issue(self, csr_pem: bytes) -> bytes:
        self.requests.append(x509.load_pem_x509_csr(csr_pem))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, AcmeTrouble):
            raise answer
        return answer(csr_pem)


def signed(*names: str, days: float = 90, start: datetime | None = None) -> Callable[[bytes], bytes]:
    def sign(csr_pem: bytes) -> bytes:
        public = x509.load_pem_x509_csr(csr_pem).public_key()
        return CA.leaf(public, *(names or (NAME,)), days=days, start=start) + CA.root

    return sign


class Store(dict[str, str]):
    """What outlives a door, in memory."""

    full = False

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        return super().get(name, default)

    def put(self, name: str, value: str) -> None:
        if self.full:
            raise OSError("Its file system is full.")
        self[name] = value


@pytest.fixture
def store() -> Store:
    return Store()


class Case:
    """A keeper with its log. `until` runs it until a condition holds."""

    def __init__(self, store: Store, ordering: Ordering, waits: Waits = QUICK, key: bytes = b"") -> None:
        self.certificates = Certificates(key or tls.draw(), (NAME,), "drawn")
        self.certificates.self_sign()
        self.log: list[str] = []
        self.ordering = ordering
        self.keeper = Keeper((NAME,), self.certificates, ordering, store, self.log.append, self.log.append, waits)

    def until(self, condition: Callable[[], bool]) -> None:
        async def keep() -> None:
            task = asyncio.create_task(self.keeper.run())
            while not condition():
                assert not task.done(), task
                await asyncio.sleep(0.005)
            task.cancel()

        asyncio.run(asyncio.wait_for(keep(), 30))

    @property
    def issuer(self) -> str:
        return self.certificates._chain[0].issuer.rfc4514_string()


def test_a_certificate_is_ordered_for_the_drawn_key_and_shown(store: Store) -> None:
    case = Case(store, Ordering(signed()))
    case.until(lambda: case.keeper.current is not None)
    (request,) = case.ordering.requests
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME]
    assert case.issuer == f"CN={CA.name}"
    assert case.log[0].startswith(f"A certificate for {NAME} is in use, valid until ")
    assert case.log[0].endswith(". The CA knows this door as https://ca.example/account/1.")


def test_it_is_renewed_when_two_thirds_are_spent_and_not_before(store: Store) -> None:
    case = Case(store, Ordering(signed(days=90)), Waits())
    case.keeper._install(signed(days=90)(_csr(case)))
    for days, due in ((1, False), (56, False), (60.1, True), (89, True)):
        case.keeper.now = lambda days=days: time.time() + days * 86_400  # type: ignore[misc]
        assert (case.keeper._until_due() == 0) is due, days


def test_a_renewal_has_the_same_key(store: Store) -> None:
    case = Case(store, Ordering(signed(days=70 / 86_400)))
    case.until(lambda: len(case.ordering.requests) >= 3)
    assert len({tls.spki_sha256(request) for request in case.ordering.requests}) == 1  # type: ignore[arg-type]


def test_a_ca_whose_certificates_are_always_due_is_not_asked_without_end(store: Store) -> None:
    """Rate limits count certificates: one that is issued as good as spent must not be ordered again at once."""
    half_spent = signed(days=90, start=datetime.now(UTC) - timedelta(days=80))
    case = Case(store, Ordering(half_spent), Waits())
    assert asyncio.run(case.keeper._attempt()) >= 3600


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda _: CA.leaf(draw().public_key(), NAME) + CA.root, "for another key than the one drawn here"),
        (signed("evil.example"), f"does not name {NAME}, but evil.example"),
        (signed(NAME, start=datetime(2020, 1, 1, tzinfo=UTC)), "expired at 2020-03-31 00:00 UTC"),
        (signed(NAME, start=datetime.now(UTC) + timedelta(days=365)), "set the clock"),
        (lambda csr: signed()(csr).replace(CA.root, TestAuthority().root), "one is not signed by the next"),
        (lambda csr: signed()(csr) + CA.root * 8, "more than 8 certificates"),
        (lambda _: b"<html>", "holds no certificate in PEM form"),
        (lambda _: b"", "holds no certificate in PEM form"),
        (lambda csr: signed()(csr) + b" " * tls.MAX_CHAIN_BYTES, "longer than"),
    ],
)
def test_what_does_not_fit_is_not_shown(store: Store, answer: Callable[[bytes], bytes], said: str) -> None:
    case = Case(store, Ordering(answer), Waits())
    before = case.certificates.not_after
    assert asyncio.run(case.keeper._attempt()) >= 3600  # it counts at the CA
    assert case.certificates.not_after == before
    assert said in case.log[0]
    assert case.keeper.current is None
    assert not store.get(CERTIFICATE)


def test_only_certificates_of_an_answer_are_kept(store: Store) -> None:
    case = Case(store, Ordering(lambda csr: b"subject=somebody\n" + signed()(csr) + b"and more"))
    case.until(lambda: case.keeper.current is not None)
    kept = store.get(CERTIFICATE)
    assert kept.startswith("-----BEGIN CERTIFICATE-----")
    assert kept.endswith("-----END CERTIFICATE-----\n")


def test_waits_double_up_to_the_longest_and_no_refusal_is_repeated_sooner_than_it_says(store: Store) -> None:
    case = Case(store, Ordering(AcmeTrouble("the CA cannot be reached")), Waits(spread=0))
    waited = [asyncio.run(case.keeper._attempt()) for _ in range(11)]
    assert waited[:4] == [60, 120, 240, 480]
    assert waited[-1] == 6 * 3600
    case.ordering.answers = [AcmeTrouble("the CA refused (rateLimited)", wait_s=86_400)]
    assert asyncio.run(case.keeper._attempt()) == 86_400


def test_after_a_success_waits_begin_anew(store: Store) -> None:
    trouble = AcmeTrouble("the CA cannot be reached")
    case = Case(store, Ordering(trouble, trouble, signed(), trouble), Waits(spread=0))
    waited = [asyncio.run(case.keeper._attempt()) for _ in range(4)]
    assert (waited[1], waited[3]) == (120, 60)


def test_the_old_certificate_stays_and_the_log_says_how_long(store: Store) -> None:
    case = Case(store, Ordering(signed(), AcmeTrouble("the CA refused (caa): no", "Allow this CA", 900)))
    asyncio.run(case.keeper._attempt())
    shown = case.certificates.not_after
    asyncio.run(case.keeper._attempt())
    assert case.certificates.not_after == shown
    said = case.log[-1]
    assert f"No new certificate for {NAME}: the CA refused (caa): no. Allow this CA. The one in use stays" in said
    assert "The CA is asked again at " in said


def test_an_ended_certificate_is_said_to_be_one(store: Store) -> None:
    case = Case(store, Ordering(signed(), AcmeTrouble("the CA cannot be reached")))
    asyncio.run(case.keeper._attempt())
    case.keeper.now = lambda: time.time() + 100 * 86_400
    asyncio.run(case.keeper._attempt())
    assert "browsers refuse it" in case.log[-1]


def test_after_failures_it_is_tried_until_there_is_one(store: Store) -> None:
    trouble = AcmeTrouble("the CA cannot be reached")
    case = Case(store, Ordering(trouble, trouble, trouble, signed()))
    case.until(lambda: case.keeper.current is not None)
    assert len(case.ordering.requests) == 4


def test_a_fault_of_ours_does_not_end_the_keeping(store: Store) -> None:
    def fault(_: bytes) -> bytes:
        raise KeyError("x")

    case = Case(store, Ordering(fault, signed()))
    case.until(lambda: case.keeper.current is not None)
    assert "the door failed (KeyError: 'x')" in case.log[0]


def test_nothing_waits_while_a_ca_keeps_the_door_waiting(store: Store) -> None:
    asked, answer = threading.Event(), threading.Event()

    def slow(csr: bytes) -> bytes:
        asked.set()
        answer.wait(30)
        return signed()(csr)

    case = Case(store, Ordering(slow))

    async def keep() -> None:
        task = asyncio.create_task(case.keeper.run())
        while not asked.is_set():
            await asyncio.sleep(0.001)
        for _ in range(100):  # the loop goes round while the order is under way
            await asyncio.sleep(0)
        before = len(case.log)
        answer.set()
        while not case.log:
            await asyncio.sleep(0.001)
        assert before == 0
        task.cancel()

    asyncio.run(asyncio.wait_for(keep(), 30))


def test_a_door_that_stops_does_not_wait_for_the_ca(store: Store) -> None:
    release = threading.Event()
    case = Case(store, Ordering(lambda csr: signed()(csr) if release.wait(30) else b""))
    case.until(lambda: bool(case.ordering.requests))
    release.set()
    assert case.keeper.current is None


def test_a_restart_shows_what_was_kept_without_asking(store: Store) -> None:
    key = tls.draw()
    first = Case(store, Ordering(signed()), key=key)
    first.until(lambda: CERTIFICATE in store)
    second = Case(store, Ordering(AcmeTrouble("unreachable")), key=key)
    assert second.keeper.restore()
    assert second.issuer == f"CN={CA.name}"
    assert second.keeper._until_due() > 0


@pytest.mark.parametrize("kept", ["garbage", "x" * (tls.MAX_CHAIN_BYTES + 1), "another key's"])
def test_what_was_kept_and_no_longer_fits_is_not_shown(store: Store, kept: str) -> None:
    store[CERTIFICATE] = CA.leaf(draw().public_key(), NAME).decode() if kept == "another key's" else kept
    case = Case(store, Ordering(signed()))
    before = case.certificates.not_after
    assert not case.keeper.restore()
    assert case.certificates.not_after == before
    case.until(lambda: case.keeper.current is not None)


def test_what_cannot_be_kept_costs_nothing_but_the_next_start(store: Store) -> None:
    store.full = True
    case = Case(store, Ordering(signed()))
    case.until(lambda: len(case.log) == 2)
    assert case.keeper.current is not None
    assert case.log[1].endswith("which asks the CA anew. Its file system is full.")


def test_the_account_is_kept_and_is_another_one_for_another_directory(store: Store) -> None:
    key = pem(account_key(store, "https://ca.example/dir", ""))
    assert pem(account_key(store, "https://ca.example/dir", "")) == key
    assert pem(account_key(store, "https://other.example/dir", "")) != key


@pytest.mark.parametrize("found", ["", "{", "[]", '{"directory": "d", "contact": "", "key": 1}'])
def test_an_account_that_cannot_be_read_is_drawn_anew(store: Store, found: str) -> None:
    store[ACCOUNT] = found
    key = account_key(store, "d", "")
    assert pem(account_key(store, "d", "")) == pem(key)


def _csr(case: Case) -> bytes:
    from door import chain

    return chain.request(case.keeper._key, (NAME,))
