"""Loaders: batches of one data set from worker processes, and of several domains side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from reidkit.data.clips import ClipDataset
from reidkit.data.crops import CropDataset
from reidkit.errors import UserError
from reidkit.structures import ReIDBatch
from reidkit.utils.handles import ensure_handles
from reidkit.utils.trouble import dead_worker, worker_error


@dataclass(frozen=True)
class _Failure:
    """A ``UserError`` on its way out of a worker, where torch would bury its text."""

    text: str


class _Guarded(Dataset):
    """Turns the data set's ``UserError`` into a value that crosses process borders whole."""

    def __init__(self, dataset: CropDataset | ClipDataset):
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitems__(self, indices: list) -> ReIDBatch | _Failure:
        try:
            return self.dataset.__getitems__(indices)
        except UserError as error:
            return _Failure(str(error))

    def __getattr__(self, name: str) -> Any:
        if name in ("dataset", "__setstate__"):
            raise AttributeError(name)
        return getattr(self.dataset, name)


def _same(batch: Any) -> Any:
    return batch


def _start_worker(_: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


class CropLoader(DataLoader):
    """A ``DataLoader`` whose workers report problems in words; made by ``make_loader``."""

    def __iter__(self) -> Iterator[ReIDBatch]:  # type: ignore[override]
        batches: Any = None
        try:
            batches = super().__iter__()  # between epochs it looks at its workers, too
            for batch in batches:
                if isinstance(batch, _Failure):
                    raise UserError(batch.text)
                yield batch
        except (RuntimeError, OSError, EOFError) as error:  # what torch happens to trip over
            name = self.dataset.split.dataset  # type: ignore[attr-defined]
            known = worker_error(error, name)
            if known is None and not (self.num_workers and _one_died(batches or self._iterator)):
                raise
            known = known or dead_worker(str(error) or type(error).__name__, name)
            batches = batches or self._iterator
            self._iterator = None  # or torch reports the dead worker again, wherever we are then
            if batches is not None:
                batches._shutdown_workers()
            raise known from None


def _one_died(batches: Any) -> bool:
    """Whether a worker of this iteration is dead; the news may take a moment."""
    workers = getattr(batches, "_workers", [])
    try:
        for worker in workers:
            worker.join(timeout=0.5)
        return not all(worker.is_alive() for worker in workers)
    except RuntimeError:  # torch's signal handler brings the news
        return True


def make_loader(
    dataset: CropDataset | ClipDataset,
    batch_sampler: Any | None = None,
    batch_size: int = 64,
    workers: int = 0,
    pin: bool = False,
) -> CropLoader:
    """Batches of a data set, the same ones whatever the number of workers.

    Args:
        dataset: the crops, or clips of tracklets.
        batch_sampler: which rows stand together; default: all in order, the last batch shorter.
        batch_size: crops per batch without a sampler.
        workers: processes that decode; they stay alive between epochs. 0 decodes in this process.
        pin: hand batches out in page-locked memory (for a GPU).

    Raises:
        UserError: too few open files for the workers; while iterating, a damaged image (with its
            name) or a worker that died.
    """
    ensure_handles(workers)
    if batch_sampler is None:
        rows = range(len(dataset))
        batch_sampler = torch.utils.data.BatchSampler(rows, batch_size, drop_last=False)
    return CropLoader(
        _Guarded(dataset),
        batch_sampler=batch_sampler,
        num_workers=workers,
        collate_fn=_same,
        worker_init_fn=_start_worker if workers else None,
        persistent_workers=workers > 0,
        pin_memory=pin,
    )


class DomainLoader:
    """Batches of several domains side by side: ``{domain: ReIDBatch}`` for every step.

    The first loader sets the length of the epoch. Another one that is exhausted is shuffled anew
    and started again; all start afresh with each epoch, with no carry-over. So
    step s of an epoch is a pure function of (seed, epoch, s), and resuming in mid-epoch is exact.

    Args:
        loaders: by domain, in the order of the steps; their batch samplers have
            ``set_epoch(epoch, restart, start)``.

    Raises:
        ValueError: no loaders.
        UserError: a loader without batches.

    Example:
        >>> from reidkit.data.samplers import ShuffleSampler
        >>> DomainLoader({})
        Traceback (most recent call last):
        ValueError: DomainLoader needs at least one loader
    """

    def __init__(self, loaders: Mapping[str, DataLoader]):
        if not loaders:
            raise ValueError("DomainLoader needs at least one loader")
        for domain, loader in loaders.items():
            if not len(loader):
                raise UserError(f"domain {domain!r} has no full batch; lower train.batch_size")
        self.loaders = dict(loaders)
        self.epoch = 0
        self.step = 0  # steps of this epoch already handed out
        self._resume = False

    @property
    def first(self) -> DataLoader:
        """The loader that sets the length."""
        return next(iter(self.loaders.values()))

    @property
    def dataset(self) -> Any:
        """The first domain's data set; mmengine looks for it."""
        return self.first.dataset

    @property
    def batch_sampler(self) -> Any:
        """The first domain's batch sampler."""
        return self.first.batch_sampler

    @property
    def sampler(self) -> DomainLoader:
        """Itself, since mmengine's loops set the epoch on ``dataloader.sampler``."""
        return self

    def __len__(self) -> int:
        return len(self.first)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iteration; a resumed position in it is kept."""
        if not (self._resume and epoch == self.epoch):
            self.epoch, self.step, self._resume = int(epoch), 0, False

    def __iter__(self) -> Iterator[dict[str, ReIDBatch]]:
        if not self._resume:
            self.step = 0
        self._resume = False
        streams = {d: self._stream(loader, self.step) for d, loader in self.loaders.items()}
        while self.step < len(self):
            batches = {domain: next(stream) for domain, stream in streams.items()}
            self.step += 1
            yield batches

    def _stream(self, loader: DataLoader, step: int) -> Iterator[ReIDBatch]:
        """Batches of one domain without end, from this step of the epoch."""
        epoch = self.epoch
        restart, start = divmod(step, len(loader))
        while True:
            sampler: Any = loader.batch_sampler
            sampler.set_epoch(epoch, restart, start)
            yield from loader
            restart, start = restart + 1, 0

    def state_dict(self) -> dict[str, int]:
        """Epoch and number of steps of it that were handed out."""
        return {"epoch": self.epoch, "step": self.step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue from ``state_dict()``: the next iteration gives the steps that were left.

        Raises:
            ValueError: other keys than state_dict gives.
        """
        if set(state) != {"epoch", "step"}:
            raise ValueError(f"loader state needs epoch and step; got {sorted(state)}")
        self.epoch, self.step = int(state["epoch"]), int(state["step"])
        if self.step >= len(self):
            self.epoch, self.step = self.epoch + 1, 0
        self._resume = True
