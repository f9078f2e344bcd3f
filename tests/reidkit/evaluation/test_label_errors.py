"""Planted label errors are found, and few right labels are suspected."""

import numpy as np
import pytest
import torch

from reidkit.evaluation.label_errors import label_errors
from reidkit.structures import Embedding


def planted(seed: int, count=800, people=50, noise=0.9, errors=0.02):
    """Embeddings with identity, camera and nuisance directions; 2 % of the labels are swapped."""
    rng = np.random.default_rng(seed)
    ids = np.arange(count) % people + 1
    cameras = rng.integers(0, 6, count)
    loud = np.where(np.arange(64) < 16, 3.0, 1.0)  # directions that say nothing of the person
    vectors = rng.standard_normal((people + 1, 64))[ids]
    vectors += loud * noise * rng.standard_normal((count, 64))
    vectors += 2 * rng.standard_normal((6, 64))[cameras]
    labels, bad = ids.copy(), rng.choice(count, round(errors * count), replace=False)
    labels[bad] = (labels[bad] + rng.integers(1, people, len(bad)) - 1) % people + 1
    return Embedding(torch.from_numpy(vectors)[:, None]), labels, cameras, ids, bad


@pytest.mark.parametrize("seed", range(3))
def test_nine_of_ten_errors_at_one_false_alarm_of_twenty(seed):
    embedding, labels, cameras, ids, bad = planted(seed)
    found = label_errors(embedding, labels, cameras)
    rows = {one.row for one in found}
    assert len(rows & set(bad.tolist())) >= 0.9 * len(bad)
    assert len(rows - set(bad.tolist())) <= 0.05 * (len(ids) - len(bad))
    named = [one for one in found if one.row in set(bad.tolist())]
    assert np.mean([one.other == ids[one.row] for one in named]) > 0.9


def test_distractors_and_lone_images_take_no_part():
    embedding, labels, cameras, _, _ = planted(0)
    labels[:40], labels[40] = 0, 999
    found = label_errors(embedding, labels, cameras, share=1.0)
    assert all(one.row >= 40 for one in found)
    assert label_errors(embedding, np.ones(len(labels), int), cameras) == []
    with pytest.raises(ValueError, match="share"):
        label_errors(embedding, labels, cameras, share=0)


def test_maps_are_averaged():
    embedding, labels, cameras, _, bad = planted(1)
    maps = Embedding(maps=embedding.vectors[:, 0, :, None, None].expand(-1, -1, 2, 3))
    same = [label_errors(one, labels, cameras) for one in (embedding, maps)]
    assert [one.row for one in same[0]] == [one.row for one in same[1]]
