"""Columns of enrolled images, from what callers give and back."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reidkit.gallery.answers import UNKNOWN
from reidkit.gallery.segments import NO_CAMERA, TEXTS, Images
from reidkit.gallery.snapshot import Snapshot
from reidkit.structures import Embedding

LONGEST = 200  # bytes of a name
NEVER = np.inf


@dataclass(frozen=True)
class Stay:
    """Where images come from, and how long they are kept.

    Args:
        source: for people.
        enrolled: seconds since 1970.
        expires: likewise; inf for never.
    """

    source: str
    enrolled: float
    expires: float = NEVER


def images_of(
    embedding: Embedding,
    ids: Any,
    crops: Any,
    cameras: ArrayLike | None,
    times: ArrayLike | None,
    stay: Stay,
) -> Images:
    """Embeddings with their columns.

    Args:
        embedding: of N crops.
        ids: (N,) names or whole numbers, or one for all.
        crops: paths are kept, of other crops nothing.
        cameras: (N,) whole numbers from 0, one for all, or None.
        times: (N,) seconds, one for all, or None.
        stay: of all of them.

    Raises:
        ValueError: columns of another length or kind; see ``name_of``.
    """
    count = len(embedding)
    given = [ids] * count if isinstance(ids, (str, int, np.integer)) else list(ids)
    if len(given) != count:
        raise ValueError(f"{count} crops need as many ids, got {len(given)}")
    places = _numbers("cameras", cameras, count, NO_CAMERA)
    if not np.issubdtype(places.dtype, np.integer) or (cameras is not None and places.min() < 0):
        raise ValueError("cameras must be whole numbers from 0")
    moments = _numbers("times", times, count, np.nan).astype(np.float64)
    if times is not None and not np.isfinite(moments).all():
        raise ValueError("times must be finite seconds; leave them out where they are not known")
    columns = dict(
        identities=_texts([name_of(one) for one in given]),
        paths=_texts(_paths(crops, count)),
        sources=_texts([stay.source] * count),
        cameras=places.astype(np.int64),
        times=moments,
        enrolled=np.full(count, stay.enrolled),
        expires=np.full(count, stay.expires),
    )
    return Images(embedding, columns)


def of_tracklets(images: Images, joined: Embedding, first: NDArray, tracklets: Any) -> Images:
    """Images that stand for tracklets, with the columns of each one's first.

    Args:
        images: one per crop.
        joined: one embedding per tracklet.
        first: row of each tracklet's first crop.
        tracklets: (N,) names of the crops' tracklets.

    Raises:
        ValueError: a tracklet of two people.
    """
    names, owners = np.asarray(tracklets), images.columns["identities"]
    for row in first:
        own = owners[names == names[row]]
        if (own != own[0]).any():
            raise ValueError(f"tracklet {names[row]!r} has crops of several ids")
    return Images(joined, {name: column[first] for name, column in images.columns.items()})


def name_of(identity: Any) -> str:
    """The name of an identity.

    Raises:
        ValueError: neither a text nor a whole number; empty, too long, "unknown", or with line
            breaks or other control characters.

    Example:
        >>> name_of(7), name_of("anna")
        ('7', 'anna')
    """
    whole = isinstance(identity, (int, np.integer)) and not isinstance(identity, (bool, np.bool_))
    if not whole and not isinstance(identity, str):
        raise ValueError(f"an identity is a name or a whole number, got {identity!r:.60}")
    name = str(identity)
    if name in ("", UNKNOWN) or not name.isprintable() or len(name.encode()) > LONGEST:
        raise ValueError(
            f"{name!r:.60} cannot name a person: names are printable, at most {LONGEST} bytes, and "
            f"{UNKNOWN!r} is the answer for nobody"
        )
    return name


def described(snapshot: Snapshot, row: int) -> dict[str, Any]:
    """What is known of an image."""
    values = {name: snapshot.column(name)[row] for name in snapshot.segments[0].columns}
    return {
        name: value.decode("utf-8", "surrogateescape") if name in TEXTS else value.item()
        for name, value in values.items()
    }


def _numbers(name: str, given: ArrayLike | None, count: int, missing: float) -> NDArray:
    values = np.asarray(missing if given is None else given)
    if (
        values.ndim > 1
        or (values.ndim == 1 and len(values) != count)
        or values.dtype.kind not in "iuf"
    ):
        raise ValueError(f"{count} crops need as many {name}, or one; got {str(given)[:60]}")
    return np.broadcast_to(values, (count,))


def _texts(texts: Iterable[str]) -> NDArray[np.bytes_]:
    coded = np.array([text.encode("utf-8", "surrogateescape") for text in texts])
    return coded if coded.dtype.itemsize else coded.astype("S1")


def _paths(crops: Any, count: int) -> list[str]:
    listed = [crops] if isinstance(crops, (str, os.PathLike)) else crops
    if not isinstance(listed, (list, tuple)):
        return [""] * count
    kinds = (str, os.PathLike)
    return [os.fspath(one) if isinstance(one, kinds) else "" for one in listed]
