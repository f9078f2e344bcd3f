"""What is sent back, as OpenAPI describes it."""

from __future__ import annotations

from pydantic import BaseModel, Field

from reidkit.gallery import Answer, Answers


class FoundImage(BaseModel):
    """An enrolled image that came near."""

    distance: float
    camera: int | None
    time: float | None = Field(description="seconds on the cameras' clock")
    enrolled: float = Field(description="seconds since 1970")
    source: str
    path: str = Field(description="of its file; empty where it was enrolled by this service")


class FoundPerson(BaseModel):
    """A person who came near."""

    identity: str
    distance: float = Field(description="of the nearest image; smaller is closer")
    probability: float | None = Field(description="of the nearest person, if calibrated")
    images: list[FoundImage]


class FoundAnswer(BaseModel):
    """What the gallery says of one image."""

    identity: str = Field(description='of the person who is answered, or "unknown"')
    known: bool
    candidates: list[FoundPerson] = Field(description="the nearest people, whoever is answered")

    @staticmethod
    def of(answer: Answer) -> FoundAnswer:
        """The same of a gallery's answer."""
        people = [
            FoundPerson(
                identity=one.identity, distance=one.distance, probability=one.probability,
                images=[FoundImage(**vars(image)) for image in one.images],
            )
            for one in answer.candidates
        ]  # fmt: skip
        return FoundAnswer(identity=answer.identity, known=answer.known, candidates=people)


class SearchReply(BaseModel):
    """One answer for each image, in their order."""

    answers: list[FoundAnswer]
    threshold: float | None = Field(description="distance up to which someone is answered")
    warnings: list[str] = Field(description="why the stated rate may not hold")
    recall: float | None = Field(
        description="share of searches whose nearest image a vector database lists, as measured"
    )

    @staticmethod
    def of(answers: Answers) -> SearchReply:
        """The same of a gallery's answers."""
        return SearchReply(
            answers=[FoundAnswer.of(one) for one in answers],
            threshold=answers.threshold,
            warnings=list(answers.warnings),
            recall=answers.recall.nearest if answers.recall else None,
        )


class EnrolReply(BaseModel):
    """What an enrolment added."""

    images: int
    people: int = Field(description="in the gallery now")


class EraseRequest(BaseModel):
    """Whom to take away. In the body, since addresses of requests end in other logs."""

    identities: list[str] = Field(min_length=1, max_length=1000)


class EraseReply(BaseModel):
    """What an erasure took away."""

    images: int
    identities: int
    log_lines: int = Field(description="that named them, and do not any more")
    copies: int = Field(description="of the gallery, in which the same was done")
    missing: int = Field(description="copies that are not where they were: nothing was done there")


class Health(BaseModel):
    """Whether the service can answer."""

    status: str
    version: str


class Problem(BaseModel):
    """Why a request was refused, and what would work."""

    detail: str
