"""What a generative model of a finished run makes: grids, interpolations, whole data sets.

Shapes: N images, C code channels, H W pixels, T steps of an interpolation.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reidkit.data.crops import CropDataset
from reidkit.data.split import Split
from reidkit.engine.run import Run
from reidkit.errors import UserError
from reidkit.structures import ReIDBatch
from reidkit.utils.io import atomic_folder
from reidkit.utils.progress import track
from reidkit.viz.grids import strips, swap_grid

LAYOUT = ("bounding_box_train", "query", "bounding_box_test")  # Market-1501's


class Composer:
    """A generative model as a maker of images from the crops of one split.

    Args:
        model: has ``appearance``, ``structure`` and ``generate``.
        dataset: the crops that are taken apart and put together.

    Raises:
        UserError: the model generates no images.
    """

    def __init__(self, model: Any, dataset: CropDataset):
        missing = [n for n in ("appearance", "structure", "generate") if not hasattr(model, n)]
        if missing:
            raise UserError(
                f"{type(model).__name__} generates no images (it has no {missing[0]}); take a "
                "run of a generative model: one with appearance, structure and generate"
            )
        self.model, self.dataset, self.split = model, dataset, dataset.split

    @classmethod
    def of_run(cls, run: Run, split: str = "train", domain: str = "source") -> Composer:
        """The model of a finished run with the crops of "train", "query" or "gallery".

        Args:
            run: of ``Run.open``.
            split: whose crops.
            domain: which data set of the run.
        """
        crops = run.domains.split(domain, split)
        labels = run.domains.plan.train.get(domain, ())  # structure may take what training took
        dataset = CropDataset(
            crops,
            tuple(run.cfg.input.size),
            run.cfg.input.resize,
            labels=run.domains.labels(crops, labels),
            fields=labels,
        )
        return cls(run.model, dataset)

    def load(self, rows: Sequence[int]) -> ReIDBatch:
        """These crops of the split.

        Raises:
            UserError: a row that the split does not have.
        """
        wrong = [row for row in rows if not 0 <= row < len(self.split)]
        if wrong:
            raise UserError(f"row {wrong[0]}: {self.split.name} has rows 0..{len(self.split) - 1}")
        return self.dataset.__getitems__(list(rows))

    def choose(self, count: int, seed: int) -> list[int]:
        """Rows of ``count`` different identities, one crop each, at random.

        Raises:
            UserError: fewer identities than that.
        """
        known = np.unique(self.split.identities[self.split.identities > 0])
        if count > len(known):
            raise UserError(f"{count} identities asked for, {self.split.name} has {len(known)}")
        rng = np.random.default_rng(seed)
        people = rng.choice(known, count, replace=False)
        return [int(rng.choice(np.flatnonzero(self.split.identities == p))) for p in people]

    def grid(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        """A sheet of composites: every crop's appearance, by rows, in every crop's structure.

        Args:
            rows: n rows of the split.

        Shape:
            returns (H, W, 3) uint8: n x n composites with the crops above and at the left.
        """
        batch = self.load(rows)
        appearance, structure = self.model.appearance(batch), self.model.structure(batch)
        images = [
            _pixels(self.model.generate(code.expand_as(appearance), structure))
            for code in appearance[:, None]
        ]
        return swap_grid(_pixels(batch.images), _pixels(batch.images), np.stack(images))

    def interpolation(self, first: int, second: int, steps: int = 11) -> NDArray[np.uint8]:
        """A sheet of three strips: two crops, and the way from the first to the second by one code.

        In the second strip the appearance goes from the first crop's to the second's while the
        structure stays that of the first; in the third strip the other way round.

        Args:
            first: row of the crop where the way starts, and whose other code stays.
            second: row of the crop where it ends.
            steps: images of each strip, both ends included.

        Shape:
            returns (H, W, 3) uint8.
        """
        batch = self.load([first, second])
        codes, maps = self.model.appearance(batch), self.model.structure(batch)
        share = torch.linspace(0, 1, steps, device=codes.device).view(-1, 1, 1)
        moving = torch.lerp(codes[:1], codes[1:], share)
        shapes = torch.lerp(maps[:1], maps[1:], share[..., None])
        fixed = maps[:1].expand(steps, -1, -1, -1), codes[:1].expand(steps, -1, -1)
        rows = [
            _pixels(batch.images),
            _pixels(self.model.generate(moving, fixed[0])),
            _pixels(self.model.generate(fixed[1], shapes)),
        ]
        return strips(
            rows,
            [
                "from the first to the second",
                "appearance moves, structure of the first",
                "structure moves, appearance of the first",
            ],
        )

    def pairs(self, copies: int, seed: int) -> NDArray[np.int64]:
        """(M copies, 2) rows of appearance and structure: every crop dresses shuffled others."""
        rng, count = np.random.default_rng(seed), len(self.split)
        shuffled = [rng.permutation(count) for _ in range(copies)]
        own = np.tile(np.arange(count), copies)
        return np.stack([own, np.concatenate(shuffled)], 1)

    def composites(
        self, pairs: NDArray[np.int64], batch_size: int = 64, label: str = "composites"
    ) -> Iterator[Tensor]:
        """Images (N, 3, H, W) uint8 of the pairs, batch by batch, in order."""
        starts = range(0, len(pairs), batch_size)
        for start in track(starts, len(starts), label, unit="batches"):
            rows = pairs[start : start + batch_size]
            appearance = self.model.appearance(self.load(rows[:, 0].tolist()))
            structure = self.model.structure(self.load(rows[:, 1].tolist()))
            yield self.model.generate(appearance, structure).cpu()

    def write_dataset(
        self,
        folder: Path,
        originals: Mapping[str, Split],
        copies: int = 1,
        seed: int = 0,
        with_real: bool = False,
    ) -> int:
        """Write composites as a data set in Market-1501's layout, for any method to train on.

        The training images are composites; identity (in the name) is the appearance's, camera the
        structure's. ``composites.csv`` names both donors. Query and gallery are the originals.

        Args:
            folder: must not hold anything; appears whole or not at all.
            originals: the data set's "query" and "gallery".
            copies: composites per training crop.
            seed: of the shuffled structures.
            with_real: put the real training crops beside the composites.

        Returns:
            The number of composites.

        Raises:
            UserError: the folder is not empty, or a set without query and gallery.
        """
        absent = [name for name in ("query", "gallery") if name not in originals]
        if absent:
            raise UserError(f"{self.split.dataset} has no {absent[0]}: the layout needs it")
        pairs = self.pairs(copies, seed)
        try:
            with atomic_folder(folder) as place:
                for name in LAYOUT:
                    (place / name).mkdir()
                self._write_composites(place, pairs)
                if with_real:
                    self._copy(self.split, place / LAYOUT[0])
                self._copy(originals["query"], place / LAYOUT[1])
                self._copy(originals["gallery"], place / LAYOUT[2])
        except FileExistsError:
            raise UserError(f"{folder}: holds something already; name a new folder") from None
        return len(pairs)

    def _write_composites(self, place: Path, pairs: NDArray[np.int64]) -> None:
        import cv2

        table = io.StringIO()
        lines = csv.writer(table, lineterminator="\n")
        lines.writerow(["file", "appearance", "structure"])
        split, number = self.split, 0
        for images in self.composites(pairs):
            for image in _pixels(images):
                a, s = pairs[number]
                name = f"{split.identities[a]:04d}_c{split.cameras[s]}s1_{number:06d}_99.jpg"
                done, data = cv2.imencode(
                    ".jpg", image[:, :, ::-1], [int(cv2.IMWRITE_JPEG_QUALITY), 95]
                )
                assert done
                (place / LAYOUT[0] / name).write_bytes(data.tobytes())
                lines.writerow([name, split.paths[a], split.paths[s]])
                number += 1
        (place / "composites.csv").write_text(table.getvalue(), "utf-8", "surrogateescape")

    def _copy(self, split: Split, place: Path) -> None:
        """The originals of a split under names of the layout."""
        for row, path in enumerate(split.paths):
            suffix = Path(path).suffix
            name = f"{split.identities[row]:04d}_c{split.cameras[row]}s1_{row:06d}_00{suffix}"
            shutil.copyfile(split.file(row), place / name)


def _pixels(images: Tensor) -> NDArray[np.uint8]:
    """(N, 3, H, W) uint8 tensor -> (N, H, W, 3) array."""
    return images.permute(0, 2, 3, 1).cpu().numpy()
