"""Collateral that is wrong in exactly one way, by name. Each says what a verifier must make of a good quote then."""

import datetime as dt
from collections.abc import Callable

from . import pki, profile
from .collateral import EVALUATION_NUMBER, TCB_STATUSES, Crl, Plan, Signed, svn_level, tcb_info_values
from .faults import Fault, find, registrar

FAULTS: dict[str, Fault[Plan]] = {}
fault = registrar(FAULTS)


def apply(name: str, plan: Plan) -> None:
    """Change the plan; ValueError if there is no such fault."""
    find("collateral", FAULTS, name).apply(plan)


# --- dates -------------------------------------------------------------------------------------------------------
def _expire(*parts: Signed | Crl) -> None:
    for part in parts:
        part.issued -= dt.timedelta(days=60)
        part.expires -= dt.timedelta(days=60)


def _postdate(*parts: Signed | Crl) -> None:
    for part in parts:
        part.issued += dt.timedelta(days=20)
        part.expires += dt.timedelta(days=20)


fault("expired", "all of it is a month overdue")(lambda plan: _expire(*plan.parts))
fault("expired-tcb-info", "TCB info is overdue")(lambda plan: _expire(plan.tcb_info))
fault("expired-qe-identity", "the QE identity is overdue")(lambda plan: _expire(plan.qe_identity))
fault("expired-root-crl", "the root's CRL is overdue")(lambda plan: _expire(plan.root_crl))
fault("expired-pck-crl", "the platform CA's CRL is overdue")(lambda plan: _expire(plan.pck_crl))
fault("future", "issued in the future")(lambda plan: _postdate(plan.tcb_info, plan.qe_identity))


@fault("expired-signing-certificate", "the TCB signing certificate has expired")
def _(plan: Plan) -> None:
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
    fault(f"tcb-{_status}", f"the platform's TCB level says {_status}", "refuse" if _status == "Revoked" else _status)(
        _tcb_status(_status)
    )
fault("out-of-date", "the platform's TCB level says OutOfDate", "OutOfDate")(_tcb_status("OutOfDate"))


@fault("no-matching-level", "every TCB level asks for more than the platform has")
def _(plan: Plan) -> None:
    for level in plan.tcb_info.values["tcbLevels"]:  # type: ignore[attr-defined]
        level["tcb"]["pcesvn"] = profile.PCE_SVN + 1


@fault("qe-out-of-date", "the QE matches only an out-of-date level", "OutOfDate")
def _(plan: Plan) -> None:
    plan.qe_identity.values["tcbLevels"] = [svn_level(profile.QE_ISV_SVN + 1, "UpToDate"), svn_level(4, "OutOfDate")]


@fault("qe-revoked", "the QE's level says Revoked")
def _(plan: Plan) -> None:
    plan.qe_identity.values["tcbLevels"] = [svn_level(profile.QE_ISV_SVN, "Revoked")]


@fault("module-out-of-date", "the TDX module matches only an out-of-date level", "OutOfDate")
def _(plan: Plan) -> None:
    identity = plan.tcb_info.values["tdxModuleIdentities"][0]  # type: ignore[index]
    identity["tcbLevels"] = [svn_level(7, "UpToDate"), svn_level(3, "OutOfDate")]


@fault("old-evaluation", "a lower TCB evaluation data number than Intel's newest (still in date)", "UpToDate")
def _(plan: Plan) -> None:
    for signed in (plan.tcb_info, plan.qe_identity):
        signed.values["tcbEvaluationDataNumber"] = EVALUATION_NUMBER - 1


@fault("old-crl", "lower CRL numbers than the newest (still in date)", "UpToDate")
def _(plan: Plan) -> None:
    plan.root_crl.number = plan.pck_crl.number = 1


# --- revocation --------------------------------------------------------------------------------------------------
@fault("revoked-pck", "the platform CA revoked the PCK certificate")
def _(plan: Plan) -> None:
    plan.pck_crl.revoked.append(pki.certificate("pck").serial_number)


@fault("revoked-ca", "the root revoked the platform CA")
def _(plan: Plan) -> None:
    plan.root_crl.revoked.append(pki.certificate("platform-ca").serial_number)


@fault("revoked-tcb-signing", "the root revoked the TCB signing certificate")
def _(plan: Plan) -> None:
    plan.root_crl.revoked.append(pki.certificate("tcb-signing").serial_number)


@fault("forged-root-crl", "the root's CRL is signed by another key")
def _(plan: Plan) -> None:
    plan.root_crl.signer = "forger"


@fault("forged-pck-crl", "the platform CA's CRL is signed by another key")
def _(plan: Plan) -> None:
    plan.pck_crl.signer = "forger"


@fault("garbage-root-crl", "the root's CRL is no CRL")
def _(plan: Plan) -> None:
    plan.root_crl.garbage = b"no CRL"


@fault("garbage-pck-crl", "the platform CA's CRL is no CRL")
def _(plan: Plan) -> None:
    plan.pck_crl.garbage = b"no CRL"


@fault("wrong-issuer-pck-crl", "the root's CRL stands in the platform CA's place")
def _(plan: Plan) -> None:
    plan.pck_crl.issuer, plan.pck_crl.signer = pki.ROOT_NAME, "root"


# --- identity ----------------------------------------------------------------------------------------------------
@fault("other-fmspc", "TCB info is of another platform model")
def _(plan: Plan) -> None:
    plan.tcb_info.values["fmspc"] = profile.OTHER_FMSPC.hex().upper()


@fault("other-pce-id", "TCB info is of another PCE")
def _(plan: Plan) -> None:
    plan.tcb_info.values["pceId"] = "0001"


@fault("sgx-tcb-info", "TCB info is for SGX")
def _(plan: Plan) -> None:
    plan.tcb_info.values["id"] = "SGX"


@fault("sgx-qe-identity", "the QE identity is the SGX QE's")
def _(plan: Plan) -> None:
    plan.qe_identity.values["id"] = "QE"


@fault("wrong-qe-identity", "the QE identity names another signer")
def _(plan: Plan) -> None:
    plan.qe_identity.values["mrsigner"] = "AB" * 32


@fault("wrong-module-signer", "the TDX module identity names another signer")
def _(plan: Plan) -> None:
    plan.tcb_info.values["tdxModuleIdentities"][0]["mrsigner"] = "AB" * 48  # type: ignore[index]


# --- who signed --------------------------------------------------------------------------------------------------
def _tamper(signed: Signed) -> None:
    signed.tamper = lambda text: text.replace('"tcbEvaluationDataNumber":17', '"tcbEvaluationDataNumber":18')


fault("tampered-tcb-info", "TCB info was changed after it was signed")(lambda plan: _tamper(plan.tcb_info))
fault("tampered-qe-identity", "the QE identity was changed after it was signed")(lambda plan: _tamper(plan.qe_identity))


def _by_pck(signed: Signed) -> None:
    signed.signer = "pck"
    signed.chain = pki.pem_chain(*(pki.certificate(name) for name in ("pck", "platform-ca", "root")))


fault("tcb-info-signed-by-pck", "TCB info is signed by a PCK certificate (roles not separated)")(
    lambda plan: _by_pck(plan.tcb_info)
)
fault("qe-identity-signed-by-pck", "the QE identity is signed by a PCK certificate (roles not separated)")(
    lambda plan: _by_pck(plan.qe_identity)
)


@fault("foreign-root", "TCB info and QE identity lie under another root of the same name")
def _(plan: Plan) -> None:
    root = pki.issue(
        pki.ROOT_NAME, subject_key="foreign root", issuer=pki.ROOT_NAME, issuer_key="foreign root", ca_path_length=1
    )
    leaf = pki.issue(pki.TCB_SIGNING_NAME, subject_key="tcb-signing", issuer=pki.ROOT_NAME, issuer_key="foreign root")
    plan.tcb_info.chain = plan.qe_identity.chain = pki.pem_chain(leaf, root)
