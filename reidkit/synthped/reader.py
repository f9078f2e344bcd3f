"""The reader of SynthPed: renders a domain when it is missing, then reads it as Market-1501."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from reidkit.config.ranges import WHOLE
from reidkit.data.datasets.market1501 import Market1501
from reidkit.data.split import Split
from reidkit.registry import DATASETS
from reidkit.synthped import layout
from reidkit.synthped import plan as pl
from reidkit.synthped.presets import DOMAINS, PRESETS
from reidkit.synthped.world import Crop, Shot, render


@DATASETS.register_module()
class SynthPed(Market1501):
    """SynthPed in Market-1501's layout; ``prepare()`` renders it where it is missing.

    Args:
        data_root: the folder in which all data sets lie; this one takes ``synthped/`` in it.
        domain: "A" or "B" (source and target), or "P", which trains the pose model and brings
            keypoints and part labels of its own, as COCO does.
        preset: "tiny", "easy" or "standard" (version 3), "crowds", "few_shot" or "hard" (version
            4), "hard_v3" (the former "hard"). See ``reidkit.synthped.presets``.
        style: render the domain's people under another domain's cameras: a perfect style
            transfer. Geometry and file names stay, so labels of the plain domain fit.
        seed: another world of the same kind.
        true_keypoints: for controls, which ask what a pose model without a fault would give: bring
            the joints as they were drawn, in place of a pose model's. Label stores have names of
            their own. Domain P brings them always.

    Raises:
        ValueError: unknown domain, preset or style.
    """

    name = "synthped"
    title = "SynthPed"
    pictures = "synthped"
    nestings = ()
    needed = (*Market1501.needed, "truth.npz", "manifest.json")  # the last one written
    counts: Mapping[str, tuple[int, int | None]] = {}  # those of the preset
    junk_gallery = 0
    how = "run tools/synthped.py, or call prepare()"

    ranges = {"seed": WHOLE}

    def __init__(
        self,
        data_root: str,
        domain: str = "A",
        preset: str = "standard",
        style: str | None = None,
        seed: int = 0,
        true_keypoints: bool = False,
    ):
        for option, value, allowed in (
            ("domain", domain, DOMAINS),
            ("preset", preset, tuple(PRESETS)),
            ("style", style, (None, *DOMAINS)),
        ):
            if value not in allowed:
                raise ValueError(f"SynthPed: {option} must be one of {allowed}, got {value!r}")
        self.domain, self.preset, self.seed = domain, preset, seed
        self.style = None if style == domain else style
        folder = layout.domain_folder(data_root, preset, domain, seed, self.style)
        super().__init__(data_root, folder.relative_to(data_root).as_posix())
        self.plain: SynthPed | None = None
        if self.style:
            self.plain = SynthPed(
                data_root, domain, preset, seed=seed, true_keypoints=true_keypoints
            )
        known = PRESETS[preset]
        sizes = known.pose_sizes if domain == "P" else known.sizes
        crops = sizes.train_tracks * sum(map(len, pl.train_views(preset, domain, seed)))
        self.counts = {"train": (crops, sizes.train_ids)}
        self.brings_keypoints = true_keypoints or domain == "P"
        own_labels = "-true_keypoints" if true_keypoints and domain != "P" else ""
        self.name = folder.relative_to(data_root).as_posix() + own_labels

    @property
    def folder(self) -> Path:
        """Where the domain lies."""
        return self.data_root / self.root

    def prepare(self) -> None:
        """Render what is missing (progress bar, all CPUs, resumable), or see that all is there."""
        args = (self.preset, self.domain, self.seed, self.style)
        if self.plain is not None:
            self.plain.prepare()
        layout.write_domain(self.data_root, *args)
        super().prepare()

    def read(self, folder: Path) -> dict[str, Split]:
        """See ``Reader.read``; adds times and, where wanted, keypoints and drawn part labels."""
        truth = layout.load_truth(folder)
        rows = {path: row for row, path in enumerate(truth["paths"].tolist())}
        splits = {key: self._complete(s, truth, rows) for key, s in super().read(folder).items()}
        if self.plain is None:
            return splits
        plain = self.plain.splits()
        return {key: replace(split, originals=plain[key]) for key, split in splits.items()}

    def candidates(self) -> list[Path]:
        """Only its own folder."""
        return [self.folder]

    def _complete(self, split: Split, truth: dict[str, np.ndarray], rows: dict) -> Split:
        index = np.array([rows[path] for path in split.paths])
        extra: dict = dict(pictures=self.pictures, times=truth["seconds"][index])
        if self.brings_keypoints:
            extra["keypoints"] = truth["joints"][index]
            if self.domain == "P" and split.name == "train":
                stems = [Path(path).stem for path in split.paths]
                extra["part_label_paths"] = tuple(f"{pl.PART_LABELS}/{s}.png" for s in stems)
        return replace(split, **extra)

    def wearing(self, wearer: str, scene: str) -> Crop:
        """The person of one crop in the pose, place and box of another, rendered, with its truth.

        Args:
            wearer, scene: paths of crops of this domain; with both the same, that crop again.
        """
        shot = self._shots[wearer]
        worn = shot.identity if shot.wearer is None else shot.wearer
        return render(replace(self._shots[scene], wearer=worn))

    @functools.cached_property
    def _shots(self) -> dict[str, Shot]:
        return {item.path: item.shot for item in self._items()}

    def _items(self) -> list[pl.Item]:
        return pl.plan(self.preset, self.domain, self.seed, self.style)

    def truth(self, split: str) -> dict[str, np.ndarray]:
        """Truth of one split, rows as in the split: for measuring and for tests only.

        Args:
            split: "train", "query" or "gallery".
        """
        truth = layout.load_truth(self.folder)
        rows = {path: row for row, path in enumerate(truth["paths"].tolist())}
        index = np.array([rows[path] for path in self.splits()[split].paths])
        return {key: value[index] for key, value in truth.items()}
