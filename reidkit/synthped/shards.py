"""Rendering the crops of a domain in shards, in all processes; a shard that is done is kept."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np

from reidkit.errors import WRONG_CONTENT
from reidkit.synthped import plan as pl
from reidkit.synthped.world import Crop, render
from reidkit.utils.io import atomic_write
from reidkit.utils.progress import track
from reidkit.utils.signals import end_with_parent
from reidkit.utils.trouble import MachineError

SHARD = 48  # crops rendered between two marks of progress
UNFINISHED = ".unfinished"  # shards of truth, gone when the folder is complete
TRUTH_KEYS = (
    "joints",
    "part_maps",
    "visible",
    "box_error",
    "heading",
    "seconds",
    "occluded",
    "image_sizes",
)


def render_shards(folder: Path, items: list[pl.Item], workers: int, label: str) -> int:
    """Render the shards that are not done yet; returns the number of all."""
    shards = [items[i : i + SHARD] for i in range(0, len(items), SHARD)]
    tasks = [(folder, number, shard) for number, shard in enumerate(shards)]
    waiting = [task for task in tasks if not _shard_done(*task)]
    done = _run(waiting, workers)
    unit = f"x{SHARD} images"
    for _ in track(done, total=len(waiting), label=label, unit=unit, show=bool(label)):
        pass
    return len(shards)


def part_labels(items: list[pl.Item]) -> list[str]:
    """Part label files that belong to these crops: training crops of domain P."""
    return [
        f"{pl.PART_LABELS}/{Path(item.path).stem}.png"
        for item in items
        if item.shot.domain == "P" and item.path.startswith(pl.TRAIN + "/")
    ]


def _shard_file(folder: Path, number: int) -> Path:
    return folder / UNFINISHED / f"{number:05d}.npz"


def _shard_done(folder: Path, number: int, items: list[pl.Item]) -> bool:
    """Whether its truth is there, and all files with their sizes: a power cut may empty them."""
    try:
        with np.load(_shard_file(folder, number)) as shard:
            return bool(np.array_equal(shard["sizes"], _sizes(folder, items)))
    except (*WRONG_CONTENT, OSError, EOFError, BadZipFile):
        return False


def _sizes(folder: Path, items: list[pl.Item]) -> np.ndarray:
    files = [*(item.path for item in items), *part_labels(items)]
    return np.array([(folder / file).stat().st_size for file in files], np.int64)


def _run(tasks: list, workers: int) -> Iterator[None]:
    if workers <= 1 or len(tasks) <= 2:
        yield from map(_render_shard, tasks)
        return
    # an executor, not a Pool: a Pool starts dying workers anew for ever
    pool = ProcessPoolExecutor(
        min(workers, len(tasks)),
        multiprocessing.get_context("spawn"),
        initializer=_start_worker,
    )
    try:
        with pool:
            for future in as_completed([pool.submit(_render_shard, task) for task in tasks]):
                yield future.result()
    except BrokenProcessPool:
        raise MachineError(
            "SynthPed: a rendering process died (out of memory, or the script that started it runs "
            "its work outside of `if __name__ == '__main__':`). What is rendered is kept: "
            "python tools/synthped.py goes on"
        ) from None


def _start_worker() -> None:
    end_with_parent()
    cv2.setNumThreads(0)


def _render_shard(task: tuple[Path, int, list[pl.Item]]) -> None:
    """Write the crops of one shard, then its truth, which marks it as done."""
    folder, number, items = task
    rows = []
    for item in items:
        crop = render(item.shot)
        write_file(folder / item.path, encode(crop))
        for label in part_labels([item]):
            write_file(folder / label, cv2.imencode(".png", crop.parts)[1].tobytes())
        rows.append(_truth_row(crop))
    truth = {key: np.stack([row[key] for row in rows]) for key in TRUTH_KEYS}
    with atomic_write(_shard_file(folder, number)) as file:
        np.savez(file, allow_pickle=False, sizes=_sizes(folder, items), **truth)


def encode(crop: Crop) -> bytes:
    """The crop as its camera's JPEG."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, crop.quality]
    return cv2.imencode(".jpg", crop.image[:, :, ::-1], quality)[1].tobytes()


def write_file(path: Path, data: bytes) -> None:
    with atomic_write(path, durable=False) as file:  # sizes are compared: see ``_shard_done``
        file.write(data)


def _truth_row(crop: Crop) -> dict[str, np.ndarray]:
    return dict(
        joints=crop.joints,
        part_maps=crop.part_map,
        visible=crop.visible,
        box_error=crop.box_error,
        heading=np.array(crop.heading, np.float32),
        seconds=np.array(crop.seconds),
        occluded=np.array(crop.occluded),
        image_sizes=np.array(crop.image.shape[:2], np.int64),
    )


def gather_truth(folder: Path, shards: int) -> dict[str, np.ndarray]:
    """The truth of all shards by key, one after the other."""
    parts = []
    for number in range(shards):
        with np.load(_shard_file(folder, number)) as shard:
            parts.append({key: shard[key] for key in TRUTH_KEYS})
    return {key: np.concatenate([part[key] for part in parts]) for key in TRUTH_KEYS}
