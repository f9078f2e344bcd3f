"""Labels that exist already, put into a label store."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.pose.body import PAINTER
from reidkit.pose.formats import label_reader, recognise
from reidkit.pose.part_labels import PartLabels
from reidkit.pose.part_maps import paint_part_maps
from reidkit.pose.people import Fitted, LabelledImage, fit_people
from reidkit.pose.store import LabelStore
from reidkit.pose.store_files import say, store_lock, write_store
from reidkit.pose.store_meta import describe
from reidkit.utils.io import atomic_folder, sha256_file


class KeypointFile:
    """Keypoints that another program found, read once for all splits of a data set.

    Args:
        path: the file, or the folder of files.
        form: its format, as ``label_reader`` takes it; None to recognise it.
        among: paths of all crops of the data set, so that no entry is taken for two of them.
        allow_missing: crops that it does not list have nobody in them, instead of being an error.

    Raises:
        UserError: an unknown format, or a file that is refused.

    Example:
        >>> KeypointFile("keypoints.json").form                           # doctest: +SKIP
        'coco'
    """

    def __init__(
        self,
        path: Path | str,
        form: str | None = None,
        among: Collection[str] = (),
        allow_missing: bool = False,
    ):
        self.path, self.form = Path(path), form or recognise(path)
        self.among, self.allow_missing = frozenset(among), allow_missing
        self.images: list[LabelledImage] = label_reader(self.form)(self.path)

    def fit(self, split: Split) -> Fitted:
        """The joints of a split's crops; see ``fit_people``."""
        return fit_people(self.images, split, str(self.path), self.among, self.allow_missing)

    def digest(self) -> str:
        """sha256 of the file, or of the sha256 of every file of the folder."""
        if self.path.is_file():
            return sha256_file(self.path)
        import hashlib

        files = sorted(file for file in self.path.rglob("*") if file.is_file())
        return hashlib.sha256("".join(map(sha256_file, files)).encode()).hexdigest()


def import_labels(
    split: Split,
    folder: Path | str,
    source: KeypointFile,
    part_maps: tuple[int, int] | None = (48, 16),
    part_labels: Path | str | None = None,
    bilinear: bool = False,
    force: bool = False,
) -> LabelStore:
    """Make the label store of a split from keypoints that another program found.

    Such a store is the user's: a run uses it as it is, whatever labeller its config names, and
    generated labels do not replace it. What is replaced is kept until the new store is complete.

    Args:
        split: whose crops.
        folder: the store.
        source: the keypoints.
        part_maps, part_labels, bilinear: as for ``ensure_labels``.
        force: replace a store that is there.

    Raises:
        UserError: a store is there and no force; what ``fit_people`` refuses; a full or read-only
            disk.
    """
    folder = Path(folder)
    _refuse_old(folder, force)
    fitted = source.fit(split)
    _report(split, fitted)
    block = {"keypoints": fitted.keypoints, "image_sizes": fitted.sizes}
    pose = {"config": f"{source.form} {source.path.name}", "weights_sha256": source.digest()}
    if part_maps:
        pngs = PartLabels.of(split, part_labels, bilinear, source.among)
        block["part_maps"] = (
            pngs.maps(np.arange(len(split)), part_maps)
            if pngs
            else paint_part_maps(fitted.keypoints, fitted.sizes, part_maps)
        )
        pose["part_maps"] = pngs.provenance if pngs else PAINTER
    meta = {**describe(split, pose, part_maps), "made_by": "import", "nobody": fitted.nobody}
    with store_lock(folder):
        _refuse_old(folder, force)
        with atomic_folder(folder, replace=True) as beside:
            write_store(beside, split, meta, [block])
    return LabelStore.open(folder, split)


def _refuse_old(folder: Path, force: bool) -> None:
    if folder.exists() and not force:
        raise UserError(f"{folder}: labels are there already; --force replaces them")


def _report(split: Split, fitted: Fitted) -> None:
    """What a person should know of crops without exactly one person."""
    if fitted.nobody:
        say(f"{split.label_key}: no person found in {fitted.nobody} of {len(split)} crops")
    if fitted.several:
        say(f"{split.label_key}: several people in {fitted.several} crops; the largest is taken")
