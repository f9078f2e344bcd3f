"""People to be found again: enrolled, searched for, erased.

In reading order: `refusals`, `segments` (images on disk), `manifest` (which of them count),
`locking`, `log`, `snapshot` (what a reader sees), `writing` (what a writer changes, and what a
kill leaves), `milvus` (a vector database that lists candidates), `rows` (columns of images),
`model`, `creation`, `answers` (identities from nearest images), `decision` (whether the nearest is
meant), `opened` (what can be asked), `gallery` (all of it as one class).
"""

from reidkit.gallery.answers import UNKNOWN, Answer, Answers, Candidate, EnrolledImage
from reidkit.gallery.gallery import Gallery
from reidkit.gallery.model import EmbeddingModel, EmbeddingsOnly
from reidkit.gallery.refusals import Busy, NotEnrolled
from reidkit.gallery.writing import Erasure

__all__ = [
    "UNKNOWN",
    "Answer",
    "Answers",
    "Busy",
    "Candidate",
    "EmbeddingModel",
    "EmbeddingsOnly",
    "EnrolledImage",
    "Erasure",
    "Gallery",
    "NotEnrolled",
]
