"""What the launcher opens for the door: sockets, the file with its key, and keys that were given."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from door import tls
from door.authority import AUTHORITIES
from door.keeping import CHAIN, KEY, Keep
from launcher.datadir import DataDir
from launcher.errors import SettingError, UnavailableError
from launcher.plan import settings
from launcher.serve import accounts, listening, tls_keys
from launcher.serve.door import say_what_others_may_read
from tests.door.authorities import TestAuthority
from tests.ports import free_port

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps keys below /run")
ORIGIN = "https://chat.example"


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield int(other.getsockname()[1])


def test_every_address_of_a_name_is_listened_on() -> None:
    found = listening.bound("localhost", free_port(), "PORT")
    assert {each.family for each in found} >= {socket.AF_INET} and len({each.getsockname() for each in found}) == len(
        found
    )
    for each in found:
        each.close()


def test_a_port_that_is_taken_is_named_with_its_setting(taken: int) -> None:
    with pytest.raises(UnavailableError, match=f"127.0.0.1:{taken}; choose another PORT"):
        listening.bound("127.0.0.1", taken, "PORT")
    with pytest.raises(UnavailableError, match="HOST=192.0.2.1 is not an address of this machine"):
        listening.bound("192.0.2.1", free_port(), "PORT")


def test_port_80_taken_is_a_word_for_redirects_and_an_end_for_acme(
    taken: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(settings.Settings, "redirect_port", taken)
    base = {"PORT": str(free_port()), "ORIGIN": ORIGIN}
    with listening.opened(settings.load({**base, "TLS": "self-signed"})) as (sockets, redirects):
        assert sockets and not redirects
    assert f"127.0.0.1:{taken}; choose another HTTP_PORT" in capsys.readouterr().out
    for environ in ({"TLS": "acme"}, {"TLS": "self-signed", "HTTP_PORT": str(taken)}):
        with pytest.raises(UnavailableError, match="HTTP_PORT"), listening.opened(settings.load({**base, **environ})):
            pass


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"TLS": "on"}, "choose one of: off, self-signed, acme, files"),
        ({"TLS": "files"}, "needs TLS_CERT_FILE and TLS_KEY_FILE"),
        ({"TLS": "files", "TLS_CERT_FILE": "/a"}, "needs TLS_CERT_FILE and TLS_KEY_FILE"),
        ({"TLS_CERT_FILE": "/a"}, "set TLS=files"),
        ({"TLS": "acme"}, "TLS=acme needs ORIGIN"),
        ({"TLS": "acme", "ORIGIN": "https://192.0.2.1"}, "TLS=acme needs ORIGIN"),
        ({"TLS": "acme", "ORIGIN": "https://localhost"}, "TLS=acme needs ORIGIN"),
        ({"TLS": "acme", "ORIGIN": ORIGIN, "ACME_DIRECTORY": "http://ca.example"}, "not an https address"),
        ({"TLS": "acme", "ORIGIN": ORIGIN, "ACME_CONTACT": "me"}, "not a mail address"),
        ({"TLS": "acme", "ORIGIN": ORIGIN, "HTTP_PORT": "0"}, "HTTP_PORT=0"),
        ({"TLS": "self-signed", "ORIGIN": "http://chat.example"}, "not an https address"),
        ({"HTTP_PORT": "80"}, "TLS is off"),
    ],
)
def test_settings_of_tls_that_do_not_fit_together(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        settings.load(environ)


def test_plain_http_is_redirected_only_where_there_is_an_address_for_it() -> None:
    def port(**environ: str) -> int:
        return settings.load({"TLS": "self-signed", **environ}).redirect_port

    assert port(ORIGIN=ORIGIN) == 80 and port(ORIGIN=ORIGIN, HTTP_PORT="8081") == 8081
    assert (
        port() == 0 and port(ORIGIN=ORIGIN, HTTP_PORT="0") == 0 and settings.load({"ORIGIN": ORIGIN}).redirect_port == 0
    )


@pytest.fixture
def pair(tmp_path: Path) -> dict[str, str]:
    """Settings of TLS=files that work: a key, and a certificate for it and chat.example."""
    made = tls.Certificates(tls.draw(), ("chat.example",), "given")
    write(tmp_path, made, datetime.now(UTC))
    paths = {"TLS_CERT_FILE": str(tmp_path / "cert.pem"), "TLS_KEY_FILE": str(tmp_path / "key.pem")}
    return {"TLS": "files", "ORIGIN": ORIGIN, **paths}


def write(folder: Path, made: tls.Certificates, when: datetime) -> None:
    (folder / "cert.pem").write_bytes(tls._self_signed(made._key, made.names, when))
    (folder / "key.pem").write_bytes(made.key_pem)
    (folder / "key.pem").chmod(0o600)


def given(environ: dict[str, str], tmp_path: Path) -> Keep:
    with tls_keys.opened(settings.load(environ), DataDir(tmp_path, "boot")) as handle:
        return Keep(os.dup(handle))


def test_files_are_handed_over(pair: dict[str, str], tmp_path: Path) -> None:
    keep = given(pair, tmp_path)
    assert keep.get(KEY).encode() == (tmp_path / "key.pem").read_bytes()
    assert keep.get(CHAIN).encode() == (tmp_path / "cert.pem").read_bytes()


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("absent", "TLS_KEY_FILE=.*key.pem cannot be read: No such file"),
        ("folder", "TLS_CERT_FILE=.*cert.pem cannot be read: it is a folder"),
        ("open", r"can be read by others \(mode 0644\)"),
        ("group", r"can be read by others \(mode 0640\)"),
        ("other key", "for another key"),
        ("expired", "expired at 2024-.*renew the certificate"),
        ("next year", "valid only from .*set the clock"),
        ("other name", "is for elsewhere.example, not for chat.example"),
        ("encrypted", "encrypted with a passphrase"),
        ("text", "is not a private key in PEM form"),
        ("endless", "longer than"),
    ],
)
def test_files_that_cannot_be_used(pair: dict[str, str], tmp_path: Path, fault: str, sentence: str) -> None:
    spoil(tmp_path, fault)
    with pytest.raises(SettingError, match=sentence):
        given(pair, tmp_path)


def spoil(folder: Path, fault: str) -> None:
    cert, key = folder / "cert.pem", folder / "key.pem"
    made = tls.Certificates(key.read_bytes(), ("chat.example",), "given")
    now = datetime.now(UTC)
    if fault == "absent":
        key.unlink()
    elif fault == "folder":
        cert.unlink()
        cert.mkdir()
    elif fault in ("open", "group"):
        key.chmod(0o644 if fault == "open" else 0o640)
    elif fault == "other key":
        key.write_bytes(tls.draw())
    elif fault in ("expired", "next year"):
        write(folder, made, datetime(2023, 1, 1, tzinfo=UTC) if fault == "expired" else now + timedelta(days=400))
    elif fault == "other name":
        write(folder, tls.Certificates(made.key_pem, ("elsewhere.example",), "given"), now)
    elif fault == "encrypted":
        key.write_bytes(encrypted(made))
    else:
        key.write_bytes(b"hello" if fault == "text" else b"x" * (tls_keys.MAX_FILE + 1))


def encrypted(made: tls.Certificates) -> bytes:
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    return made._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))


@root_only
@pytest.mark.attack
def test_a_drawn_key_lies_where_only_root_reads_and_only_for_this_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_keys, "RUN", tmp_path)
    monkeypatch.setattr(tls_keys, "_root_keeps", lambda: True)
    chosen = settings.load({"TLS": "self-signed"})

    def kept(boot: str, folder: str = "data") -> str:
        with tls_keys.opened(chosen, DataDir(tmp_path / folder, boot)) as handle:
            keep = Keep(handle)
            keep.put("x", keep.get("x") + "1")
            return keep.get("x")

    assert [kept("a"), kept("a"), kept("b"), kept("a", "other")] == ["1", "11", "1", "1"]
    for path in (tmp_path / "open-webui-tdx").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)
    (file,) = (tmp_path / "open-webui-tdx/b").iterdir()
    file.chmod(0o644)
    with pytest.raises(UnavailableError, match="not root's alone"):
        kept("b")
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnavailableError, match="symbolic link"):
        kept("b")


@pytest.mark.attack
@pytest.mark.parametrize("mounted", ["overlay", "ext4"])
def test_a_key_is_never_written_to_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounted: str) -> None:
    """/run is on a disk, as in some containers: the key then lives as long as the launch."""
    table = tmp_path / "mountinfo"
    table.write_text(f"1 0 0:1 / / rw - {mounted} x rw\n2 1 0:2 / /tmp rw - tmpfs x rw\n")
    monkeypatch.setattr(tls_keys, "MOUNTS", table)
    assert not tls_keys._root_keeps()
    with tls_keys.opened(settings.load({"TLS": "self-signed"}), DataDir(tmp_path, "boot")) as handle:
        assert "memfd" in str(Path(f"/proc/self/fd/{handle}").readlink())
    table.write_text("1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / /run rw shared:1 - tmpfs x rw\n")
    assert tls_keys._root_keeps() == (os.geteuid() == 0)


def test_the_cas_of_a_ca_are_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_keys, "_root_keeps", lambda: False)
    root = TestAuthority().root.decode()
    (tmp_path / "ca.pem").write_text(root)
    environ = {"TLS": "acme", "ORIGIN": ORIGIN, "ACME_CA_FILE": str(tmp_path / "ca.pem")}
    assert given(environ, tmp_path).get(AUTHORITIES) == root
    with pytest.raises(SettingError, match="ACME_CA_FILE"):
        given({**environ, "ACME_CA_FILE": str(tmp_path / "gone.pem")}, tmp_path)
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(SettingError, match=r"ca\.pem holds no certificate in PEM form"):
        given(environ, tmp_path)


@root_only
@pytest.mark.attack
def test_the_door_has_an_account_that_nothing_else_runs_as() -> None:
    user = accounts.for_door(True, [Path("/usr/bin/env")], None)
    assert user is not None and user.uid in accounts.OWN_NUMBERS and user.uid == user.gid
    with pytest.raises(UnavailableError, match="one account"):
        accounts.for_door(True, [], user)


@root_only
def test_a_door_that_cannot_reach_the_release(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    with pytest.raises(UnavailableError, match="must not run as root"):
        accounts.for_door(True, [tmp_path / "private"], None)
    assert accounts.for_door(False, [tmp_path / "private"], None) is None


def test_names_of_a_certificate() -> None:
    made = tls.Certificates(tls.draw(), ("*.chat.example", "chat.example", "2001:db8::1"), "given")
    made.self_sign()
    for name in ("chat.example", "a.chat.example", "2001:db8::1"):
        tls.check_names(made, (name,))
    for name in ("a.b.chat.example", "example", "chat.example.evil", "2001:db8::2"):
        with pytest.raises(tls.TlsError, match=name):
            tls.check_names(made, (name,))
    assert isinstance(made.context, ssl.SSLContext)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"HOST": "0.0.0.0"}, "reads no word, but delivers the pages"),
        ({"HOST": "0.0.0.0", "TEE_CHANNEL": "offer"}, "reads every word"),
        ({}, ""),
    ],
)
def test_what_whoever_ends_tls_can_do_is_said(
    environ: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say_what_others_may_read(settings.load(environ))
    captured = capsys.readouterr()
    output = " ".join((captured.out + captured.err).split())
    assert said in output and bool(output) == bool(said)
