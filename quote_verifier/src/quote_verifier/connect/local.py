"""The server on this machine: an OpenAI-compatible endpoint whose requests go through the channel.

Pages of other sites can reach any port of this machine from a browser. So the host must be exactly ours, a request of
another origin is refused, cookies go neither way (all ports of a machine share them), and what is asked for needs the
caller's own Open WebUI API key, which no page of somebody else's knows. Logs hold methods and statuses, nobody's words.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection
from typing import Any

from aiohttp import web

from ..sealed_http.binary_http import Fields
from ..sealed_http.key_config import KeyConfig
from .tunnel import StaleKeyError, Tunnel, TunnelAnswer, TunnelError
from .watching import CutError, Watch

#: What an OpenAI client asks for, and where Open WebUI has it.
ROUTES = {("GET", "/v1/models"): "/api/models", ("POST", "/v1/chat/completions"): "/api/chat/completions"}
BODY_LIMIT = 64 * 1024 * 1024  # bytes of a request
_SENT = ("authorization", "content-type", "accept")
_KEPT = ("content-type", "retry-after")


class Endpoint:
    """The endpoint at the names in `hosts` (host and port, as a client writes them)."""

    def __init__(self, tunnel: Tunnel, watch: Watch, hosts: Collection[str]) -> None:
        self._tunnel, self._watch, self._hosts = tunnel, watch, hosts

    def application(self) -> web.Application:
        """To be run by aiohttp."""
        app = web.Application(middlewares=[self._guard], client_max_size=BODY_LIMIT)
        for method, path in ROUTES:
            app.router.add_route(method, path, self._pass_on)
        app.router.add_get("/health", self._health)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.headers.getall("Host", []) not in [[host] for host in self._hosts]:
            return _error(421, "This address is not how this machine's own programs reach this port.", "wrong_host")
        if "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") != "none":
            return _error(403, "Pages of a browser may not use this port.", "foreign_page")
        try:
            answer: web.StreamResponse = await handler(request)
        except web.HTTPNotFound:
            known = ", ".join(sorted({path for _, path in ROUTES}))
            return _error(404, f"This port answers {known} and nothing else.", "not_found")
        except web.HTTPRequestEntityTooLarge:
            return _error(413, f"A request has at most {BODY_LIMIT} bytes.", "too_large")
        return answer

    async def _health(self, request: web.Request) -> web.Response:
        """Whether this program runs; it tells nothing of anybody's service."""
        return web.json_response({"status": True})

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        if not request.headers.get("Authorization", "").startswith("Bearer "):
            return _error(401, "Give the API key that Open WebUI made for you (Settings, Account).", "no_api_key")
        body = await request.read()  # kept whole: where the server has a new key, it is sent again
        fields = tuple((name, request.headers[name]) for name in _SENT if name in request.headers)
        path = ROUTES[request.method, request.path]
        try:
            answer = await self._ask(request.method, path, fields, body)
        except CutError as error:
            return _error(503, f"Nothing was sent. {error}", "not_verified")
        except TunnelError as error:
            return _error(502, str(error), "channel")
        if request.path == "/v1/models" and answer.head.status == 200:
            return await _models(answer)
        return await _stream(request, answer)

    async def _ask(self, method: str, path: str, fields: Fields, body: bytes) -> TunnelAnswer:
        key = self._watch.key()
        try:
            return await self._tunnel.request(key, method, path, fields, _once(body))
        except StaleKeyError:
            newer = await self._newer(key)
            return await self._tunnel.request(newer, method, path, fields, _once(body))

    async def _newer(self, key: KeyConfig) -> KeyConfig:
        await self._watch.check(older_than=key)
        return self._watch.key()


async def _once(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body


async def _models(answer: TunnelAnswer) -> web.Response:
    """Open WebUI's list, with what OpenAI's clients want of each model."""
    try:
        found = json.loads(b"".join([piece async for piece in answer.content]))["data"]
        models = [
            {
                "id": str(model["id"]),
                "object": "model",
                "created": int(model.get("created") or 0),
                "owned_by": "service",
            }
            for model in found
        ]
    except TunnelError as error:
        return _error(502, str(error), "channel")
    except (ValueError, KeyError, TypeError):
        return _error(502, "The service's list of models cannot be read.", "service")
    return web.json_response({"object": "list", "data": models})


async def _stream(request: web.Request, answer: TunnelAnswer) -> web.StreamResponse:
    """The answer as it comes; where it breaks off, so does ours: no end of it is made up."""
    headers = {name: value for name, value in answer.head.fields if name in _KEPT}
    response = web.StreamResponse(status=answer.head.status, headers=headers | {"Cache-Control": "no-store"})
    await response.prepare(request)
    try:
        async for piece in answer.content:
            await response.write(piece)
    except TunnelError:
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write_eof()
    return response


def _error(status: int, sentence: str, code: str) -> web.Response:
    """An error in the form that OpenAI's clients show."""
    return web.json_response({"error": {"message": sentence, "type": "connect", "code": code}}, status=status)
