"""Identities at random into training and test, so that every query can be answered."""

from __future__ import annotations

import numpy as np

from reidkit.errors import UserError


def divide(
    identities: np.ndarray,
    cameras: np.ndarray | None,
    holdout: float = 0.5,
    seed: int = 0,
    title: str = "data set",
    held: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Rows of "train", "query" and "gallery".

    A share of the identities is held out. Of each of them, and of each camera with two images or
    more, one image is a query; the rest is the gallery. Where no camera has two, one image of one
    camera is the query. An identity of one image, or seen by one camera where cameras are known,
    could not be found and stays in the gallery, as do distractors (0) and junk (-1).

    Args:
        identities: (M,) numbers.
        cameras: (M,) numbers; None where nothing is known of cameras.
        holdout: share of the identities for testing, between 0 and 1.
        seed: of the drawing.
        title: of the data set, for messages.
        held: (M,) bool, the rows held out, instead of a share.

    Shape:
        returns three boolean masks (M,).

    Raises:
        UserError: too few identities, or none that could be asked for.

    Example:
        >>> people, cameras = np.repeat([1, 2], 3), np.array([1, 2, 2, 1, 2, 2])
        >>> masks = divide(people, cameras)
        >>> masks["query"].sum(), masks["gallery"].sum(), masks["train"].sum()
        (np.int64(1), np.int64(2), np.int64(3))
    """
    rng = np.random.default_rng(seed)
    groups = np.zeros_like(identities) if cameras is None else cameras
    if held is None:
        asked = _askable(identities, groups, cameras is not None)
        held = np.isin(identities, _drawn(rng, identities, asked, holdout, title))
    else:
        asked = _askable(identities[held], groups[held], cameras is not None)
    count = len(np.unique(identities[held]))
    rows = rng.permutation(np.flatnonzero(held & np.isin(identities, asked)))
    query = np.zeros(len(identities), dtype=bool)
    query[_queries(identities[rows], groups[rows], rows)] = True
    if not query.any():
        raise UserError(f"{title}: {_why_none(count, cameras is not None)}")
    rest = held | (identities <= 0)
    return {"train": ~rest, "query": query, "gallery": rest & ~query}


def _drawn(
    rng: np.random.Generator, identities: np.ndarray, asked: np.ndarray, holdout: float, title: str
) -> np.ndarray:
    """The identities held out."""
    known = np.unique(identities[identities > 0])
    count = round(len(known) * holdout)
    if not 0 < count < len(known):
        raise UserError(
            f"{title}: {len(known)} identities cannot be divided with holdout={holdout}; make "
            "train/, query/ and gallery/ yourself, or change holdout"
        )
    order = rng.permutation(known)
    if not np.isin(order[:count], asked).any():  # first, then, those who can be asked for
        order = np.concatenate([order[np.isin(order, asked)], order[~np.isin(order, asked)]])
    return order[:count]


def several_cameras(identities: np.ndarray, cameras: np.ndarray) -> np.ndarray:
    """Identities with images of two cameras or more.

    Shape:
        identities, cameras (M,); returns sorted numbers.
    """
    pairs = np.unique(np.stack([identities, cameras], 1)[identities > 0], axis=0)
    people, counts = np.unique(pairs[:, 0], return_counts=True)
    return people[counts > 1]


def _askable(identities: np.ndarray, cameras: np.ndarray, several: bool) -> np.ndarray:
    """Identities with images of two cameras, or, where none are known, with two images."""
    if several:
        return several_cameras(identities, cameras)
    people, counts = np.unique(identities[identities > 0], return_counts=True)
    return people[counts > 1]


def _queries(identities: np.ndarray, cameras: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """One row per identity and camera with two images; of identities without such, one row."""
    pairs = np.stack([identities, cameras], 1)
    unique, first, counts = np.unique(pairs, axis=0, return_index=True, return_counts=True)
    several = first[counts > 1]
    alone = np.setdiff1d(identities, unique[counts > 1, 0])
    people, earliest = np.unique(identities, return_index=True)
    return rows[np.concatenate([several, earliest[np.isin(people, alone)]]).astype(np.int64)]


def _why_none(count: int, cameras: bool) -> str:
    if cameras:
        return (
            f"none of its identities is seen by two cameras, so that no query of the {count} held "
            "out could be answered across cameras; leave the option camera out to compare within "
            "a camera, or make train/, query/ and gallery/ yourself"
        )
    return (
        f"each identity has one image, so that no query of the {count} held out has anything to "
        "find; add images, or make train/, query/ and gallery/ yourself"
    )
