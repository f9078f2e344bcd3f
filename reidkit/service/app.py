"""The application: routes of one gallery behind a guard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.trustedhost import TrustedHostMiddleware

from reidkit.errors import UserError
from reidkit.gallery import Gallery
from reidkit.service.access import Access
from reidkit.service.guard import Guard
from reidkit.service.limits import Limits
from reidkit.service.metrics import Metrics
from reidkit.service.problems import LOGGER, handle_problems
from reidkit.service.routes import router
from reidkit.service.tokens import Tokens
from reidkit.version import __version__

PURGE = 3600.0  # seconds between erasures of what has expired
LOCAL = ("127.0.0.1", "localhost", "::1")


def application(
    gallery: Gallery,
    tokens: Tokens,
    limits: Limits | None = None,
    hosts: Sequence[str] = LOCAL,
) -> FastAPI:
    """A gallery as an ASGI application.

    What has expired is erased at the start and every hour.

    Args:
        gallery: opened with its model.
        tokens: whoever has one may enrol, search and erase; none let everybody.
        limits: of requests; None for the defaults.
        hosts: names under which it is asked (the Host header); all others are refused.

    Raises:
        UserError: a gallery without a model.

    Example:
        >>> import tempfile
        >>> from reidkit.evaluation import CosineMatcher
        >>> from reidkit.gallery import EmbeddingsOnly
        >>> gallery = Gallery(tempfile.mkdtemp(), EmbeddingsOnly("mine 1", CosineMatcher()))
        >>> app = application(gallery, Tokens())
        >>> sorted(app.openapi()["paths"])
        ['/enrol', '/erase', '/health', '/metrics', '/search']
    """
    if gallery.model is None:
        raise UserError(f"{gallery.folder}: a service needs the gallery's model")
    app = FastAPI(
        title="reidkit gallery", version=__version__, lifespan=_purging,
        docs_url=None, redoc_url=None,  # their pages fetch scripts from elsewhere
        redirect_slashes=False,
    )  # fmt: skip
    limits = limits or Limits()
    app.state.access, app.state.metrics = Access(gallery, limits), Metrics()
    app.include_router(router)
    handle_problems(app)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    app.add_middleware(Guard, tokens=tokens, limits=limits, metrics=app.state.metrics)
    return app


@asynccontextmanager
async def _purging(app: FastAPI) -> AsyncIterator[None]:
    """Erase what has expired as long as the application runs."""

    async def purge() -> None:
        while True:
            try:
                await run_in_threadpool(app.state.access.purge)
            except UserError as error:  # another process writes; in an hour again
                LOGGER.warning("purge: %s", error)
            await asyncio.sleep(PURGE)

    task = asyncio.create_task(purge())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
