"""``reidkit browse`` of a gallery: who is enrolled, with which pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidkit.data.split import Split
from reidkit.evaluation.label_errors import label_errors
from reidkit.evaluation.matchers.base import flat_vectors
from reidkit.gallery import Gallery
from reidkit.report.live import Catalogue

SPLIT = "people"


def gallery_catalogue(folder: Path, model: Any = None) -> Catalogue:
    """The images of a gallery that can be found, as they are now; nothing of it is changed here.

    Pictures are those of the paths that were enrolled. What was enrolled without a path, or lies
    there no longer, has none, but can be searched for and with.

    Args:
        folder: of the gallery.
        model: of ``reidkit.load``, to search with other pictures; each such search is a line of the
            gallery's log.

    Raises:
        UserError: no gallery, or one of another model.
    """
    gallery = Gallery(folder, model)
    snapshot = gallery.snapshot
    hidden = snapshot.hidden(gallery.clock())
    rows = np.arange(len(snapshot)) if hidden is None else np.flatnonzero(~hidden)
    people, numbers = np.unique(snapshot.column("identities")[rows], return_inverse=True)
    cameras = snapshot.column("cameras")[rows].astype(np.int64)
    paths = [path.decode("utf-8", "surrogateescape") for path in snapshot.column("paths")[rows]]
    split = Split(str(folder), SPLIT, Path(), tuple(paths), numbers + 1, cameras)
    more: dict[str, Any] = {}
    if len(rows):
        embedding = snapshot.rows(rows)
        errors = label_errors(embedding, split.identities, cameras)
        more = dict(
            vectors={SPLIT: flat_vectors(embedding)},
            suspects={(SPLIT, one.row): one for one in errors},
        )
    names = {number: name.decode() for number, name in enumerate(people, 1)}
    embed = None if model is None else lambda pixels: _searched(gallery, pixels)
    return Catalogue({SPLIT: split}, title=str(folder), names=names, embed=embed, **more)


def _searched(gallery: Gallery, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The vector of a picture; the search is logged as every other."""
    model: Any = gallery.model
    embedding = model([pixels])
    gallery.search(embedding, k=1, model=model.fingerprint, note="reidkit browse")
    vectors: NDArray[np.float32] = flat_vectors(embedding)[0]
    return vectors
