"""A gallery: people are enrolled with images, searched for by images, and erased."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from reidkit.errors import UserError
from reidkit.evaluation.open_set import OpenSet, open_set
from reidkit.gallery.answers import Answers, nearest_people
from reidkit.gallery.creation import attach, check_days, create, tidy
from reidkit.gallery.decision import Decision, said
from reidkit.gallery.manifest import FILE, read_manifest
from reidkit.gallery.milvus import Recall, known_recall
from reidkit.gallery.model import EmbeddingModel, check_model, check_shapes, embedded, joined
from reidkit.gallery.opened import OpenedGallery
from reidkit.gallery.refusals import NotEnrolled
from reidkit.gallery.rows import Stay, images_of, name_of, of_tracklets
from reidkit.gallery.writing import Erasure, Writer, erase, save, writer
from reidkit.utils.permission import may_write

DAY = 86400.0


class Gallery(OpenedGallery):
    """People in one folder, embedded by one model.

    What a method returned counts and is on the disk: a kill loses nothing of it, and leaves nothing
    half. One process changes a gallery at a time; any number search it meanwhile, each search in
    the state that it finds.

    Args:
        folder: of the gallery; made where it is missing or empty and there is a model.
        model: of ``reidkit.load``, or `EmbeddingsOnly`; without one nothing can be enrolled or
            searched for. A new gallery takes over its open set, if it has one.
        retention_days: of a new gallery, for which images are kept; None: until they are erased.
        clock: seconds since 1970.
        database: of Milvus, which lists the images that are compared: a file that ends in ".db"
            or "http://host:19530" (`reidkit.gallery.milvus`). Once given it must be given for
            every change; a search without it compares every image.

    Raises:
        UserError: no gallery and no model; another model's gallery; a damaged one; a database that
            is not the gallery's, or not reached.

    Example:
        >>> import tempfile, torch
        >>> from reidkit.evaluation import CosineMatcher
        >>> from reidkit.gallery import EmbeddingsOnly
        >>> from reidkit.structures import Embedding
        >>> vectors = Embedding(torch.eye(3)[:, None])
        >>> gallery = Gallery(tempfile.mkdtemp(), EmbeddingsOnly("mine 1", CosineMatcher()))
        >>> gallery.enrol(["anna", "ben"], vectors[:2], model="mine 1")
        2
        >>> gallery.search(vectors[1:], model="mine 1", threshold=0.5)
        <Answers: ben at 0.000, unknown at 1.000>
        >>> gallery.erase("ben").images, gallery.identities
        (1, ['anna'])
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        model: EmbeddingModel | None = None,
        retention_days: float | None = None,
        clock: Callable[[], float] = time.time,
        database: str | os.PathLike[str] | None = None,
    ):
        self.model, place = model, Path(folder)
        if model is not None and not (place / FILE).exists():
            create(place, model, retention_days)
        manifest = read_manifest(place)
        if model is not None:
            check_model(manifest, model.fingerprint, model.name)
        self.database = attach(place, manifest, os.fspath(database)) if database else None
        tidy(place, manifest, self.database)
        super().__init__(place, clock)

    def enrol(
        self,
        ids: str | Iterable[Any],
        crops: Any,
        cameras: ArrayLike | None = None,
        times: ArrayLike | None = None,
        *,
        source: str = "",
        retention_days: float | None = None,
        tracklets: ArrayLike | None = None,
        model: str | None = None,
        batch_size: int = 64,
        paths: Sequence[str] | None = None,
    ) -> int:
        """Add images of people; all of them count when this returns.

        Args:
            ids: identity of each crop, a name or a whole number; one for all.
            crops: as ``reidkit.load`` takes them, or an `Embedding`.
            cameras: whole numbers from 0, (N,); also given to the model.
            times: seconds on the cameras' clock, (N,).
            source: where the images come from, and why they may be kept, for people.
            retention_days: for which these images are kept; None: as the gallery says.
            tracklets: (N,) names of tracklets: crops of one are joined into one embedding.
            model, paths: fingerprint of the model that an `Embedding` comes from; (N,) its images.
            batch_size: crops in one forward pass.

        Returns:
            The number of images, or tracklets.

        Raises:
            UserError: embeddings of another model; another process that writes.
            ValueError: columns that do not fit; a name that is empty or "unknown".
        """
        check_days(retention_days)
        embedding = embedded(self._model(), crops, cameras, model, batch_size)
        days = self.snapshot.manifest.retention_days if retention_days is None else retention_days
        now = self.clock()
        stay = Stay(source, now, np.inf if days is None else now + days * DAY)
        rows = images_of(embedding, ids, paths or crops, cameras, times, stay)
        if tracklets is not None:
            rows = of_tracklets(rows, *joined(embedding, tracklets), tracklets)
        with self._writer() as work:
            shapes = check_shapes(work.manifest, embedding)
            work.add(rows, shapes=shapes)
        self.purge()
        return len(rows)

    def erase(self, *identities: str | int) -> Erasure:
        """Take people away: vectors, paths, provenance, and the lines of the log that name them.

        The same is done in the copies that ``save`` made, as far as they are where they were.

        Raises:
            NotEnrolled: somebody who is not there (nobody is erased then). Busy: another writer.
        """
        names = [name_of(one) for one in identities]
        there = set(self.snapshot.column("identities").tolist())
        lost = [name for name in names if name.encode() not in there]
        if lost or not names:
            raise NotEnrolled(self.folder, lost)
        return erase(self.folder, names, database=self.database)

    def purge(self) -> Erasure:
        """Erase what has expired; every enrolment does so, too."""
        now = self.clock()
        expired = self.snapshot.earliest <= now
        return erase(self.folder, (), now, self.database) if expired else Erasure()

    def merge(self, other: str | os.PathLike[str] | Gallery) -> int:
        """Take over the images of another gallery of the same model, with their provenance.

        Returns:
            The number of images.

        Raises:
            UserError: a gallery of another model, or this one; another writer.
        """
        given = other if isinstance(other, Gallery) else Gallery(other)
        if os.path.samefile(given.folder, self.folder):
            raise UserError(f"{self.folder}: cannot be merged with itself")
        if (theirs := given.snapshot).manifest.pending:
            raise UserError(f"{given.folder}: an erasure is not finished there; open it first")
        theirs.verify()
        with self._writer() as work:
            check_model(work.manifest, theirs.manifest.model, theirs.manifest.model_name)
            if theirs.segments:
                work.add(theirs.segments, shapes=theirs.manifest.shapes)
        self.purge()
        return len(theirs)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Copy the gallery; erasures here will reach the copy.

        Args:
            folder: is made; an empty one may exist.

        Raises:
            UserError: it holds something; a file of the gallery is damaged.
        """
        save(self.folder, Path(folder), self.database)

    def calibrate(
        self, ids: ArrayLike, crops: Any, cameras: ArrayLike | None = None, *,
        model: str | None = None, batch_size: int = 64,
    ) -> OpenSet:  # fmt: skip
        """Thresholds and probabilities from people whom the model has not learned from.

        Nothing of these people is kept but the distances between them.

        Args:
            ids: whole numbers from 1, (N,): who is who. At least two images of a person.
            crops, model, batch_size: as for ``enrol``.
            cameras: (N,); where there are several, only images of different ones are compared.

        Raises:
            UserError: nobody is there twice.
        """
        made = embedded(self._model(), crops, cameras, model, batch_size)
        places = np.zeros(len(made), np.int64) if cameras is None else np.asarray(cameras)
        known = open_set(made, ids, places, self._model().matcher)
        if known is None:
            raise UserError("a calibration needs at least two people, and two images of one")
        with self._writer() as work:
            check_shapes(work.manifest, made)
            work.keep_calibration(known.to_bytes())
        return known

    def search(
        self,
        crops: Any,
        k: int = 5,
        cameras: ArrayLike | None = None,
        *,
        fpir: float | None = None,
        threshold: float | None = None,
        tracklets: ArrayLike | None = None,
        model: str | None = None,
        batch_size: int = 64,
        note: str = "",
    ) -> Answers:
        """Who is it? The nearest people of each crop, and whether the nearest one is meant.

        Without ``fpir`` and ``threshold`` a calibrated gallery answers someone where that is more
        likely right than not, with half of the searches for people who are there; another gallery
        always answers the nearest one. Each search is a line of the log.

        Args:
            crops: as for ``enrol``, N of them.
            k: people that are listed, >= 1.
            cameras: of the crops, for models that use them.
            fpir: share of searches for absent people that may answer someone, in (0, 1).
            threshold: distance up to which someone is answered, instead.
            tracklets: (N,) names of tracklets: one answer for each, in the order of first crops.
            model, batch_size: as for ``enrol``.
            note: for the log: who asks, and why.

        Raises:
            UserError: embeddings of another model; a rate, and no calibration.
            ValueError: both a rate and a threshold; k < 1.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        query = embedded(self._model(), crops, cameras, model, batch_size)
        if tracklets is not None:
            query = joined(query, tracklets)[0]
        snapshot = self.snapshot
        check_shapes(snapshot.manifest, query)
        matcher, now = self._model().matcher, self.clock()
        decision = Decision.of(snapshot, matcher, now, fpir, threshold)
        for text in decision.warnings:
            warnings.warn(text, stacklevel=2)
        hidden = snapshot.hidden(now)
        found = nearest_people(query, snapshot, matcher, k, hidden, self.database)
        recall = known_recall(snapshot.manifest) if self.database else None
        given = [decision.answer(one) for one in found]
        answers = Answers(given, decision.threshold, decision.warnings, recall)
        if answers and may_write():
            event = dict(at=now, kind="search", threshold=decision.threshold, fpir=fpir, note=note)
            self.log.add([dict(event, **said(answer)) for answer in answers])
        return answers

    def measure_recall(self, k: int = 10, queries: int = 256) -> Recall:
        """How much of exact search the database's shortlists contain; later answers carry it.

        Args:
            k, queries: nearest images that are looked for, of so many enrolled ones; >= 1.

        Raises:
            UserError: no database, or fewer than two images. ValueError: k or queries below 1.
        """
        if k < 1 or queries < 1:
            raise ValueError(f"k and queries must be at least 1, got {k} and {queries}")
        if self.database is None or len(self.snapshot) < 2:
            raise UserError(f"{self.folder}: recall needs a database, and two images")
        result = self.database.recall(self.snapshot, self._model().matcher, k, queries)
        with self._writer() as work:
            work.change(database=dict(work.manifest.database, recall=asdict(result)))
        return result

    def close(self) -> None:
        """Let go of the database, so that another process may open an embedded one."""
        if self.database is not None:
            self.database.close()

    def _writer(self) -> AbstractContextManager[Writer]:
        return writer(self.folder, database=self.database)

    def _model(self) -> EmbeddingModel:
        if self.model is None:
            text = "opened without a model; Gallery(folder, reidkit.load(...)) has one"
            raise UserError(f"{self.folder}: {text}")
        return self.model
