"""From the config's data node to splits, part labels and loaders; all is made or verified first."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import ConfigDict
from mmengine.dist import barrier, get_rank, get_world_size, is_main_process

from reidkit.config import stage_configs
from reidkit.config.settings import CORE
from reidkit.data.clips import ClipBatches, ClipDataset, FrameSampler
from reidkit.data.crops import STORED, CropDataset
from reidkit.data.datasets.joined import LabelArrays
from reidkit.data.decode import limit_pixels
from reidkit.data.loader import DomainLoader, make_loader
from reidkit.data.readable import check_readable
from reidkit.data.split import Split
from reidkit.data.tracklets import TrackletSplit
from reidkit.engine.label_plan import LabelPlan, label_plan
from reidkit.errors import UserError
from reidkit.pose.generate import ensure_labels
from reidkit.registry import DATASETS, FRAME_SAMPLERS, LABELLERS, SAMPLERS
from reidkit.utils.permission import reading_only

PART_MAP = (48, 16)  # rows and columns of a part map where no head says another size


class Domains:
    """The data sets of one run by domain name, with the part labels the method asks for.

    Readers are built and prepared on first use, so a domain that nothing names costs nothing and
    may be missing. Part labels are generated on first use and kept in
    ``settings.label_root``.

    Args:
        cfg: the resolved config.
        device: where the labeller runs.
        named: settings that the person has named, for a config that may be a stranger's: data and
            labels are made only below folders that are among them or the default. None for one's
            own config: wherever it says.
    """

    def __init__(self, cfg: ConfigDict, device: Any = "cpu", named: Collection[str] | None = None):
        self.cfg, self.device, self.named = cfg, device, named
        self.data_root = Path(cfg.settings.data_root)
        self.label_root = Path(cfg.settings.label_root or self.data_root / "part_labels")
        limit_pixels(cfg.settings.max_pixels)
        self._readers: dict[str, Any] = {}
        self._splits: dict[str, dict[str, Split]] = {}
        self._stores: dict[str, Any] = {}

    def splits(self, domain: str) -> dict[str, Split]:
        """All splits of a domain; the first process makes or verifies the data, the others wait.

        Raises:
            UserError: unknown domain, or data that is missing.
        """
        if domain not in self._splits:
            known = self.cfg.data.domains
            if domain not in known:
                raise UserError(
                    f"data group '{self.cfg.data.name}' has no domain {domain!r}; "
                    f"it has: {', '.join(known)}. This method needs another data group."
                )
            supply = dict(data_root=str(self.data_root), settings=self.cfg.settings)
            reader = DATASETS.build(dict(known[domain]), supply)
            with reading_only(self._refusal("data_root")):
                if is_main_process():
                    reader.prepare()
                    for note in getattr(reader, "notes", ()):
                        print(f"{domain}: {note}")
                barrier()
                self._readers[domain], self._splits[domain] = reader, reader.splits()
        return self._splits[domain]

    def _refusal(self, setting: str) -> str:
        """Why nothing may be written below the folder of a setting; empty where it may."""
        key, place = f"settings.{setting}", self.cfg.settings[setting]
        default = CORE[setting].default
        usual = default != "" and os.path.realpath(place) == os.path.realpath(default)
        if self.named is None or key in self.named or usual:
            return ""
        return f"only the run folder names {place}; if it is the place you want, type {key}={place}"

    def reader(self, domain: str) -> Any:
        """The data set's reader, prepared: it knows its protocol and its trials."""
        self.splits(domain)
        return self._readers[domain]

    def split(self, domain: str, name: str) -> Split:
        """One split of a domain.

        Raises:
            UserError: the data set has no such split.
        """
        splits = self.splits(domain)
        if name not in splits:
            hint = "" if name == "train" else "; data.tests=[] trains without a test"
            listed = ", ".join(splits)
            raise UserError(f"domain '{domain}' has no split '{name}'; it has: {listed}{hint}")
        return splits[name]

    @functools.cached_property
    def plan(self) -> LabelPlan:
        """Which labels are loaded: those that something that runs on a domain asks for."""
        return label_plan(self.cfg)

    def test_labels(self, split: Split):
        """The label store of a test split, as the model asks for it."""
        return self.labels(split, self.plan.test)

    def labels(self, split: Split, names: Sequence[str], sizes: Mapping | None = None):
        """The label store of a split, generated when missing; None when none of it is wanted.

        Args:
            split: crops, or tracklets, which have one row per frame.
            names: of labels; those that the split brings itself are not of the store.
            sizes: label map -> (rows, columns).
        """
        if not set(names) & set(STORED):
            return None
        size = dict(sizes or {}).get("part_map", PART_MAP) if "part_map" in names else None
        if isinstance(split, TrackletSplit):
            split = split.crops()
        if parts := getattr(split, "parts", ()):
            return LabelArrays.joined([self.labels(part, names, sizes) for part in parts])
        if (whole := getattr(split, "whole", None)) is not None:
            return LabelArrays.selected(self.labels(whole, names, sizes), split.rows)  # type: ignore[attr-defined]
        if split.originals is not None:
            store = self.labels(split.originals, names, sizes)
            return LabelArrays.selected(store, split.original_rows())
        if not _inside(split.label_key):
            raise UserError(f"{split.label_key!r} cannot name a label store: it leads elsewhere")
        if split.label_key not in self._stores:
            setting = "label_root" if self.cfg.settings.label_root else "data_root"
            with reading_only(self._refusal(setting)):
                self._stores[split.label_key] = ensure_labels(
                    split,
                    self.label_root / split.label_key,
                    functools.partial(self.labeller, split.pictures),
                    part_maps=size,
                    workers=self.cfg.settings.workers,
                )
        return self._stores[split.label_key]

    def labeller(self, pictures: str | None = None) -> Any:
        """The labeller that the config names, on the run's device.

        Args:
            pictures: what it labels (``Split.pictures``); None for what the first domain holds.
        """
        node = dict(self.cfg.data.labeller)
        if pictures is None:
            first = next(iter(self.cfg.data.domains.values()))
            supply = dict(data_root=str(self.data_root), settings=self.cfg.settings)
            pictures = getattr(DATASETS.build(dict(first), supply), "pictures", "photographs")
        supply = dict(device=str(self.device), pictures=pictures, settings=self.cfg.settings)
        return LABELLERS.build(node, supply)

    def frame_sampler(self, when: str) -> FrameSampler | None:
        """The frame sampler of "train" or "test"; None where the config names none."""
        cfg = self.cfg.input.get("frames", {}).get(when)
        settings = dict(settings=self.cfg.settings)
        return None if cfg is None else FRAME_SAMPLERS.build(dict(cfg), settings)

    def train_dataset(self, domain: str) -> CropDataset | ClipDataset:
        """The training crops or tracklets of a domain with the labels that the method asks for."""
        split = self.split(domain, "train")
        names, sizes = self.plan.train.get(domain, ()), self.plan.sizes.get(domain, {})
        options: dict[str, Any] = dict(
            size=tuple(self.cfg.input.size),
            resize=self.cfg.input.resize,
            labels=self.labels(split, names, sizes),
            fields=tuple(names),
            relabel=True,
            domain=domain,
        )
        if isinstance(split, TrackletSplit):
            augment = self.cfg.input.get("frames", {}).get("augment", "tracklet")
            return ClipDataset(
                split, **options, augment=augment, sampler=self.frame_sampler("train")
            )
        return CropDataset(split, **options)

    def train_loader(self, domains: list[str], train: ConfigDict | None = None) -> DomainLoader:
        """Loader of one batch per training domain; the first domain decides the epoch's length.

        The sampler of the config serves the first domain; further domains, whose identities are not
        used, are shuffled.

        Args:
            domains: names, in the order of the steps.
            train: the ``train`` node of a stage; None takes the run's.
        """
        train, seed = train or self.cfg.train, self.cfg.settings.seed
        place = dict(rank=get_rank(), world_size=get_world_size())
        frames, loaders = self.frame_sampler("train"), {}
        for position, domain in enumerate(domains):
            dataset = self.train_dataset(domain)
            sampler_cfg = dict(train.sampler) if position == 0 else dict(type="ShuffleSampler")
            sampler = SAMPLERS.build(
                sampler_cfg,
                dict(
                    num_samples=len(dataset),
                    identities=dataset.identities,
                    cameras=dataset.split.cameras,
                    batch_size=train.batch_size,
                    seed=seed + position,
                    settings=self.cfg.settings,
                    **place,
                ),
            )
            if isinstance(dataset, ClipDataset):
                if frames is None:
                    raise UserError(
                        f"domain '{domain}' has tracklets: say which frames to train on with "
                        "input.frames.train, such as dict(type='RandomFrames', frames=4)"
                    )
                lengths = dataset.split.lengths
                sampler = ClipBatches(sampler, frames, lengths, seed + position, **place)
            loaders[domain] = make_loader(
                dataset,
                batch_sampler=sampler,
                workers=self.cfg.settings.workers,
                pin=str(self.device).startswith("cuda"),
            )
        return DomainLoader(loaders)

    def prepare(
        self, train_domains: list[str], tests: list[str], extra: Callable[[str], Sequence[str]]
    ) -> None:
        """Make or verify everything a run will read, before anything is built or written.

        Args:
            train_domains: domains whose training split is read.
            tests: domains that are tested.
            extra: names of the splits that a test under a protocol reads beside query and gallery.

        Raises:
            UserError: missing data, test images that cannot be read, or batches that it cannot
                fill in one of the stages.
        """
        for domain in train_domains:
            names, sizes = self.plan.train.get(domain, ()), self.plan.sizes.get(domain, {})
            self.labels(self.split(domain, "train"), names, sizes)
        for domain in tests:
            for name in ("query", "gallery", *extra(self.reader(domain).protocol)):
                check_readable(self.split(domain, name))
                self.test_labels(self.split(domain, name))
        for stage in stage_configs(self.cfg):
            self.train_loader(train_domains, stage.train)


def _inside(key: str) -> bool:
    """Whether a relative name stays in the folder below which it is made."""
    return not Path(key).is_absolute() and ".." not in Path(key).parts
