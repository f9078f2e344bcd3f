"""The images of a data set with what is known of them, and the corrections made so far."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reidkit.data.corrections import Correction, apply_corrections, write_corrections
from reidkit.data.identities import JUNK
from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.evaluation.label_errors import Suspect
from reidkit.viz.nearest import read_crop

PAGE = 60  # images of a page
SUGGESTED = 500  # names, while one is typed
Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Entry:
    """One image.

    Attributes:
        number: in the catalogue.
        split, file: where it is.
        identity: as corrected so far.
        labelled: as the data set says.
        camera: of the image; -1 where it is not known.
        suspected: identity that it looks like; None where nothing is suspected.
        similarity: cosine to what was searched for; None where nothing was.
        name: of the identity, for people.
        suspected_name: of the identity that it looks like.
    """

    number: int
    split: str
    file: str
    identity: int
    labelled: int
    camera: int
    suspected: int | None = None
    similarity: float | None = None
    name: str = ""
    suspected_name: str = ""


class Catalogue:
    """Images to look through, search and correct; safe for several threads.

    Args:
        splits: of a reader, without the corrections that are edited here.
        out: CSV that corrections are written to; None: nothing can be corrected.
        corrections: made before.
        vectors: split -> (M, D) vectors of length 1, of those splits that have features.
        suspects: (split, row) -> what is suspected of the label.
        embed: vector (D,) of a picture that is not in the data; None: such cannot be searched for.
        title: of the data.
        names: what identities are called; None: by their numbers.
    """

    def __init__(
        self,
        splits: Mapping[str, Split],
        out: Path | None = None,
        corrections: Sequence[Correction] = (),
        vectors: Mapping[str, NDArray[np.float32]] | None = None,
        suspects: Mapping[tuple[str, int], Suspect] | None = None,
        embed: Embed | None = None,
        title: str = "",
        names: Mapping[int, str] | None = None,
    ):
        self.splits, self.out, self.title, self.embed = dict(splits), out, title, embed
        self.names = dict(names or {})
        self.suspects = dict(suspects or {})
        self._corrections = list(corrections)
        self._lock = threading.Lock()
        self._places = [(name, row) for name, split in splits.items() for row in range(len(split))]
        self._first = {name: 0 for name in splits}
        for number, (name, row) in enumerate(self._places):
            if row == 0:
                self._first[name] = number
        self._numbers = np.array([], np.int64)
        self._vectors = np.zeros((0, 0), np.float32)
        if vectors:
            parts = [np.arange(len(v)) + self._first[name] for name, v in vectors.items()]
            self._numbers, self._vectors = (
                np.concatenate(parts),
                np.concatenate([*vectors.values()]),
            )
        self._update()

    def __len__(self) -> int:
        return len(self._places)

    def _update(self) -> None:
        self._current = apply_corrections(self.splits, self._corrections, str(self.out))

    @property
    def corrections(self) -> list[Correction]:
        """Those made so far."""
        return list(self._corrections)

    @property
    def searchable(self) -> bool:
        """Whether images can be searched for by their looks."""
        return len(self._vectors) > 0

    def entry(self, number: int, similarity: float | None = None) -> Entry:
        """What is known of an image.

        Raises:
            UserError: there is no such number.
        """
        if not 0 <= number < len(self._places):
            raise UserError(f"no image {number}; there are {len(self)}")
        name, row = self._places[number]
        split, suspect = self.splits[name], self.suspects.get((name, row))
        identity = int(self._current[name].identities[row])
        other = None if suspect is None else suspect.other
        return Entry(
            number, name, split.paths[row], identity, int(split.identities[row]),
            int(split.cameras[row]), other, similarity, self.named(identity),
            "" if other is None else self.named(other),
        )  # fmt: skip

    def named(self, identity: int) -> str:
        """What an identity is called."""
        return self.names.get(identity, str(identity))

    def identity(self, text: str) -> int:
        """The identity of that name or number.

        Raises:
            UserError: there is none.
        """
        if self.names:
            found = [number for number, name in self.names.items() if name == text]
            if not found:
                raise UserError(f"nobody is called {text!r}")
            return found[0]
        return int(text)

    def page(
        self,
        split: str = "",
        identity: int | None = None,
        camera: int | None = None,
        kind: str = "",
        start: int = 0,
    ) -> tuple[list[Entry], int]:
        """Some images, and how many there are of their kind.

        Args:
            split, identity, camera: that the images have; empty and None: any.
            kind: "suspects" (the likeliest first), "corrected", or "" for all.
            start: number of the first one, within the kind.
        """  # fmt: skip
        numbers = self._of_kind(kind)
        numbers_that_fit = []
        for number in numbers:
            name, row = self._places[number]
            current = self._current[name]
            fits = (not split or name == split) and (
                identity is None or current.identities[row] == identity
            )
            if fits and (camera is None or current.cameras[row] == camera):
                numbers_that_fit.append(number)
        return [self.entry(number) for number in numbers_that_fit[start : start + PAGE]], len(
            numbers_that_fit
        )

    def _of_kind(self, kind: str) -> Sequence[int]:
        if kind == "suspects":
            return [self._first[name] + row for name, row in self.suspects]
        if kind == "corrected":
            return [
                number for number, (name, row) in enumerate(self._places)
                if self._current[name].identities[row] != self.splits[name].identities[row]
            ]  # fmt: skip
        return range(len(self._places))

    def like(self, number: int, count: int = PAGE) -> list[Entry]:
        """The images nearest to one of the data, itself first.

        Raises:
            UserError: the image has no features.
        """
        rows = np.flatnonzero(self._numbers == number)
        if not len(rows):
            raise UserError("this image has no features to search with")
        return self._nearest(self._vectors[rows[0]], count)

    def like_picture(self, pixels: NDArray[np.uint8], count: int = PAGE) -> list[Entry]:
        """The images nearest to a picture.

        Args:
            pixels: (h, w, 3) uint8 RGB, a crop of one person.
            count: images.

        Raises:
            UserError: there is no model to search with.
        """
        if self.embed is None or not self.searchable:
            raise UserError(
                "a picture can be searched for with a model: reidkit browse RUN, or "
                "reidkit browse GALLERY --model MODEL"
            )
        return self._nearest(self.embed(pixels), count)

    def _nearest(self, vector: NDArray[np.float32], count: int) -> list[Entry]:
        cosine = self._vectors @ vector
        order = np.argsort(-cosine, kind="stable")[:count]
        return [self.entry(int(self._numbers[i]), float(cosine[i])) for i in order]

    def jpeg(self, number: int) -> bytes:
        """The crop of an image, JPEG.

        Raises:
            UserError: no such number, or a file that cannot be read.
        """
        self.entry(number)
        name, row = self._places[number]
        pixels = cv2.cvtColor(read_crop(self.splits[name], row), cv2.COLOR_RGB2BGR)
        done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])
        if not done:
            raise UserError(f"image {number} could not be encoded")
        return data.tobytes()

    def relabel(self, number: int, identity: int) -> None:
        """Correct the label of an image and write the table; its own label takes it back.

        Raises:
            UserError: no such image, or no identity.
        """
        one = self.entry(number)
        _refuse(identity)
        with self._lock:
            rest = [c for c in self._corrections if (c.split, c.file) != (one.split, one.file)]
            if identity != one.labelled:
                rest.append(Correction(one.labelled, identity, one.split, one.file))
            self._store(rest)

    def merge(self, identity: int, into: int) -> None:
        """Make all images of an identity another's and write the table.

        Raises:
            UserError: the two are the same, or no image has the first.
        """
        _refuse(into)
        if identity == into or identity <= 0 or into <= 0:
            raise UserError(f"two people can be merged, from 1 up; got {identity} and {into}")
        with self._lock:
            self._store([*self._corrections, Correction(identity, into)])

    def undo(self) -> None:
        """Take the last correction back and write the table."""
        with self._lock:
            self._store(self._corrections[:-1])

    def _store(self, corrections: list[Correction]) -> None:
        """Take over corrections that can be applied; the table is written first.

        Without any there is no table.
        """
        if self.out is None:
            raise UserError(f"{self.title}: is not corrected here; reidkit gallery --help")
        current = apply_corrections(self.splits, corrections, str(self.out))
        if corrections:
            write_corrections(self.out, corrections)
        else:
            self.out.unlink(missing_ok=True)
        self._corrections, self._current = corrections, current

    def facts(self) -> dict[str, Any]:
        """What a page says of the whole: splits, cameras, counts."""
        cameras = sorted({int(c) for s in self.splits.values() for c in np.unique(s.cameras)})
        return dict(
            title=self.title, splits={n: len(s) for n, s in self.splits.items()}, cameras=cameras,
            suspects=len(self.suspects), corrections=self.corrections,
            names=list(self.names.values())[:SUGGESTED],
            out=None if self.out is None else str(self.out),
            searchable=self.searchable, pictures=self.embed is not None,
        )  # fmt: skip


def _refuse(identity: int) -> None:
    if not JUNK <= identity < 2**62:
        raise UserError(f"identities are whole numbers from -1 (junk) up, got {identity}")
