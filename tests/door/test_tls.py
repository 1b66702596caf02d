"""The door's key and certificate: which are refused and why, and how one is exchanged while connections live."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from door import beside, tls
from door.tls import Certificates, TlsError

NAMES = ("chat.example", "127.0.0.1")


@pytest.fixture
def drawn() -> Certificates:
    made = Certificates(tls.draw(), NAMES, "drawn")
    made.self_sign()
    return made


@contextmanager
def serving(certificates: Certificates) -> Iterator[int]:
    """Echoes one line a connection until its client is gone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def echo(raw: socket.socket) -> None:
            with suppress(OSError), certificates.context.wrap_socket(raw, server_side=True) as connection:
                while data := connection.recv(100):
                    connection.sendall(data)

        def serve() -> None:
            while True:
                try:
                    raw, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=echo, args=(raw,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


def connect(port: int, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    if context is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    raw = socket.create_connection(("127.0.0.1", port), 10)
    return context.wrap_socket(raw, server_hostname="chat.example")


def shown(connection: ssl.SSLSocket) -> x509.Certificate:
    der = connection.getpeercert(binary_form=True)
    assert der
    return x509.load_der_x509_certificate(der)


def test_a_drawn_key_is_shown_with_its_names(drawn: Certificates) -> None:
    with serving(drawn) as port, connect(port) as connection:
        certificate = shown(connection)
        assert connection.version() == "TLSv1.3"
    assert tls.spki_sha256(certificate) == drawn.spki_sha256
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert found.get_values_for_type(x509.DNSName) == ["chat.example"]
    assert [str(each) for each in found.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert drawn.not_after == certificate.not_valid_after_utc


def test_two_keys_are_two_keys() -> None:
    assert tls.draw() != tls.draw()


def test_whoever_believes_a_self_signed_certificate_connects(drawn: Certificates) -> None:
    with serving(drawn) as port, connect(port) as first:
        pem = shown(first).public_bytes(Encoding.PEM).decode()
    believing = ssl.create_default_context(cadata=pem)
    believing.verify_flags &= ~ssl.VERIFY_X509_STRICT  # nobody signed it
    with serving(drawn) as port, connect(port, believing) as connection:
        assert connection.version() == "TLSv1.3"


@pytest.mark.attack
def test_old_tls_is_refused(drawn: Certificates) -> None:
    """TLS 1.1, and TLS 1.2 with a key exchange whose records can be read once the key is known."""
    with serving(drawn) as port:
        for limit in ("old", "plain"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if limit == "old":
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
            else:
                context.maximum_version = ssl.TLSVersion.TLSv1_2
                context.set_ciphers("AES128-SHA:ECDHE-ECDSA-AES128-SHA")
            with pytest.raises((ssl.SSLError, ConnectionError)):
                connect(port, context)


def test_a_renewed_certificate_is_shown_and_no_connection_ends(drawn: Certificates) -> None:
    with serving(drawn) as port, connect(port) as before:
        first = shown(before).serial_number
        drawn.self_sign()
        with connect(port) as after:
            assert shown(after).serial_number != first
            assert tls.spki_sha256(shown(after)) == drawn.spki_sha256
        before.sendall(b"still here")
        assert before.recv(100) == b"still here"


@pytest.mark.parametrize(
    ("passed", "due"), [(timedelta(), False), (timedelta(days=500), True), (timedelta(days=-365), True)], ids=str
)
def test_a_self_signed_certificate_is_made_anew_when_it_ends_or_the_clock_is_set(
    drawn: Certificates, passed: timedelta, due: bool
) -> None:
    """The clock was a year ahead when it was made, and is right now: nobody would accept it for that year."""
    now = datetime.now(UTC)
    assert drawn.is_due(now + passed, beside.EARLY) == due
    drawn.self_sign(now + passed)
    assert not drawn.is_due(now + passed, beside.EARLY)
    end = drawn.not_after
    assert end and drawn.is_due(end - beside.EARLY, beside.EARLY)
    assert not drawn.is_due(end - beside.EARLY - timedelta(seconds=1), beside.EARLY)


def pem(made: Certificates) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in made._chain)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("another key's", "another key"),
        ("expired", "expired at 2025-.* renew the certificate"),
        ("of next year", "valid only from .* set the clock"),
        ("text", "no certificate in PEM form"),
        ("endless", "longer than"),
    ],
)
def test_a_certificate_that_cannot_be_used_leaves_the_old_one(drawn: Certificates, what: str, sentence: str) -> None:
    before = drawn.not_after
    other = Certificates(tls.draw(), NAMES, "drawn")
    now = datetime.now(UTC)
    year = timedelta(days=500)
    other.self_sign()
    texts = {
        "another key's": pem(other),
        "expired": tls._self_signed(drawn._key, NAMES, datetime(2024, 6, 1, tzinfo=UTC)),
        "of next year": tls._self_signed(drawn._key, NAMES, now + year),
        "text": b"hello\n",
        "endless": b"A" * (tls.MAX_CHAIN_BYTES + 1),
    }
    with pytest.raises(TlsError, match=sentence):
        drawn.install(texts[what])
    assert drawn.not_after == before


@pytest.mark.parametrize("text", [b"", b"x", tls.draw()[:100]], ids=["empty", "other", "cut"])
def test_a_key_that_is_none(text: bytes) -> None:
    with pytest.raises(TlsError, match="not a private key"):
        Certificates(text, NAMES, "given")


def test_a_key_is_not_shown(drawn: Certificates) -> None:
    assert "PRIVATE" not in repr(drawn)
