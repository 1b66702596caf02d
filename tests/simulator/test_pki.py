"""The published PKI: what is committed is what the generator makes, with the names that verifiers need."""

from __future__ import annotations

from pathlib import Path

import dcap_qvl  # type: ignore[import-untyped]
from cryptography import x509

from simulator import embed, pki, profile


def test_committed_files_are_what_the_generator_makes(tmp_path: Path) -> None:
    pki.generate(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    committed = {path.name for path in pki.FOLDER.iterdir() if path.suffix in (".der", ".key")}
    assert committed == set(made)
    assert made == {name: (pki.FOLDER / name).read_bytes() for name in made}


def test_embedded_files_are_what_the_python_side_makes() -> None:
    for name, data in embed.contents().items():
        assert (embed.FOLDER / name).read_bytes() == data, name
    assert {p.relative_to(embed.FOLDER).as_posix() for p in embed.FOLDER.rglob("*.bin")} == set(embed.contents())


def test_names_are_intels() -> None:
    names = {name: pki.certificate(name).subject.rfc4514_string() for name in pki.CERTIFICATES}
    organisation = ",O=Intel Corporation,L=Santa Clara,ST=CA,C=US"
    common = {
        "root": "Intel SGX Root CA",
        "platform-ca": "Intel SGX PCK Platform CA",
        "pck": "Intel SGX PCK Certificate",
        "tcb-signing": "Intel SGX TCB Signing",
    }
    backwards = {name: ",".join(reversed(text.split(","))) for name, text in names.items()}
    assert backwards == {name: f"CN={cn}{organisation}" for name, cn in common.items()}


def test_root_is_no_root_of_intels() -> None:
    """It holds our published key, not the point with which Intel's production root key begins."""
    assert pki.certificate("root").public_key() == pki.key("root").public_key()
    assert pki.certificate("root").issuer == pki.certificate("root").subject
    assert b"\x0b\xa9\xc4\xc0\xc0\xc8\x61\x93\xa3\xfe\x23\xd6\xb0\x2c\xda\x10" not in pki.root_der()


def test_sgx_extension_reads_back() -> None:
    extension = dcap_qvl.parse_pck_extension_from_pem(pki.pem_chain(pki.certificate("pck")).encode())
    assert bytes(extension.fmspc) == profile.FMSPC
    assert bytes(extension.cpu_svn) == profile.CPU_SVN
    assert extension.pce_svn == profile.PCE_SVN
    assert bytes(extension.ppid) == profile.PPID
    assert (
        not pki.certificate("pck")
        .extensions.get_extension_for_oid(x509.ObjectIdentifier("1.2.840.113741.1.13.1"))
        .critical
    )


def test_keys_are_published_beside_the_certificates() -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    for name in pki.CERTIFICATES:
        key = load_pem_private_key((pki.FOLDER / f"{name}.key").read_bytes(), None)
        assert key.public_key() == pki.certificate(name).public_key()
    assert "protect nothing" in (pki.FOLDER / "README.md").read_text()
