"""Quotes whose certificate chain is wrong in exactly one way. See `quote`."""

import datetime as dt
from collections.abc import Callable
from functools import cache

from cryptography import x509

from .. import pki, profile
from ..plans.quote import Plan, default_chain
from ..sgx_extension import sgx_extension
from . import Faults, name_of

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


def chain_fault(summary: str, verdict: str = "refuse") -> Callable[[Callable[[], str]], Callable[[], str]]:
    """A fault that replaces the certificate chain."""

    def register(function: Callable[[], str]) -> Callable[[], str]:
        cached = cache(function)
        FAULTS.add(name_of(function), summary, lambda plan: setattr(plan, "chain", cached), verdict)
        return function

    return register


def _main(*names: str) -> list[x509.Certificate]:
    return [pki.certificate(name) for name in names]


@chain_fault("the PCK is of another platform model")
def other_fmspc() -> str:
    return pki.pem_chain(pck_leaf(sgx=sgx_extension(fmspc=profile.OTHER_FMSPC)), *_main("platform-ca", "root"))


@chain_fault("the PCK's PCESVN matches only an out-of-date level", "OutOfDate")
def pck_out_of_date() -> str:
    return pki.pem_chain(pck_leaf(sgx=sgx_extension(pce_svn=7)), *_main("platform-ca", "root"))


@chain_fault("the PCK certificate has expired")
def expired_pck() -> str:
    end = dt.datetime(2021, 1, 1, tzinfo=dt.UTC)
    return pki.pem_chain(pck_leaf(not_after=end), *_main("platform-ca", "root"))


@chain_fault("the PCK certificate is not valid yet")
def future_pck() -> str:
    start = dt.datetime(2049, 1, 1, tzinfo=dt.UTC)
    return pki.pem_chain(pck_leaf(not_before=start), *_main("platform-ca", "root"))


@chain_fault("the platform CA's certificate has expired")
def expired_ca() -> str:
    ca = pki.issue(
        pki.PLATFORM_CA_NAME,
        subject_key="platform-ca",
        issuer=pki.ROOT_NAME,
        issuer_key="root",
        ca_path_length=0,
        not_after=dt.datetime(2021, 1, 1, tzinfo=dt.UTC),
    )
    return pki.pem_chain(*_main("pck"), ca, *_main("root"))


@FAULTS.fault("the leaf was issued by a PCK leaf, which is no CA")
def pck_issued_by_pck(plan: Plan) -> None:
    plan.qe_report_signer = "pck below a pck"
    plan.chain = _pck_below_pck


@cache
def _pck_below_pck() -> str:
    leaf = pck_leaf(subject_key="pck below a pck", issuer=pki.PCK_NAME, issuer_key="pck")
    return pki.pem_chain(leaf, *_main("pck", "platform-ca", "root"))


@chain_fault("the leaf names an issuer other than the CA that signed it")
def issuer_name() -> str:
    return pki.pem_chain(pck_leaf(issuer="Intel SGX PCK Processor CA"), *_main("platform-ca", "root"))


@FAULTS.fault("the whole chain lies under another root of the same name")
def foreign_root(plan: Plan) -> None:
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


@chain_fault("the leaf has no SGX extension")
def no_sgx_extension() -> str:
    return pki.pem_chain(pck_leaf(sgx=None), *_main("platform-ca", "root"))


@chain_fault("the chain lacks the platform CA")
def no_intermediate() -> str:
    return pki.pem_chain(*_main("pck", "root"))


@chain_fault("the chain is the leaf alone")
def leaf_only() -> str:
    return pki.pem_chain(*_main("pck"))


@chain_fault("the chain ends with the platform CA; the root is the verifier's own anyway", "harmless")
def no_root() -> str:
    return pki.pem_chain(*_main("pck", "platform-ca"))


@chain_fault("the PEM has CR LF line ends", "harmless")
def crlf() -> str:
    return default_chain().replace("\n", "\r\n")


@chain_fault("the certificate data is no PEM")
def garbage_chain() -> str:
    return "no certificate"
