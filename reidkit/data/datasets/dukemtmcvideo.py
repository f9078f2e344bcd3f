"""DukeMTMC-VideoReID: a folder per split, identity and tracklet."""

from __future__ import annotations

import re
from pathlib import Path

from reidkit.data.datasets.files import folders_in
from reidkit.data.datasets.reader import Reader
from reidkit.data.split import Split
from reidkit.data.tracklets import TrackletSplit, frames_in
from reidkit.errors import UserError
from reidkit.registry import DATASETS

NAME = re.compile(r"(\d{4})_?C(\d{1,18})_?F(\d+)_?[XD]\d+")
FRAME = re.compile(r"F(\d+)")


@DATASETS.register_module()
class DukeMTMCVideoReID(Reader):
    """DukeMTMC-VideoReID: ``{train,query,gallery}/<identity>/<tracklet>/``.

    Frames are ``0001_C6_F0099_X30823.jpg`` or, in older archives, ``0001C6F0099X30823.jpg`` (D in
    place of X for distractors); they are sorted by F, which may start late and skip. The query
    tracklets are in the gallery folder too, and the test is that of MARS. The data set was
    withdrawn by its owners: this reads copies that exist, nothing fetches it.

    Args:
        data_root, check_counts: see ``Reader``.
        root: the data set's own folder in ``data_root``.

    Raises:
        UserError: see ``Reader.prepare``; a query tracklet that the gallery does not hold; frames
            of several cameras in one tracklet.

    Source:
        Wu et al., Exploit the Unknown Gradually (CVPR 2018).
    """

    name = "dukemtmcvideo"
    title = "DukeMTMC-VideoReID"
    unit = "tracklets"
    protocol = "mars-official"
    needed = ("train/", "query/", "gallery/")
    nestings = ("DukeMTMC-VideoReID", "DukeMTMC-VideoReID/DukeMTMC-VideoReID")
    counts = {"train": (2196, 702), "query": (702, 702), "gallery": (2636, 1110)}
    how = "put a copy of DukeMTMC-VideoReID there (its owners have withdrawn it)"

    def __init__(self, data_root: str, root: str = "dukemtmcvideo", check_counts: str = "auto"):
        super().__init__(data_root, root, check_counts)

    def candidates(self) -> list[Path]:
        """Never ``data_root`` itself, whose folders may be called so for other reasons."""
        return [self.data_root / self.root / nest for nest in ("", *self.nestings)]

    def read(self, folder: Path) -> dict[str, Split]:
        """List the three folders; see ``Reader.read``."""
        splits = {name: self._folder(folder, name) for name in ("train", "query", "gallery")}
        known = {path.partition("/")[2] for path in splits["gallery"].paths}
        for path in splits["query"].paths:
            if path.partition("/")[2] not in known:
                raise UserError(
                    f"{self.title}: {path} is not in gallery/; the gallery must hold the queries, "
                    "as in MARS. Unpack the archive again"
                )
        return splits

    def _folder(self, folder: Path, name: str) -> Split:
        frames, people, cameras = [], [], []
        for person in folders_in(folder / name):
            for tracklet in folders_in(folder / name / person):
                paths = frames_in(folder, f"{name}/{person}/{tracklet}", FRAME)
                labels = {_parsed(path) for path in paths}
                if not labels:
                    raise UserError(
                        f"{self.title}: {name}/{person}/{tracklet} holds no frames; remove the "
                        "folder, or unpack the archive again"
                    )
                if len(labels) > 1:
                    raise UserError(
                        f"{self.title}: {name}/{person}/{tracklet} holds frames of "
                        f"{len(labels)} people or cameras: {sorted(labels)}; it must be one"
                    )
                frames.append(paths)
                identity, camera = labels.pop()
                people.append(identity)
                cameras.append(camera)
        return TrackletSplit.of(self.name, name, folder, frames, people, cameras)


def _parsed(path: str) -> tuple[int, int]:
    """Identity and camera in a frame's name."""
    match = NAME.match(path.rpartition("/")[2])
    if match is None:
        raise UserError(
            f"{path}: the name does not tell identity, camera and frame; expected something like "
            "0001_C6_F0099_X30823.jpg. Rename or remove the file"
        )
    return int(match[1]), int(match[2])
