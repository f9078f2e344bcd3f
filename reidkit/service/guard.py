"""What is refused before a request's body is read: foreign pages, callers without a token, floods.

The body is limited in size and time while it arrives.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import MutableMapping
from typing import Any

from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reidkit.service.limits import Limits, parsed_rate
from reidkit.service.metrics import Metrics
from reidkit.service.problems import Refusal, said
from reidkit.service.tokens import Tokens

OPEN = ("/health", "/openapi.json")  # to whoever reaches the port
OWN_PAGES = ("none", "")  # of Sec-Fetch-Site: typed by a person, or no browser at all
NOBODY = "no token"


class Guard:
    """An ASGI application in front of another.

    Args:
        app: that answers what is not refused.
        tokens: of which a request needs one; where there are none, every request is let through.
        limits: of requests.
        metrics: every request is counted, refused or not.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens, limits: Limits, metrics: Metrics):
        self.app, self.tokens, self.limits, self.metrics = app, tokens, limits, metrics
        self._rate = parsed_rate("rate", limits.rate)
        self._failures = parsed_rate("failures", limits.failures)
        self._hits = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        start, status = time.monotonic(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        try:
            try:
                scope.setdefault("state", {})["caller"] = self._admitted(scope)
                receive = self._limited(Headers(scope=scope), receive)
            except Refusal as error:
                reply = said(error.status_code, error.detail, error.headers)
                return await reply(scope, receive, counted)
            await self.app(scope, receive, counted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.request(scope["method"], route, status, time.monotonic() - start)

    def _admitted(self, scope: Scope) -> str:
        """The name of the token that a request carries.

        Raises:
            Refusal: it comes from a web page, has no valid token, or is one too many.
        """
        headers = Headers(scope=scope)
        if "origin" in headers or headers.get("sec-fetch-site", "") not in OWN_PAGES:
            raise Refusal(403, "requests of web pages are refused: no page belongs to this service")
        address = (scope.get("client") or ("",))[0]
        name = self.tokens.owner(headers.get("authorization", "")) if self.tokens else NOBODY
        if name is not None:
            self._hit(self._rate, "token", name if self.tokens else address)
            return name
        self._hit(self._failures, "address", address)
        if scope["path"] not in OPEN:
            raise Refusal(401, "a valid token is needed: Authorization: Bearer TOKEN")
        return NOBODY

    def _hit(self, rate: Any, *key: str) -> None:
        if not self._hits.hit(rate, *key):
            wait = self._hits.get_window_stats(rate, *key).reset_time - time.time()
            raise Refusal(429, f"more than {rate}; wait", int(wait) + 1)

    def _limited(self, headers: MutableMapping[str, str] | Headers, receive: Receive) -> Receive:
        """``receive`` for a body within the limits.

        Raises:
            Refusal: the body's own header says that it is larger.
        """
        most, deadline = self.limits.body_bytes, time.monotonic() + self.limits.body_seconds
        large = Refusal(413, f"the request is larger than {most:,} bytes")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:20]) > most:
            raise large
        taken, whole = 0, False

        async def limited() -> Message:
            nonlocal taken, whole
            if whole:  # what follows is the end of the connection, which may take its time
                return await receive()
            try:
                left = max(0.0, deadline - time.monotonic())
                message = await asyncio.wait_for(receive(), left)
            except TimeoutError:
                seconds = self.limits.body_seconds
                raise Refusal(408, f"the body did not arrive within {seconds:g} seconds") from None
            taken += len(message.get("body", b""))
            whole = message["type"] != "http.request" or not message.get("more_body", False)
            if taken > most:
                raise large
            return message

        return limited
