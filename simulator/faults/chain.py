"""Quotes whose certificate chain is wrong in exactly one way. See `quote`."""

import datetime as dt
from collections.abc import Callable
from functools import cache

from cryptography import x509

from .. import pki, profile
from ..plans.quote import Plan, default_chain
from ..sgx_extension import sgx_extension
from . import Faults, name_of, summary_of

FAULTS: Faults[Plan] = Faults("quote")


def pck_leaf(**changes: object) -> x509.Certificate:
    """The PCK certificate with some arguments of `pki.issue` changed."""
    options: dict[str, object] = {
        "subject_key": "pck",
        "issuer": pki.PLATFORM_CA_NAME,
        "issuer_key": "platform-ca",
        "sgx": sgx_extension(),
    } | changes
    return pki.issue(pki.PCK_NAME, **options)  # type: ignore[arg-type]


def chain_fault(verdict: str = "refuse") -> Callable[[Callable[[], str]], Callable[[], str]]:
    """A fault that replaces the certificate chain."""

    def register(function: Callable[[], str]) -> Callable[[], str]:
        cached = cache(function)
        FAULTS.add(name_of(function), summary_of(function), lambda plan: setattr(plan, "chain", cached), verdict)
        return function

    return register


def _main(*names: str) -> list[x509.Certificate]:
    return [pki.certificate(name) for name in names]


@chain_fault()
def other_fmspc() -> str:
    """The PCK is of another platform model."""
    return pki.pem_chain(pck_leaf(sgx=sgx_extension(fmspc=profile.OTHER_FMSPC)), *_main("platform-ca", "root"))


@chain_fault("OutOfDate")
def pck_out_of_date() -> str:
    """The PCK's PCESVN matches only an out-of-date level."""
    return pki.pem_chain(pck_leaf(sgx=sgx_extension(pce_svn=7)), *_main("platform-ca", "root"))


@chain_fault()
def expired_pck() -> str:
    """The PCK certificate has expired."""
    end = dt.datetime(2021, 1, 1, tzinfo=dt.UTC)
    return pki.pem_chain(pck_leaf(not_after=end), *_main("platform-ca", "root"))


@chain_fault()
def future_pck() -> str:
    """The PCK certificate is not valid yet."""
    start = dt.datetime(2049, 1, 1, tzinfo=dt.UTC)
    return pki.pem_chain(pck_leaf(not_before=start), *_main("platform-ca", "root"))


@chain_fault()
def expired_ca() -> str:
    """The platform CA's certificate has expired."""
    ca = pki.issue(
        pki.PLATFORM_CA_NAME,
        subject_key="platform-ca",
        issuer=pki.ROOT_NAME,
        issuer_key="root",
        ca_path_length=0,
        not_after=dt.datetime(2021, 1, 1, tzinfo=dt.UTC),
    )
    return pki.pem_chain(*_main("pck"), ca, *_main("root"))


@FAULTS.fault()
def pck_issued_by_pck(plan: Plan) -> None:
    """The leaf was issued by a PCK leaf, which is no CA."""
    plan.qe_report_signer = "pck below a pck"
    plan.chain = _pck_below_pck


@cache
def _pck_below_pck() -> str:
    leaf = pck_leaf(subject_key="pck below a pck", issuer=pki.PCK_NAME, issuer_key="pck")
    return pki.pem_chain(leaf, *_main("pck", "platform-ca", "root"))


@chain_fault()
def issuer_name() -> str:
    """The leaf names an issuer other than the CA that signed it."""
    return pki.pem_chain(pck_leaf(issuer="Intel SGX PCK Processor CA"), *_main("platform-ca", "root"))


@FAULTS.fault()
def foreign_root(plan: Plan) -> None:
    """The whole chain lies under another root of the same name."""
    plan.chain = _foreign


@cache
def _foreign() -> str:
    root = pki.issue(
        pki.ROOT_NAME, subject_key="foreign root", issuer=pki.ROOT_NAME, issuer_key="foreign root", ca_path_length=1
    )
    ca = pki.issue(
        pki.PLATFORM_CA_NAME,
        subject_key="foreign platform-ca",
        issuer=pki.ROOT_NAME,
        issuer_key="foreign root",
        ca_path_length=0,
    )
    return pki.pem_chain(pck_leaf(issuer_key="foreign platform-ca"), ca, root)


@chain_fault()
def no_sgx_extension() -> str:
    """The leaf has no SGX extension."""
    return pki.pem_chain(pck_leaf(sgx=None), *_main("platform-ca", "root"))


@chain_fault()
def no_intermediate() -> str:
    """The chain lacks the platform CA."""
    return pki.pem_chain(*_main("pck", "root"))


@chain_fault()
def leaf_only() -> str:
    """The chain is the leaf alone."""
    return pki.pem_chain(*_main("pck"))


@chain_fault("harmless")
def no_root() -> str:
    """The chain ends with the platform CA; the root is the verifier's own anyway."""
    return pki.pem_chain(*_main("pck", "platform-ca"))


@chain_fault("harmless")
def crlf() -> str:
    """The PEM has CR LF line ends."""
    return default_chain().replace("\n", "\r\n")


@chain_fault()
def garbage_chain() -> str:
    """The certificate data is no PEM."""
    return "no certificate"
