"""The plan of the simulated platform's collateral and its signed parts, in dcap-qvl's shape.

TCB info and QE identity follow Intel's PCS API version 4 (TCB info version 3, enclave identity version 2); both are
signed over their exact JSON text. CRLs and signatures are lower-case hex, issuer chains PEM with the leaf first.
"""

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from .. import pki, profile

VALID_FOR = dt.timedelta(days=30)
EVALUATION_NUMBER = 17
ADVISORIES = ["INTEL-SA-00837", "INTEL-SA-00960"]
TCB_STATUSES = (
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "Revoked",
)


@dataclass
class Signed:
    """A signed JSON text and the certificates that vouch for it."""

    issued: dt.datetime
    expires: dt.datetime
    values: dict[str, object]
    signer: str = "tcb-signing"
    chain: str = field(default_factory=lambda: pki.pem_chain(pki.certificate("tcb-signing"), pki.certificate("root")))
    spell: Callable[[str], str] | None = None  # writes the text otherwise before it is signed
    tamper: Callable[[str], str] | None = None  # changes the text after it was signed

    def text(self) -> str:
        """The text that is signed."""
        head = {key: self.values[key] for key in ("id", "version") if key in self.values}
        dates = {"issueDate": stamp(self.issued), "nextUpdate": stamp(self.expires)}
        text = json.dumps(head | dates | self.values, separators=(",", ":"))
        return self.spell(text) if self.spell else text


@dataclass
class Crl:
    """A CRL to be signed, or garbage in its place."""

    issuer: str
    signer: str
    issued: dt.datetime
    expires: dt.datetime
    number: int = 2
    revoked: list[int] = field(default_factory=list)
    garbage: bytes | None = None

    def der(self) -> bytes:
        """The CRL's bytes."""
        if self.garbage is not None:
            return self.garbage
        return pki.crl(
            self.issuer,
            self.signer,
            this_update=self.issued,
            next_update=self.expires,
            number=self.number,
            revoked=self.revoked,
        )


@dataclass
class Plan:
    """Everything that decides the collateral. A fault changes some of it before it is signed."""

    tcb_info: Signed
    qe_identity: Signed
    root_crl: Crl
    pck_crl: Crl
    pck_crl_chain: str

    @property
    def parts(self) -> tuple[Signed | Crl, ...]:
        """The four dated parts."""
        return self.tcb_info, self.qe_identity, self.root_crl, self.pck_crl


def stamp(when: dt.datetime) -> str:
    """ISO 8601 in UTC with seconds, as Intel writes it."""
    return when.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def components(svns: bytes) -> list[dict[str, int]]:
    """Sixteen TCB components as TCB info lists them."""
    return [{"svn": svn} for svn in svns]


def tcb_level(status: str, *, pce_svn: int, microcode: int, cpu: bytes = profile.CPU_SVN) -> dict[str, object]:
    """One platform TCB level; everything but UpToDate carries advisories."""
    tdx = bytes((5, 0, microcode)) + bytes(13)
    level: dict[str, object] = {
        "tcb": {"sgxtcbcomponents": components(cpu), "pcesvn": pce_svn, "tdxtcbcomponents": components(tdx)},
        "tcbDate": "2025-03-12T00:00:00Z" if status == "UpToDate" else "2023-08-09T00:00:00Z",
        "tcbStatus": status,
    }
    return level if status == "UpToDate" else level | {"advisoryIDs": ADVISORIES}


def svn_level(svn: int, status: str) -> dict[str, object]:
    """One level of an enclave's or module's identity."""
    level: dict[str, object] = {
        "tcb": {"isvsvn": svn},
        "tcbDate": "2025-03-12T00:00:00Z" if status == "UpToDate" else "2023-08-09T00:00:00Z",
        "tcbStatus": status,
    }
    return level if status == "UpToDate" else level | {"advisoryIDs": ADVISORIES[:1]}


def tcb_info_values(status: str = "UpToDate") -> dict[str, object]:
    """TCB info's members; `status` is what the simulated platform's own level says. Levels are listed highest first."""
    module = {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8}
    old_cpu = bytes(min(svn, 2) for svn in profile.CPU_SVN)
    return {
        "id": "TDX",
        "version": 3,
        "fmspc": profile.FMSPC.hex().upper(),
        "pceId": profile.PCE_ID.hex().upper(),
        "tcbType": 0,
        "tcbEvaluationDataNumber": EVALUATION_NUMBER,
        "tdxModule": module,
        "tdxModuleIdentities": [
            {"id": "TDX_01", **module, "tcbLevels": [svn_level(6, "UpToDate"), svn_level(3, "OutOfDate")]}
        ],
        "tcbLevels": [
            tcb_level(status, pce_svn=profile.PCE_SVN, microcode=3),
            tcb_level("OutOfDate", pce_svn=5, microcode=2, cpu=old_cpu),
        ],
    }


def qe_identity_values() -> dict[str, object]:
    """The TD QE's identity."""
    return {
        "id": "TD_QE",
        "version": 2,
        "tcbEvaluationDataNumber": EVALUATION_NUMBER,
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": "11000000000000000000000000000000",
        "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
        "mrsigner": profile.QE_MR_SIGNER.hex().upper(),
        "isvprodid": profile.QE_ISV_PROD_ID,
        "tcbLevels": [svn_level(profile.QE_ISV_SVN, "UpToDate"), svn_level(4, "OutOfDate")],
    }


def plan(now: dt.datetime) -> Plan:
    """Collateral as a relying party finds it at `now`: issued a day before, due in 29 days."""
    issued = now.astimezone(dt.UTC).replace(microsecond=0) - dt.timedelta(days=1)
    expires = issued + VALID_FOR
    return Plan(
        tcb_info=Signed(issued, expires, tcb_info_values()),
        qe_identity=Signed(issued, expires, qe_identity_values()),
        root_crl=Crl(pki.ROOT_NAME, "root", issued, expires),
        pck_crl=Crl(pki.PLATFORM_CA_NAME, "platform-ca", issued, expires),
        pck_crl_chain=pki.pem_chain(pki.certificate("platform-ca"), pki.certificate("root")),
    )


def assemble(made: Plan) -> dict[str, str]:
    """dcap-qvl's collateral object that the plan describes, freshly signed; all members text."""
    result = {
        "pck_crl_issuer_chain": made.pck_crl_chain,
        "root_ca_crl": made.root_crl.der().hex(),
        "pck_crl": made.pck_crl.der().hex(),
    }
    for name, signed in (("tcb_info", made.tcb_info), ("qe_identity", made.qe_identity)):
        text = signed.text()
        result[f"{name}_issuer_chain"] = signed.chain
        result[name] = signed.tamper(text) if signed.tamper else text
        result[f"{name}_signature"] = pki.sign(signed.signer, text.encode()).hex()
    return result
