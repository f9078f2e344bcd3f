"""Composites without a generator: people of SynthPed in one another's poses, or colours.

What a perfect generator of composites would give a method that trains on them: an upper bound.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reidkit.config.ranges import COUNT
from reidkit.data.split import Split
from reidkit.registry import DATASETS
from reidkit.synthped import layout
from reidkit.synthped import plan as pl
from reidkit.synthped.keys import stream
from reidkit.synthped.reader import SynthPed

KINDS = ("pose", "colours")


def contents(
    preset: str, domain: str, seed: int, style: str | None, each: int, kind: str = "pose"
) -> layout.Contents:
    """Everything the folder of composites holds.

    Args:
        preset, domain, seed, style: see ``Shot``.
        each: composites of every training crop.
        kind: see ``SynthPedComposites``.

    Raises:
        ValueError: ``each`` below 1, unknown kind.

    Example:
        >>> items = contents("tiny", "A", 0, None, 2).items
        >>> len(items), all(i.shot.wearer == int(Path(i.path).name[:4]) for i in items)
        (144, True)
    """
    if each < 1:
        raise ValueError(f"each must be at least 1, got {each}")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, got {kind!r}")
    real = [i for i in pl.plan(preset, domain, seed, style) if i.path.startswith(f"{pl.TRAIN}/")]
    items = []
    for row, item in enumerate(real):
        rng = stream("composites", seed, domain, row)
        for number in range(each):
            other = real[int(rng.integers(len(real)))]
            if kind == "pose":  # the other crop lends pose, camera, box and background
                scene, shot = other, replace(other.shot, wearer=item.shot.identity)
            else:
                scene, shot = item, replace(item.shot, colours=other.shot.identity)
            _, place, frame, _ = Path(scene.path).stem.split("_")
            name = f"{item.shot.identity:04d}_{place.partition('s')[0]}s{number + 1}_{frame}"
            items.append(pl.Item(f"{pl.TRAIN}/{name}_{row % 100:02d}.jpg", shot))
    made_of = dict(preset=preset, domain=domain, seed=seed, style=style, composites=each)
    if kind != KINDS[0]:  # not named in folders of before there were others
        made_of["kind"] = kind
    return layout.Contents(sorted(items, key=lambda item: item.path), made_of)


@DATASETS.register_module()
class SynthPedComposites(SynthPed):
    """Training crops of SynthPed in another crop's pose and place, or in another's colours.

    The identity of a composite is whose body it shows; the training people are those of
    ``SynthPed`` with the same options. There are no test images.

    Args:
        data_root, domain, preset, style, seed: see ``SynthPed``.
        each: composites of every training crop.
        kind: "pose": the person, body and clothes, stands in another crop's pose, place and box;
            "colours": the crop as it is, but clothes, shoes and bag have the colours, patterns and
            prints of another identity's.

    Raises:
        ValueError: unknown domain, preset, style or kind; ``each`` below 1.
    """

    title = "SynthPed composites"
    needed = (f"{pl.TRAIN}/", "truth.npz", "manifest.json")
    how = "call prepare()"
    ranges = {**SynthPed.ranges, "each": COUNT}

    def __init__(
        self,
        data_root: str,
        domain: str = "A",
        preset: str = "standard",
        style: str | None = None,
        seed: int = 0,
        each: int = 4,
        kind: str = "pose",
    ):
        super().__init__(data_root, domain, preset, style, seed)
        self.contents = contents(preset, domain, seed, self.style, each, kind)
        name = f"{self.folder.name}_composites{each}" + (f"_{kind}" if kind != KINDS[0] else "")
        folder = self.folder.with_name(name)
        self.root = self.name = folder.relative_to(data_root).as_posix()
        self.key = self.name
        crops, people = self.counts["train"]
        self.counts = {"train": (each * crops, people)}

    def prepare(self) -> None:
        """Render what is missing (progress bar, all CPUs, resumable), or see that all is there."""
        layout.write_contents(self.folder, self.contents)
        super(SynthPed, self).prepare()

    def _items(self) -> list[pl.Item]:
        return self.contents.items

    def read(self, folder: Path) -> dict[str, Split]:
        """See ``Reader.read``: the training split alone."""
        truth = layout.load_truth(folder)
        rows = {path: row for row, path in enumerate(truth["paths"].tolist())}
        return {"train": self._complete(self.read_folder(folder, self.train, "train"), truth, rows)}
