"""Which status a problem has: 4xx for what the caller can change, 5xx for what only we can."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from reidkit.gallery import Busy, NotEnrolled

LOGGER = logging.getLogger("reidkit.service")
LONGEST = 500  # characters of a text that is sent back
FAILED = "the service has failed, not the request; its log says where"


class Refusal(HTTPException):
    """A request that is not carried out.

    Args:
        status: from 400 to 499.
        text: why, and what would work.
        retry: seconds after which the same request may succeed.
    """

    def __init__(self, status: int, text: str, retry: int | None = None):
        headers = {} if retry is None else {"Retry-After": str(max(1, retry))}
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        super().__init__(status, text[:LONGEST], headers)


def said(status: int, text: str, headers: Any = None) -> JSONResponse:
    """A reply that consists of words."""
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return JSONResponse({"detail": printable[:LONGEST]}, status, headers)


def handle_problems(app: FastAPI) -> None:
    """Give every exception its status and words."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        return said(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return said(422, in_words(error.errors()))

    @app.exception_handler(NotEnrolled)
    async def absent(request: Request, error: NotEnrolled) -> JSONResponse:
        return said(404, f"not enrolled: {', '.join(map(repr, error.names))}")

    @app.exception_handler(Busy)
    async def busy(request: Request, error: Busy) -> JSONResponse:
        return said(409, "another process is writing; try again", {"Retry-After": "1"})

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        LOGGER.error("%s %s: %s", request.method, request.url.path, error)
        return said(500, FAILED)


def in_words(errors: Sequence[Any]) -> str:
    """What pydantic has against a request, without the values that it quotes.

    Example:
        >>> in_words([{"loc": ("body", "k"), "msg": "Input should be greater than 0", "input": -1}])
        'k: Input should be greater than 0'
    """
    texts = []
    for one in errors:
        place = ".".join(str(part) for part in one["loc"][1:])
        texts.append(f"{place}: {one['msg']}" if place else str(one["msg"]))
    return "; ".join(dict.fromkeys(texts))
