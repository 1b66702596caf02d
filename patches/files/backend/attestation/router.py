"""Attestation endpoints. No login: people check the service before they type a password.

Answers hold evidence and public settings only; judging is the client's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, HTTPException, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from . import collateral as relay
from .attester import AttesterClient, AttesterError
from .settings import load

#: On every answer that is for one asker alone.
_NO_STORE = {
    "Cache-Control": "no-store, no-cache, must-revalidate, private",
    "Pragma": "no-cache",
    "Expires": "0",
}
#: HTTP status and Retry-After (seconds) for each way in which the attester may have no evidence.
_STATUS: dict[str, tuple[int, int | None]] = {
    "bad-request": (400, None),
    "busy": (503, 1),
    "device": (503, 5),
    "unreachable": (503, 5),
}


class Evidence(BaseModel):
    """Evidence bound to a nonce: `report_data` is SHA-384 of the JCS form of `runtime_data`, then 16 zero bytes."""

    quote: str = Field(description="The TDX quote, lower-case hex")
    quote_parse: dict[str, Any] = Field(
        description="The quote's fields by name, for reading only: judge what you parsed yourself"
    )
    timestamp: str = Field(description="When the evidence was collected, ISO 8601, UTC")
    id: str = Field(description="UUID 4 of this answer")
    status: bool = Field(description="true: this answer holds a quote")
    tee: str = Field(
        description="tdx or tdx-simulated, for display: the judgement follows the root that verifies the quote"
    )
    runtime_data: dict[str, Any] = Field(
        description="What the quote is bound to: v, nonces (root and size of their tree), release, origin, tls and more"
    )
    event_log: str = Field(description="Application event log (AAEL text) that replays to RTMR 3")
    proof: dict[str, Any] = Field(
        description="Leads from the nonce to the tree's root (RFC 9162, SHA-384): index, size, path of base64url hashes"
    )
    nonce: str | None = Field(None, description="The nonce, where the server drew it")


class Collateral(BaseModel):
    """Intel's collateral for this platform; CRLs in hex DER, the two JSON texts exactly as signed."""

    pck_crl_issuer_chain: str
    root_ca_crl: str
    pck_crl: str
    tcb_info_issuer_chain: str
    tcb_info: str
    tcb_info_signature: str
    qe_identity_issuer_chain: str
    qe_identity: str
    qe_identity_signature: str


class BootLog(BaseModel):
    """What the machine says that its firmware, boot loader and kernel measured."""

    boot_log: str = Field(
        description="The boot event log (ACPI table CCEL), base64url, without its texts; it replays to RTMR 0 to 2"
    )


class TeeConfig(BaseModel):
    """How this server asks its clients to check it; may lower a client's verdict, never raise it."""

    v: int = 1
    service: str
    service_url: str | None
    service_key: str | None
    service_origins: list[str]
    gate: str
    max_age_s: int
    tee: str
    launch: str
    channel: str


def _unavailable(status: int, detail: str, retry_after: int | None) -> HTTPException:
    return HTTPException(status, detail, {"Retry-After": str(retry_after)} if retry_after else None)


class Endpoints:
    """The endpoints of one server, as the settings in `environ` say; raises SettingsError."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._settings = load(environ)
        self._attester = AttesterClient(self._settings.attester_socket)
        self._collateral = relay.CollateralCache(self._fetch_collateral)
        self._boot_log: tuple[str | None] | None = None  # what was answered, if anything was: of this boot, so for good
        self._asking = asyncio.Lock()

    def router(self) -> APIRouter:
        """To be mounted under `/api/v1/tee`."""
        router = APIRouter()
        router.get("/quote", response_model=Evidence)(self.get_quote)
        router.get("/collateral", response_model=Collateral)(self.get_collateral)
        router.get("/boot-log", response_model=BootLog)(self.get_boot_log)
        router.get("/config", response_model=TeeConfig)(self.get_config)
        return router

    async def get_quote(self, nonce: str | None = None) -> Response:
        """A fresh quote bound to `nonce` (32 bytes, base64url without padding; drawn by the server if absent)."""
        try:
            answer = await self._attester.evidence(nonce)
        except AttesterError as error:
            status, retry_after = _STATUS.get(error.code, (502, None))
            raise _unavailable(status, str(error), retry_after) from None
        # many may ask: what they share was made into text once for all of them
        own = f'"timestamp":"{datetime.now(UTC).isoformat()}","id":"{uuid4()}","status":true'
        return Response(answer.body(own), media_type="application/json", headers=_NO_STORE)

    async def _fetch_collateral(self) -> dict[str, str]:
        pccs = await run_in_threadpool(relay.find_pccs, self._settings.pccs_url)
        try:
            evidence = await self._attester.evidence()
        except AttesterError as error:
            raise relay.CollateralError(str(error)) from None
        return await relay.fetch(pccs, relay.platform_of(evidence.quote()))

    async def get_collateral(self, response: Response) -> dict[str, Any]:
        """Intel's collateral for this platform: 503 where none is in date."""
        response.headers.update(_NO_STORE)
        try:
            return await self._collateral.get()
        except relay.CollateralError as error:
            raise _unavailable(503, str(error), relay.RETRY_S) from None

    async def get_boot_log(self, response: Response) -> dict[str, str]:
        """What the machine says that it measured before any program of ours ran: 404 where there is none."""
        response.headers.update(_NO_STORE)
        async with self._asking:  # the first who asks asks for all
            if self._boot_log is None:
                self._boot_log = (await self._ask_for_the_boot_log(),)
        (found,) = self._boot_log
        if found is None:
            raise _unavailable(404, "This machine has no boot event log to give.", None)
        return {"boot_log": found}

    async def _ask_for_the_boot_log(self) -> str | None:
        try:
            return await self._attester.boot_log()
        except AttesterError as error:
            status, retry_after = _STATUS.get(error.code, (502, None))
            raise _unavailable(status, str(error), retry_after) from None

    async def get_config(self, response: Response) -> dict[str, Any]:
        """How this server is set up for attestation, for display and as a proposal to the client."""
        settings = self._settings
        response.headers["Cache-Control"] = "no-store"
        return {
            "service": settings.service,
            "service_url": settings.service_url,
            "service_key": settings.service_key,
            "service_origins": list(settings.service_origins),
            "gate": settings.gate,
            "max_age_s": settings.max_age_s,
            "tee": settings.kind,
            "launch": settings.launch,
            "channel": settings.channel,
        }


def make(environ: Mapping[str, str]) -> APIRouter:
    """The router of a server whose settings are `environ`; raises SettingsError."""
    return Endpoints(environ).router()
