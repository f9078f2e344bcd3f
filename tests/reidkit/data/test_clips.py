"""Clips: which frames are drawn, one decode for a batch, one decision per tracklet."""

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from reidkit.data import (
    AllFrames,
    ClipBatches,
    ClipDataset,
    CropDataset,
    DenseFrames,
    DomainLoader,
    PKSampler,
    RandomFlip,
    RandomFrames,
    ShuffleSampler,
    TrackletSplit,
    make_loader,
)
from reidkit.data.clips import fixed_clips

LENGTHS = (3, 9, 5, 12, 7, 9, 4, 8, 6, 10)
IDS = (4, 4, 4, 8, 8, 8, 15, 15, 16, 16)


@pytest.fixture(scope="module")
def split(tmp_path_factory, write_images) -> TrackletSplit:
    """Ten tracklets of four people; every frame is one colour of its own."""
    folder = tmp_path_factory.mktemp("clips")
    frames = [[f"t{i}/{f:03d}.png" for f in range(n)] for i, n in enumerate(LENGTHS)]
    for i, paths in enumerate(frames):
        (folder / f"t{i}").mkdir()
        for f, path in enumerate(paths):
            image = np.full((32, 16, 3), 10 * i + f, np.uint8)
            image[:, :8] += 60  # left and right differ
            assert cv2.imwrite(str(folder / path), image)
    return TrackletSplit.of("toy", "train", folder, frames, IDS, [1, 2] * 5)


def batches(split, seed=0, sampler=None):
    rows = sampler or ShuffleSampler(len(split), batch_size=2, seed=seed)
    return ClipBatches(rows, RandomFrames(4), split.lengths, seed=seed)


def drawn(epoch, split, workers=0, start=0, sampler=None):
    """Rows, frame paths and pixels of one pass."""
    clips = batches(split, sampler=sampler)
    loader = make_loader(ClipDataset(split, (32, 16), relabel=True), clips, workers=workers)
    loader.batch_sampler.set_epoch(epoch, start=start)
    return [(b.indices.tolist(), b.paths, b.images.sum(dim=(3, 4)).tolist()) for b in loader]


@pytest.mark.parametrize("last", [[0, 2, 2], [0, 1, 2]], ids=["repeated", "all different"])
def test_a_batch_of_clips(split, last):
    dataset = ClipDataset(split, (32, 16), relabel=True, domain="source")
    clips = [(3, np.array([0, 5, 11])), (0, np.array(last))]
    batch = dataset.__getitems__(clips)
    assert batch.images.shape == (2, 3, 3, 32, 16) and batch.images.dtype == torch.uint8
    assert batch.identities.tolist() == [1, 0] and batch.cameras.tolist() == [2, 1]
    assert batch["image_sizes"].shape == (2, 3, 2) and batch.frames == batch.augment_group == 3
    crops = CropDataset(split.crops(), (32, 16))
    for b, (row, frames) in enumerate(clips):
        for t, frame in enumerate(frames):
            alone = crops.__getitems__([int(split.starts[row] + frame)])
            assert torch.equal(batch.images[b, t], alone.images[0])
            assert batch.paths[3 * b + t] == alone.paths[0]
    with pytest.raises(ValueError, match="equally long"):
        dataset.__getitems__([(0, np.array([0])), (1, np.array([0, 1]))])
    with pytest.raises(ValueError, match="augment must be one of"):
        ClipDataset(split, (32, 16), augment="batch")


def test_labels_of_tracklets_are_per_clip_and_labels_of_frames_per_image(split):
    known = replace(split, labels={"view": np.arange(10)})
    batch = ClipDataset(known, (32, 16)).__getitems__([(3, np.array([0, 5])), (7, np.arange(2))])
    assert batch["view"].tolist() == [3, 7] and batch.fields["view"].per == "clip"
    assert batch["image_sizes"].shape == (2, 2, 2)
    assert batch.by_frame()["view"].tolist() == [3, 3, 7, 7]
    none = ClipDataset(known, (32, 16), fields=[]).__getitems__([(3, np.array([0]))])
    assert "view" not in none


def test_repeated_frames_are_decoded_once(split, monkeypatch):
    seen = []
    decode = CropDataset._decode
    monkeypatch.setattr(
        CropDataset, "_decode", lambda self, rows, out: seen.extend(rows) or decode(self, rows, out)
    )
    ClipDataset(split, (32, 16)).__getitems__([(0, np.array([0, 1, 2, 2, 2, 2]))])
    assert len(seen) == 3


@pytest.mark.slow
def test_draws_do_not_depend_on_the_workers_or_on_a_resume(split):
    """Equal for 0, 2 and 4 workers, and from the middle of an epoch on."""
    for epoch in (0, 3):
        alone = drawn(epoch, split)
        assert alone == drawn(epoch, split, workers=2) == drawn(epoch, split, workers=4)
        assert alone[2:] == drawn(epoch, split, start=2)
    rows = {row: paths for ids, paths, _ in drawn(0, split) for row, paths in _by_row(ids, paths)}
    other = {row: paths for ids, paths, _ in drawn(1, split) for row, paths in _by_row(ids, paths)}
    assert sum(rows[row] != other[row] for row in rows if row in other) > len(rows) // 2


def _by_row(rows, paths):
    return [(row, tuple(paths[4 * i : 4 * i + 4])) for i, row in enumerate(rows)]


def test_a_draw_is_a_function_of_seed_epoch_tracklet_and_copy(split):
    one, two = batches(split, seed=5), batches(split, seed=5)
    one.set_epoch(2)
    two.set_epoch(2)
    for row, copy in itertools.product(range(10), range(3)):
        assert (one.sample_frames(row, copy) == two.sample_frames(row, copy)).all()
    assert any((one.sample_frames(3, 0) != one.sample_frames(3, c)).any() for c in (1, 2))
    assert any(
        (one.sample_frames(r, 0) != batches(split, seed=6).sample_frames(r, 0)).any()
        for r in (1, 3, 5)
    )


def test_copies_of_a_tracklet_are_counted_over_the_pass_and_the_processes(split):
    sampler = PKSampler(IDS, p=2, k=4)
    clips = ClipBatches(sampler, RandomFrames(3), split.lengths)
    clips.set_epoch(1)
    copies: dict[int, list] = {}
    for batch in clips:
        for row, frames in batch:
            copies.setdefault(row, []).append(frames)
    again = ClipBatches(sampler, RandomFrames(3), split.lengths)
    again.set_epoch(1)
    for row, drawn_frames in copies.items():
        for n, frames in enumerate(drawn_frames):
            assert (frames == again.sample_frames(row, n)).all()
    assert max(map(len, copies.values())) > 1
    second = ClipBatches(sampler, RandomFrames(3), split.lengths, rank=1, world_size=2)
    second.set_epoch(1)
    row, frames = next(iter(second))[0]
    assert (frames == again.sample_frames(row, 1)).all()


def test_the_loader_of_domains_goes_on_in_the_middle_of_an_epoch(split):
    def loader():
        return DomainLoader({"source": make_loader(ClipDataset(split, (32, 16)), batches(split))})

    whole = loader()
    whole.set_epoch(4)
    paths = [b["source"].paths for b in whole]
    part = loader()
    part.set_epoch(4)
    stream = iter(part)
    first = [next(stream)["source"].paths for _ in range(2)]
    rest = loader()
    rest.load_state_dict(part.state_dict())
    assert first + [b["source"].paths for b in rest] == paths


def test_one_decision_for_all_frames_of_a_clip(split):
    clips = [(row, np.arange(3)) for row in range(10)]
    for augment, share in (("tracklet", True), ("frame", False)):
        batch = ClipDataset(split, (32, 16), augment=augment).__getitems__(clips).by_frame()
        batch.generator = torch.Generator().manual_seed(0)
        flipped = RandomFlip(0.5)(batch).images
        moved = (flipped != batch.images).flatten(1).any(1).view(10, 3)
        assert moved.any() and not moved.all()
        assert bool((moved == moved[:, :1]).all()) == share


def test_frame_samplers_of_the_core():
    rng = np.random.default_rng(0)
    draws = np.concatenate([RandomFrames(3)(7, rng) for _ in range(300)])
    assert (np.diff(draws) > 0).all() and set(draws.ravel()) == set(range(7))
    for length in range(1, 40):
        assert AllFrames()(length)[0].tolist() == list(range(length))
        dense = DenseFrames(5)(length)
        assert set(dense.ravel()) == set(range(length)) and (np.diff(dense) >= 0).all()
        if length >= 5:
            assert (np.diff(dense) == 1).all()
        assert len(DenseFrames(5)(length, rng)) == 1
    for wrong in (lambda: RandomFrames(0), lambda: DenseFrames(3, 0), lambda: AllFrames()(0)):
        with pytest.raises(ValueError, match="must be at least 1"):
            wrong()


def test_clips_of_the_test_keep_their_order_and_the_memory():
    taken = list(fixed_clips(DenseFrames(4), LENGTHS, 16))
    rows = [row for batch in taken for row, _ in batch]
    assert rows == sorted(rows) and set(rows) == set(range(10))
    assert all(len(batch) * 4 <= 16 for batch in taken)
    whole = list(fixed_clips(AllFrames(), LENGTHS, 16))
    assert all(len({len(frames) for _, frames in batch}) == 1 for batch in whole)
