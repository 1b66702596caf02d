"""The TCB: what Intel's signed documents say of the security versions of platform, TDX module and quoting enclave.

dcap-qvl judges this as well, but gives no answer for what it refuses: a platform, module or enclave below every level
that Intel lists, or a TD with a service TD. Both are genuine, and the second may be accepted. `genuine` asks both and
believes neither alone where both answer. Call only with documents of Intel's shape (`intel_documents`) whose signatures
dcap-qvl has checked.
(Intel PCS API version 4, "Get TDX TCB Info", "Enclave Identity Information"; the rules are those of Intel's quote
verification library, SGX-TDX-DCAP-QuoteVerificationLibrary.)
"""

from dataclasses import dataclass
from typing import Any

from .collateral import Collateral
from .errors import NotGenuine
from .pck import PckExtension, read_pck
from .quote import QE_REPORT_FIELDS, Quote

_NEEDING_CONFIGURATION = {"ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "OutOfDateConfigurationNeeded"}
_SGX_DEBUG = 0x02


class BelowLevels(Exception):
    """The platform, the TDX module or the QE is below every TCB level listed; the message names what it lacks."""


@dataclass(frozen=True)
class Tcb:
    """What the collateral says about the platform's and the QE's security version (status names are Intel's)."""

    status: str
    qe_status: str
    advisories: tuple[str, ...]
    evaluation_data_number: int
    pce_svn: int
    qe_isv_svn: int
    flags: dict[str, bool | None]  # dynamic_platform, cached_keys, smt_enabled; None: not stated


@dataclass(frozen=True)
class _Level:
    status: str
    advisories: tuple[str, ...]

    def with_component(self, other: "_Level") -> "_Level":
        """Converged with a component's level: only one that is out of date or revoked makes the whole worse."""
        status = self.status
        if other.status == "Revoked":
            status = "Revoked"
        elif other.status == "OutOfDate":
            configuration = status in _NEEDING_CONFIGURATION
            status = status if status == "Revoked" else "OutOfDateConfigurationNeeded" if configuration else "OutOfDate"
        added = [name for name in dict.fromkeys(other.advisories) if name not in self.advisories]
        return _Level(status, (*self.advisories, *added))


def _level(entry: dict[str, Any]) -> _Level:
    return _Level(entry["tcbStatus"], tuple(entry.get("advisoryIDs", ())))


def _by_isv_svn(levels: list[dict[str, Any]], actual: int, what: str) -> _Level:
    """The first level whose SVN is reached; they are listed from the highest to the lowest."""
    for entry in levels:
        if actual >= entry["tcb"]["isvsvn"]:
            return _level(entry)
    least = levels[-1]["tcb"]["isvsvn"]
    raise BelowLevels(f"{what} is below every TCB level that Intel lists: its SVN is {actual}, the lowest {least}")


def _masked(value: bytes, mask: bytes) -> bytes:
    return bytes(byte & bits for byte, bits in zip(value, mask, strict=True))


# --- the quoting enclave ---------------------------------------------------------------------------------------------
def _qe_field(quote: Quote, name: str) -> bytes:
    offset, size = QE_REPORT_FIELDS[name]
    return quote.qe_report[offset : offset + size]


def qe_isv_svn(quote: Quote) -> int:
    """The security version of the quoting enclave, as its report says."""
    return int.from_bytes(_qe_field(quote, "isv_svn"), "little")


def _require_qe(quote: Quote, identity: dict[str, Any]) -> None:
    """The quoting enclave is the one that the QE identity describes, in production mode."""
    for field, name in (("misc_select", "miscselect"), ("attributes", "attributes")):
        actual, mask = _qe_field(quote, field), bytes.fromhex(identity[f"{name}Mask"])
        if _masked(actual, mask) != _masked(bytes.fromhex(identity[name]), mask):
            raise NotGenuine(f"the quoting enclave's {name} is {actual.hex()}, not the QE identity's")
    if _qe_field(quote, "attributes")[0] & _SGX_DEBUG:
        raise NotGenuine("the quoting enclave is under debug: anybody could have made the quote")
    if _qe_field(quote, "mr_signer") != bytes.fromhex(identity["mrsigner"]):
        raise NotGenuine("the quoting enclave's signer is not the QE identity's")
    if int.from_bytes(_qe_field(quote, "isv_prod_id"), "little") != identity["isvprodid"]:
        raise NotGenuine("the quoting enclave's product id is not the QE identity's")


# --- the TDX module --------------------------------------------------------------------------------------------------
def _module(tcb_info: dict[str, Any], svn: bytes) -> dict[str, Any] | None:
    """The identity of the module version that the second SVN names; the first version has none of its own."""
    if svn[1] == 0:
        return None
    wanted = f"TDX_{svn[1]:02X}"
    for identity in tcb_info.get("tdxModuleIdentities", ()):
        if identity["id"].upper() == wanted:
            return dict(identity)
    raise NotGenuine(f"the TCB info does not know the TDX module {wanted}")


def _require_module(quote: Quote, tcb_info: dict[str, Any]) -> None:
    """The TDX module that made the report is signed by whom the TCB info says, with these attributes and no others."""
    expected = _module(tcb_info, quote.body["tee_tcb_svn"]) or tcb_info["tdxModule"]
    if quote.body["mr_signer_seam"] != bytes.fromhex(expected["mrsigner"]):
        raise NotGenuine("the TDX module's signer is not the one in the TCB info")
    actual, mask = quote.body["seam_attributes"], bytes.fromhex(expected["attributesMask"])
    if actual != _masked(bytes.fromhex(expected["attributes"]), mask):
        raise NotGenuine("the TDX module's attributes are not those in the TCB info")


def _module_level(tcb_info: dict[str, Any], svn: bytes) -> _Level | None:
    identity = _module(tcb_info, svn)
    if identity is None:
        return None
    return _by_isv_svn(identity["tcbLevels"], svn[0], f"the TDX module {identity['id']}")


# --- the platform ----------------------------------------------------------------------------------------------------
def _components(tcb: dict[str, Any], name: str) -> tuple[int, ...]:
    return tuple(item["svn"] for item in tcb[name])


def _lacking(tcb: dict[str, Any], pck: PckExtension, svn: bytes) -> str:
    """What the platform lacks for a level, the first of it; empty if it reaches the level."""
    if pck.pce_svn < tcb["pcesvn"]:
        return f"PCESVN {tcb['pcesvn']}, it has {pck.pce_svn}"
    # a module with an identity of its own is judged by that: its two components are not asked here
    parts = (
        ("CPUSVN", "sgxtcbcomponents", pck.cpu_svn, 0),
        ("TEE_TCB_SVN", "tdxtcbcomponents", svn, 2 if svn[1] else 0),
    )
    for name, key, actual, first in parts:
        least = _components(tcb, key)
        for index in range(first, len(least)):
            if actual[index] < least[index]:
                return f"{name}[{index}] {least[index]}, it has {actual[index]}"
    return ""


def _platform_level(tcb_info: dict[str, Any], pck: PckExtension, svn: bytes) -> _Level:
    for entry in tcb_info["tcbLevels"]:
        if not _lacking(entry["tcb"], pck, svn):
            level, module = _level(entry), _module_level(tcb_info, svn)
            return level.with_component(module) if module else level
    lowest = tcb_info["tcbLevels"][-1]
    asked = f"the lowest, of {lowest['tcbDate'][:10]}, asks for {_lacking(lowest['tcb'], pck, svn)}"
    raise BelowLevels(f"the platform is below every TCB level that Intel lists: {asked}")


def _after_relaunch(launch: str, current: str) -> str:
    """A TD 1.5 that was launched on an old module, which has been updated under it since: to be launched anew."""
    if not launch.startswith("OutOfDate") or current.startswith("OutOfDate"):
        return launch
    both = {launch, current}
    return "TDRelaunchAdvisedConfigurationNeeded" if both & _NEEDING_CONFIGURATION else "TDRelaunchAdvised"


# --- all together ----------------------------------------------------------------------------------------------------
def judge_tcb(quote: Quote, collateral: Collateral) -> Tcb:
    """The TCB of platform, TDX module (at launch and, in a TD 1.5, now) and QE, converged as Intel does.

    Raises `NotGenuine` if QE or TDX module are not those that the documents describe, or the documents are another
    platform's; `BelowLevels` if one of them is below every level.
    """
    tcb_info, identity = collateral.documents["tcb_info"], collateral.documents["qe_identity"]
    pck = read_pck(quote.pck_chain[0])
    if bytes.fromhex(tcb_info["fmspc"]) != pck.fmspc:
        raise NotGenuine("the collateral is of another platform model")
    _require_qe(quote, identity)
    _require_module(quote, tcb_info)
    for svn in _svns(quote):
        _module(tcb_info, svn)
    return _converge(quote, tcb_info, identity, pck)


def _svns(quote: Quote) -> tuple[bytes, ...]:
    return tuple(quote.body[name] for name in ("tee_tcb_svn", "tee_tcb_svn2") if name in quote.body)


def _converge(quote: Quote, tcb_info: dict[str, Any], identity: dict[str, Any], pck: PckExtension) -> Tcb:
    qe = _by_isv_svn(identity["tcbLevels"], qe_isv_svn(quote), "the quoting enclave")
    levels = [_platform_level(tcb_info, pck, svn).with_component(qe) for svn in _svns(quote)]
    statuses = [level.status for level in levels]
    status = "Revoked" if "Revoked" in statuses else _after_relaunch(statuses[0], statuses[-1])
    return Tcb(
        status=status,
        qe_status=qe.status,
        advisories=levels[0].advisories,
        evaluation_data_number=min(tcb_info["tcbEvaluationDataNumber"], identity["tcbEvaluationDataNumber"]),
        pce_svn=pck.pce_svn,
        qe_isv_svn=qe_isv_svn(quote),
        flags=pck.flags,
    )
