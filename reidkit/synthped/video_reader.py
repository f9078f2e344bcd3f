"""The reader of SynthPed video: renders a domain when it is missing, then reads it as MARS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from reidkit.data.datasets.mars import MARS
from reidkit.data.split import Split
from reidkit.registry import DATASETS
from reidkit.synthped import layout
from reidkit.synthped.video_plan import check_names, contents, video_folder


@DATASETS.register_module()
class SynthPedVideo(MARS):
    """SynthPed video in MARS's layout; ``prepare()`` renders it where it is missing.

    Args:
        data_root: the folder in which all data sets lie; this one takes ``synthped/`` in it.
        domain: "A" or "B" (source and target), or "P".
        preset: "easy", "standard", "hard" (version 4) or "hard_v3" (the former "hard").
        style: render the domain's people under another domain's cameras.
        seed: another world of the same kind.
        gallery: see ``MARS``.

    Raises:
        ValueError: unknown domain, preset, style or gallery.
    """

    title = "SynthPed video"
    pictures = "synthped"
    needed = (*MARS.needed, "truth.npz", "manifest.json")  # the last one written
    nestings: tuple[str, ...] = ()
    counts: Mapping[str, tuple[int, int | None]] = {}
    how = "run tools/synthped.py --video, or call prepare()"

    def __init__(
        self,
        data_root: str,
        domain: str = "A",
        preset: str = "standard",
        style: str | None = None,
        seed: int = 0,
        gallery: str = "all",
    ):
        style = None if style == domain else style
        check_names(preset, domain, style)
        self._names = preset, domain, seed, style
        folder = video_folder(data_root, preset, domain, seed, style)
        super().__init__(data_root, folder.relative_to(data_root).as_posix(), gallery)
        self.name = folder.relative_to(data_root).as_posix()

    @cached_property
    def contents(self) -> layout.Contents:
        """Every file that the domain holds, planned but not rendered."""
        return contents(*self._names)

    @property
    def folder(self) -> Path:
        """Where the domain lies."""
        return self.data_root / self.root

    def read(self, folder: Path) -> dict[str, Split]:
        """See ``Reader.read``; says that the frames are rendered."""
        splits = super().read(folder)
        return {name: replace(one, pictures=self.pictures) for name, one in splits.items()}

    def candidates(self) -> list[Path]:
        """Only its own folder."""
        return [self.folder]

    def prepare(self) -> None:
        """Render what is missing (progress bar, all CPUs, resumable), or see that all is there."""
        layout.write_contents(self.folder, self.contents)
        super().prepare()

    def truth(self, split: str) -> dict[str, np.ndarray]:
        """Truth of one split's frames, rows as its ``frame_paths``: for measuring and tests only.

        Args:
            split: "train", "query" or "gallery".
        """
        truth = layout.load_truth(self.folder)
        rows = {path: row for row, path in enumerate(truth["paths"].tolist())}
        index = np.array([rows[path] for path in self.splits()[split].frame_paths])  # type: ignore[attr-defined]
        return {key: value[index] for key, value in truth.items()}
