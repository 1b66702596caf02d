"""Certificates from a real ACME server: the first one, renewals, and everything between that stops and starts again."""

from __future__ import annotations

import http.client
import socket
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from door import tls
from door.challenges import PREFIX
from tests.door.issuing.conftest import NAME, QUICK, Start, echoes
from tests.door.issuing.pebble import Pebble

pytestmark = pytest.mark.release
IN_USE = f"A certificate for {NAME} is in use"
YEAR_S = 365 * 86_400


def shown(connection: socket.socket) -> x509.Certificate:
    der = connection.getpeercert(binary_form=True)  # type: ignore[attr-defined]
    return x509.load_der_x509_certificate(der)


def test_a_certificate_is_issued_for_the_drawn_key(pebble: Pebble, start: Start, tmp_path: Path) -> None:
    door = start(pebble, tmp_path / "door")
    door.until(IN_USE)
    with door.connect(pebble.root()) as connection:
        key = tls.load_key((tmp_path / "door" / "key").read_bytes(), "The key")
        assert tls.spki_sha256(shown(connection)) == tls.spki_sha256(key)
    plain = http.client.HTTPConnection("127.0.0.1", door.http_port, timeout=10)
    for path, status, location in ((f"{PREFIX}x", 404, None), ("/a?b=c", 308, f"https://{NAME}/a?b=c")):
        plain.request("GET", path, headers={"Host": "elsewhere.example"})
        answer = plain.getresponse()
        answer.read()
        assert (answer.status, answer.getheader("Location")) == (status, location)
    plain.close()


def test_it_is_renewed_with_the_same_key_and_no_connection_is_dropped(
    pebble: Pebble, start: Start, tmp_path: Path
) -> None:
    """Also while the CA is down, and by one that came back without knowing any account."""
    pebble.config["certificateValidityPeriod"] = 10
    pebble.restart()
    door = start(pebble, tmp_path / "door")
    door.until(IN_USE)
    with door.connect(pebble.root()) as connection:
        first = shown(connection)
        pebble.kill()
        said = door.until("No new certificate")
        assert "the CA cannot be reached" in said
        assert "The one in use stays, until" in said
        assert "See whether this machine reaches ACME_DIRECTORY. " in said
        before = len(door.log)
        pebble.start()
        door.until(IN_USE, before)
        with door.connect(pebble.root()) as renewed:
            assert shown(renewed).serial_number != first.serial_number
            assert shown(renewed).public_key() == first.public_key()
        assert shown(connection).serial_number == first.serial_number
        assert echoes(connection)


def test_a_killed_door_shows_its_certificate_again_without_a_ca(pebble: Pebble, start: Start, tmp_path: Path) -> None:
    first = start(pebble, tmp_path / "door")
    first.until(IN_USE)
    root = pebble.root()
    with first.connect(root) as connection:
        serial = shown(connection).serial_number
    first.kill()
    pebble.kill()
    second = start(pebble, tmp_path / "door", again=first)
    assert "The kept certificate is shown." in second.log
    with second.connect(root) as connection:
        assert shown(connection).serial_number == serial


def test_a_door_that_was_killed_while_it_ordered_orders_again(pebble: Pebble, start: Start, tmp_path: Path) -> None:
    pebble.environment["PEBBLE_VA_NOSLEEP"] = ""
    pebble.environment["PEBBLE_VA_SLEEPTIME"] = "1"
    pebble.restart()
    first = start(pebble, tmp_path / "door")
    log = tmp_path / "pebble" / "pebble.log"
    while "Pulled a task" not in log.read_text():
        assert first.process.poll() is None
    first.kill()
    assert IN_USE not in "".join(first.log)
    second = start(pebble, tmp_path / "door", again=first)
    second.until(IN_USE)
    second.connect(pebble.root()).close()


def test_a_name_that_leads_elsewhere_or_is_not_given_is_said(pebble: Pebble, start: Start, tmp_path: Path) -> None:
    pebble.addresses(NAME, "127.0.0.99")
    pebble.config["domainBlocklist"] = ["blocked.example"]
    pebble.restart()
    door = start(pebble, tmp_path / "door", impatient=True)
    said = door.until("No new certificate")
    assert "the CA refused (connection): " in said
    assert "Port 80 of the name must reach HTTP_PORT of this machine, from everywhere. " in said
    assert "[900 s]" in said
    assert "a certificate is shown that nobody vouches for" in said
    door.connect().close()
    pebble.addresses(NAME, "127.0.0.1")
    door.until(IN_USE)
    door.kill()
    other = start(pebble, tmp_path / "other", again=door, impatient=True, name="blocked.example")
    said = other.until("No new certificate for blocked.example")
    assert "(rejectedIdentifier)" in said
    assert "ORIGIN must name a host that this CA gives certificates for" in said
    assert "[3600 s]" in said


@pytest.fixture(scope="module")
def shifted_clock(tmp_path_factory: pytest.TempPathFactory) -> str:
    source = Path(__file__).resolve().parents[2] / "release" / "shifted_clock.c"
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return str(library)


@pytest.mark.parametrize(
    ("shift", "why"),
    [(YEAR_S, "the CA's 20"), (-YEAR_S, "certificate is not yet valid")],
    ids=["a year ahead", "a year behind"],
)
def test_a_clock_that_is_a_year_off_is_said_and_orders_nothing(
    pebble: Pebble, start: Start, tmp_path: Path, shifted_clock: str, shift: int, why: str
) -> None:
    door = start(pebble, tmp_path / "door", shift={"LD_PRELOAD": shifted_clock, "FAKE_SHIFT": str(shift)})
    said = door.until("No new certificate")
    assert why in said
    assert "clock" in said
    assert "Set the clock of this machine" in said or "set it if that is wrong" in said
    assert "/order-plz" not in (tmp_path / "pebble" / "pebble.log").read_text()


def test_a_clock_that_is_set_a_year_ahead_ends_nothing(
    pebble: Pebble, start: Start, tmp_path: Path, shifted_clock: str
) -> None:
    """A certificate that was kept has ended by that clock: it is not shown, and the sentence says why."""
    pebble.config["certificateValidityPeriod"] = 90 * 86_400
    pebble.restart()
    first = start(pebble, tmp_path / "door")
    first.until(IN_USE)
    first.kill()
    shift = {"LD_PRELOAD": shifted_clock, "FAKE_SHIFT": str(YEAR_S)}
    second = start(pebble, tmp_path / "door", again=first, shift=shift)
    assert "or set the clock" in second.until("The certificate of an earlier start is not used")
    second.until("Set the clock of this machine")
    second.kill()
    third = start(pebble, tmp_path / "door", again=first)
    assert "The kept certificate is shown." in third.log


def test_waits_are_real_where_nobody_shortens_them(pebble: Pebble, start: Start, tmp_path: Path) -> None:
    """A refused order is not repeated by the log's next line: rate limits count refusals."""
    pebble.addresses(NAME, "127.0.0.99")
    door = start(pebble, tmp_path / "door", waits=QUICK)
    door.until("No new certificate")
    asked = (tmp_path / "pebble" / "pebble.log").read_text().count("/order-plz")
    with door.connect() as connection:
        for _ in range(20):
            assert echoes(connection)
    assert (tmp_path / "pebble" / "pebble.log").read_text().count("/order-plz") == asked
    assert len([line for line in door.log if "No new certificate" in line]) == 1
