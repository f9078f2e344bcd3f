"""Labels that exist already, put into a label store."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from reidkit.data.split import Split
from reidkit.errors import UserError
from reidkit.plugin.extend import extensions, unknown_name
from reidkit.pose.body import PAINTER
from reidkit.pose.coco_json import keypoints_from_coco
from reidkit.pose.crops import crop_sizes
from reidkit.pose.generate import write_store
from reidkit.pose.part_labels import PartLabels
from reidkit.pose.part_maps import paint_part_maps
from reidkit.pose.store import LabelStore, describe
from reidkit.utils.io import atomic_folder, sha256_file

# (file, split) -> keypoints (M, 17, 3), x y in crop pixels and confidence, and sizes (M, 2)
LabelReader = Callable[[Path | str, Split], tuple[np.ndarray, np.ndarray]]


def label_reader(name: str) -> LabelReader:
    """The function that reads one format of label files.

    Args:
        name: "coco" (JSON that lists the crops as images), or ``<plugin>/<format>`` of a plugin
            that extends ``label_formats``.

    Raises:
        UserError: there is no such format, or its plugin cannot be loaded.
    """
    if name == "coco":
        return _read_coco
    formats = extensions("label_formats")
    if name not in formats:
        raise UserError(unknown_name("label format", name, ["coco", *formats]))
    return formats[name].load()


def _read_coco(path: Path | str, split: Split) -> tuple[np.ndarray, np.ndarray]:
    return keypoints_from_coco(path, split), crop_sizes(split)


def import_labels(
    split: Split,
    folder: Path | str,
    source: Path | str,
    form: str,
    part_maps: tuple[int, int] | None = (48, 16),
    part_labels: Path | str | None = None,
    bilinear: bool = False,
    force: bool = False,
) -> LabelStore:
    """Make the label store of a split from a file of keypoints.

    Such a store is the user's: a run uses it as it is, whatever labeller its config names.

    Args:
        split: whose crops.
        folder: the store.
        source: the file.
        form: of the file, as for `label_reader`.
        part_maps, part_labels, bilinear: as for ``ensure_labels``.
        force: replace a store that is there.

    Raises:
        UserError: a store is there and no force; an unknown format; a file that is refused, or
            lacks crops.
    """
    folder = Path(folder)
    read = label_reader(form)
    if folder.exists() and not force:
        raise UserError(f"{folder}: labels are there already; --force replaces them")
    keypoints, sizes = read(source, split)
    block = {"keypoints": keypoints, "image_sizes": sizes}
    pose = {"config": f"{form} {Path(source).name}", "weights_sha256": sha256_file(source)}
    if part_maps:
        pngs = PartLabels.of(split, part_labels, bilinear)
        rows = np.arange(len(split))
        block["part_maps"] = (
            pngs.maps(rows, part_maps) if pngs else paint_part_maps(keypoints, sizes, part_maps)
        )
        pose["part_maps"] = pngs.provenance if pngs else PAINTER
    meta = {**describe(split, pose, part_maps), "made_by": "import"}
    old = folder.with_name(f".{folder.name}.old-{os.getpid()}")
    if folder.exists():
        os.rename(folder, old)
    with atomic_folder(folder) as beside:
        write_store(beside, split.paths, meta, [block])
    shutil.rmtree(old, ignore_errors=True)
    return LabelStore.open(folder, split)
