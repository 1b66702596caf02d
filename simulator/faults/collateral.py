"""Collateral that is wrong in exactly one way, by name. Each says what a verifier must make of a good quote then."""

import datetime as dt
from collections.abc import Callable

from .. import pki, profile
from ..plans.collateral import EVALUATION_NUMBER, TCB_STATUSES, Crl, Plan, Signed, svn_level, tcb_info_values
from . import Faults

FAULTS: Faults[Plan] = Faults("collateral")


def apply(name: str, plan: Plan) -> None:
    """Change the plan; ValueError if there is no such fault."""
    FAULTS.find(name).apply(plan)


# --- dates -------------------------------------------------------------------------------------------------------
def _expire(*parts: Signed | Crl) -> None:
    for part in parts:
        part.issued -= dt.timedelta(days=60)
        part.expires -= dt.timedelta(days=60)


def _postdate(*parts: Signed | Crl) -> None:
    for part in parts:
        part.issued += dt.timedelta(days=20)
        part.expires += dt.timedelta(days=20)


FAULTS.add("expired", "all of it is a month overdue", lambda plan: _expire(*plan.parts))
FAULTS.add("expired-tcb-info", "TCB info is overdue", lambda plan: _expire(plan.tcb_info))
FAULTS.add("expired-qe-identity", "the QE identity is overdue", lambda plan: _expire(plan.qe_identity))
FAULTS.add("expired-root-crl", "the root's CRL is overdue", lambda plan: _expire(plan.root_crl))
FAULTS.add("expired-pck-crl", "the platform CA's CRL is overdue", lambda plan: _expire(plan.pck_crl))
FAULTS.add("future", "issued in the future", lambda plan: _postdate(plan.tcb_info, plan.qe_identity))


@FAULTS.fault()
def expired_signing_certificate(plan: Plan) -> None:
    """The TCB signing certificate has expired."""
    expired = pki.issue(
        pki.TCB_SIGNING_NAME,
        subject_key="tcb-signing",
        issuer=pki.ROOT_NAME,
        issuer_key="root",
        not_after=dt.datetime(2021, 1, 1, tzinfo=dt.UTC),
    )
    plan.tcb_info.chain = plan.qe_identity.chain = pki.pem_chain(expired, pki.certificate("root"))


# --- TCB status --------------------------------------------------------------------------------------------------
def _tcb_status(status: str) -> Callable[[Plan], None]:
    return lambda plan: plan.tcb_info.values.update(tcb_info_values(status))


for _status in TCB_STATUSES[1:]:
    FAULTS.add(
        f"tcb-{_status}",
        f"the platform's TCB level says {_status}",
        _tcb_status(_status),
        "refuse" if _status == "Revoked" else _status,
    )
FAULTS.add("out-of-date", "the platform's TCB level says OutOfDate", _tcb_status("OutOfDate"), "OutOfDate")


@FAULTS.fault()
def no_matching_level(plan: Plan) -> None:
    """Every TCB level asks for more than the platform has."""
    for level in plan.tcb_info.values["tcbLevels"]:  # type: ignore[attr-defined]
        level["tcb"]["pcesvn"] = profile.PCE_SVN + 1


@FAULTS.fault("OutOfDate")
def qe_out_of_date(plan: Plan) -> None:
    """The QE matches only an out-of-date level."""
    plan.qe_identity.values["tcbLevels"] = [svn_level(profile.QE_ISV_SVN + 1, "UpToDate"), svn_level(4, "OutOfDate")]


@FAULTS.fault()
def qe_revoked(plan: Plan) -> None:
    """The QE's level says Revoked."""
    plan.qe_identity.values["tcbLevels"] = [svn_level(profile.QE_ISV_SVN, "Revoked")]


@FAULTS.fault("OutOfDate")
def module_out_of_date(plan: Plan) -> None:
    """The TDX module matches only an out-of-date level."""
    identity = plan.tcb_info.values["tdxModuleIdentities"][0]  # type: ignore[index]
    identity["tcbLevels"] = [svn_level(7, "UpToDate"), svn_level(3, "OutOfDate")]


@FAULTS.fault("UpToDate")
def old_evaluation(plan: Plan) -> None:
    """A lower TCB evaluation data number than Intel's newest (still in date)."""
    for signed in (plan.tcb_info, plan.qe_identity):
        signed.values["tcbEvaluationDataNumber"] = EVALUATION_NUMBER - 1


@FAULTS.fault("UpToDate")
def old_crl(plan: Plan) -> None:
    """Lower CRL numbers than the newest (still in date)."""
    plan.root_crl.number = plan.pck_crl.number = 1


# --- revocation --------------------------------------------------------------------------------------------------
@FAULTS.fault()
def revoked_pck(plan: Plan) -> None:
    """The platform CA revoked the PCK certificate."""
    plan.pck_crl.revoked.append(pki.certificate("pck").serial_number)


@FAULTS.fault()
def revoked_ca(plan: Plan) -> None:
    """The root revoked the platform CA."""
    plan.root_crl.revoked.append(pki.certificate("platform-ca").serial_number)


@FAULTS.fault()
def revoked_tcb_signing(plan: Plan) -> None:
    """The root revoked the TCB signing certificate."""
    plan.root_crl.revoked.append(pki.certificate("tcb-signing").serial_number)


@FAULTS.fault()
def forged_root_crl(plan: Plan) -> None:
    """The root's CRL is signed by another key."""
    plan.root_crl.signer = "forger"


@FAULTS.fault()
def forged_pck_crl(plan: Plan) -> None:
    """The platform CA's CRL is signed by another key."""
    plan.pck_crl.signer = "forger"


@FAULTS.fault()
def garbage_root_crl(plan: Plan) -> None:
    """The root's CRL is no CRL."""
    plan.root_crl.garbage = b"no CRL"


@FAULTS.fault()
def garbage_pck_crl(plan: Plan) -> None:
    """The platform CA's CRL is no CRL."""
    plan.pck_crl.garbage = b"no CRL"


@FAULTS.fault()
def wrong_issuer_pck_crl(plan: Plan) -> None:
    """The root's CRL stands in the platform CA's place."""
    plan.pck_crl.issuer, plan.pck_crl.signer = pki.ROOT_NAME, "root"


# --- identity ----------------------------------------------------------------------------------------------------
@FAULTS.fault()
def other_fmspc(plan: Plan) -> None:
    """TCB info is of another platform model."""
    plan.tcb_info.values["fmspc"] = profile.OTHER_FMSPC.hex().upper()


@FAULTS.fault()
def other_pce_id(plan: Plan) -> None:
    """TCB info is of another PCE."""
    plan.tcb_info.values["pceId"] = "0001"


@FAULTS.fault()
def sgx_tcb_info(plan: Plan) -> None:
    """TCB info is for SGX."""
    plan.tcb_info.values["id"] = "SGX"


@FAULTS.fault()
def sgx_qe_identity(plan: Plan) -> None:
    """The QE identity is the SGX QE's."""
    plan.qe_identity.values["id"] = "QE"


@FAULTS.fault()
def wrong_qe_identity(plan: Plan) -> None:
    """The QE identity names another signer."""
    plan.qe_identity.values["mrsigner"] = "AB" * 32


@FAULTS.fault()
def wrong_module_signer(plan: Plan) -> None:
    """The TDX module identity names another signer."""
    plan.tcb_info.values["tdxModuleIdentities"][0]["mrsigner"] = "AB" * 48  # type: ignore[index]


# --- who signed --------------------------------------------------------------------------------------------------
def _tamper(signed: Signed) -> None:
    signed.tamper = lambda text: text.replace('"tcbEvaluationDataNumber":17', '"tcbEvaluationDataNumber":18')


FAULTS.add("tampered-tcb-info", "TCB info was changed after it was signed", lambda plan: _tamper(plan.tcb_info))
FAULTS.add(
    "tampered-qe-identity", "the QE identity was changed after it was signed", lambda plan: _tamper(plan.qe_identity)
)


def _by_pck(signed: Signed) -> None:
    signed.signer = "pck"
    signed.chain = pki.pem_chain(*(pki.certificate(name) for name in ("pck", "platform-ca", "root")))


FAULTS.add(
    "tcb-info-signed-by-pck",
    "TCB info is signed by a PCK certificate (roles not separated)",
    lambda plan: _by_pck(plan.tcb_info),
)
FAULTS.add(
    "qe-identity-signed-by-pck",
    "the QE identity is signed by a PCK certificate (roles not separated)",
    lambda plan: _by_pck(plan.qe_identity),
)


@FAULTS.fault()
def foreign_root(plan: Plan) -> None:
    """TCB info and QE identity lie under another root of the same name."""
    root = pki.issue(
        pki.ROOT_NAME, subject_key="foreign root", issuer=pki.ROOT_NAME, issuer_key="foreign root", ca_path_length=1
    )
    leaf = pki.issue(pki.TCB_SIGNING_NAME, subject_key="tcb-signing", issuer=pki.ROOT_NAME, issuer_key="foreign root")
    plan.tcb_info.chain = plan.qe_identity.chain = pki.pem_chain(leaf, root)
