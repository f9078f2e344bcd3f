"""Enrol, search, erase, health, metrics."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Request, Response, UploadFile
from fastapi.security import HTTPBearer
from pydantic import Field

from reidkit.errors import UserError
from reidkit.gallery.rows import name_of
from reidkit.service.metrics import MEDIA_TYPE
from reidkit.service.problems import LOGGER, Refusal
from reidkit.service.replies import (
    EnrolReply,
    EraseReply,
    EraseRequest,
    Health,
    Problem,
    SearchReply,
)  # fmt: skip
from reidkit.service.uploads import crops_of
from reidkit.version import __version__

BEARER = Depends(HTTPBearer(auto_error=False))  # for OpenAPI; the guard is what refuses
REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 401, 403, 404, 408, 409, 413, 422, 429)
}
MOST_CAMERAS = 1_000_000
DAYS = 36500.0

router = APIRouter(responses=REFUSED)
Images = Annotated[list[UploadFile], File(description="crops, one person each")]
Whole = Annotated[int, Field(ge=0, le=MOST_CAMERAS)]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e15, le=1e15)]
Text = Annotated[str, Form(max_length=1000)]


@router.post("/enrol", dependencies=[BEARER])
def enrol(
    request: Request,
    images: Images,
    identities: Annotated[list[str], Form(description="of each image, or one for all")],
    cameras: Annotated[list[Whole] | None, Form(description="of each image, or one")] = None,
    times: Annotated[list[Number] | None, Form(description="seconds; as cameras")] = None,
    source: Text = "",
    retention_days: Annotated[float | None, Form(gt=0, le=DAYS, allow_inf_nan=False)] = None,
) -> EnrolReply:
    """Add images of people; they count when this answers."""
    service = request.app.state
    count = len(images)
    names = _each("identities", [_name(one) for one in identities], count)
    places, moments = _each("cameras", cameras, count), _each("times", times, count)
    crops = crops_of(images, service.access.limits)
    with service.access.gallery() as gallery:
        gallery.enrol(
            names, crops, places, moments, source=_text(source), retention_days=retention_days
        )
        service.metrics.crops.labels("enrol").inc(count)
        return EnrolReply(images=count, people=len(gallery.identities))


@router.post("/search", dependencies=[BEARER])
def search(
    request: Request,
    images: Images,
    k: Annotated[int, Form(ge=1, le=100, description="people that are listed")] = 5,
    fpir: Annotated[
        float | None, Form(gt=0, lt=1, description="share of false answers, if calibrated")
    ] = None,
    threshold: Annotated[
        float | None, Form(allow_inf_nan=False, description="distance, instead of fpir")
    ] = None,
    cameras: Annotated[list[Whole] | None, Form(description="of each image, or one")] = None,
    note: Annotated[str, Form(max_length=1000, description="for the log: why")] = "",
) -> SearchReply:
    """Who is it? Each answer is a line of the gallery's log, with the name of the token."""
    service, count = request.app.state, len(images)
    if fpir is not None and threshold is not None:
        raise Refusal(422, "give fpir or threshold, not both")
    places = _each("cameras", cameras, count)
    crops = crops_of(images, service.access.limits)
    with service.access.gallery() as gallery:
        if fpir is not None and gallery.snapshot.open_set is None:
            raise Refusal(
                422, "the gallery is not calibrated, so fpir says nothing; give threshold"
            )
        answers = gallery.search(
            crops, k, places, fpir=fpir, threshold=threshold,
            note=": ".join(filter(None, (request.state.caller, _text(note)))),
        )  # fmt: skip
    service.metrics.crops.labels("search").inc(count)
    for answer in answers:
        service.metrics.answers.labels(str(answer.known).lower()).inc()
    return SearchReply.of(answers)


@router.post("/erase", dependencies=[BEARER])
def erase(request: Request, whom: EraseRequest) -> EraseReply:
    """Take people away: vectors, provenance, lines of the log, in copies too."""
    names = [_name(one) for one in whom.identities]
    with request.app.state.access.gallery() as gallery:
        done = gallery.erase(*names)
    for copy in done.missing:
        LOGGER.warning("%s: this copy is not there; erase from it where it is", copy)
    return EraseReply(
        images=done.images, identities=done.identities, log_lines=done.log_lines,
        copies=len(done.copies), missing=len(done.missing),
    )  # fmt: skip


@router.get("/metrics", dependencies=[BEARER], response_class=Response)
def metrics(request: Request) -> Response:
    """Counts and times in Prometheus' text format."""
    service = request.app.state
    with service.access.gallery() as gallery:
        service.metrics.images.set(len(gallery))
        service.metrics.people.set(len(gallery.identities))
    return Response(service.metrics.text(), media_type=MEDIA_TYPE)


@router.get("/health", responses={503: {"model": Problem}})
def health(request: Request, response: Response) -> Health:
    """Whether the gallery can be read; needs no token."""
    try:
        with request.app.state.access.gallery() as gallery:
            gallery.snapshot  # noqa: B018
    except (UserError, OSError) as error:
        LOGGER.error("health: %s", error)
        response.status_code = 503
        return Health(status="the gallery cannot be read", version=__version__)
    return Health(status="ok", version=__version__)


def _each(name: str, values: list[Any] | None, count: int) -> Any:
    """One value for each image.

    Raises:
        Refusal: neither one nor as many as images.
    """
    if values is None or len(values) == count:
        return values
    if len(values) != 1:
        raise Refusal(422, f"{count} images need as many {name}, or one; got {len(values)}")
    return values * count


def _name(text: str) -> str:
    """The name of a person.

    Raises:
        Refusal: nobody can be called so.
    """
    try:
        return name_of(_text(text))
    except ValueError as error:
        raise Refusal(422, str(error)) from None


def _text(text: str) -> str:
    """A text that can be stored.

    Raises:
        Refusal: halves of surrogate pairs, which are no characters.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refusal(422, "a text is no Unicode") from None
    return text
