"""The server on this machine: an OpenAI-compatible endpoint, and the release's pages, whose requests go sealed.

Pages of other sites can reach any port of this machine from a browser. So the host must be exactly ours, a request of
another origin is refused, cookies go neither way (all ports of a machine share them), and what is asked for needs the
caller's own Open WebUI API key, which no page of somebody else's knows. Logs hold methods and statuses, nobody's words.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from typing import Any

from aiohttp import web

from ..sealed_http.binary_http import Fields
from .carrying import Carrier, stream
from .errors import TunnelError
from .site import Site
from .tunnel import TunnelAnswer
from .watching import CutError

#: What an OpenAI client asks for, and where Open WebUI has it.
ROUTES = {("GET", "/v1/models"): "/api/models", ("POST", "/v1/chat/completions"): "/api/chat/completions"}
BODY_LIMIT = 64 * 1024 * 1024  # bytes of a request
_SENT = ("authorization", "content-type", "accept")
_KEPT = ("content-type", "retry-after")


class _Quiet(logging.Filter):
    """What is wrong with a request holds its words, a key among them: of that, the log says the kind alone."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        record.msg, record.args, record.exc_info = "A request was not answered: %s", (kind and kind.__name__,), None
        return True


_LOG = logging.getLogger(__name__)
_LOG.addFilter(_Quiet())


class Endpoint:
    """The endpoint at the names in `hosts` (host and port, as a client writes them), and `site`, if there are pages."""

    def __init__(self, carrier: Carrier, hosts: Collection[str], site: Site | None = None) -> None:
        self._carrier, self._hosts, self._site = carrier, hosts, site

    def application(self) -> web.Application:
        """To be run by aiohttp."""
        app = web.Application(middlewares=[self._guard], client_max_size=BODY_LIMIT)
        for method, path in ROUTES:
            app.router.add_route(method, path, self._pass_on)
        app.router.add_get("/health", self._health)
        return app

    def runner(self) -> web.AppRunner:
        """What serves it, and says nobody's words."""
        return web.AppRunner(self.application(), access_log=None, logger=_LOG)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        asked = request.headers.getall("Host", [])
        try:
            if self._site and asked in [[host] for host in self._site.hosts] and not request.path.startswith("/v1/"):
                return await self._site.answer(request)
            return await self._own(request, handler, asked)
        except web.RequestPayloadError:
            return _error(400, "The body of this request is not what its head says.", "bad_body")

    async def _own(self, request: web.Request, handler: Any, asked: list[str]) -> web.StreamResponse:
        if asked not in [[host] for host in self._hosts]:
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
        fields: Fields = tuple((name, request.headers[name]) for name in _SENT if name in request.headers)
        path = ROUTES[request.method, request.path]
        try:
            answer = await self._carrier.ask(request.method, path, fields, body)
        except CutError as error:
            return _error(503, f"Nothing was sent. {error}", "not_verified")
        except TunnelError as error:
            return _error(502, str(error), "channel")
        if request.path == "/v1/models" and answer.head.status == 200:
            return await _models(answer)
        kept = {name: value for name, value in answer.head.fields if name in _KEPT}
        return await stream(request, answer, kept | {"Cache-Control": "no-store"})


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


def _error(status: int, sentence: str, code: str) -> web.Response:
    """An error in the form that OpenAI's clients show."""
    return web.json_response({"error": {"message": sentence, "type": "connect", "code": code}}, status=status)
