"""Shares of several processes are put together in order; what batches of the test carry."""

import numpy as np
import pytest
import torch

from reidkit.engine import extract
from reidkit.structures import Embedding


class Numbers:
    """A model whose embedding of a row is its number."""

    def embed(self, rows):
        return Embedding(torch.tensor(rows, dtype=torch.float32)[:, None, None])


@pytest.mark.parametrize("world", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 5, 23])
def test_rows_come_back_in_order(monkeypatch, world, count):
    monkeypatch.setattr(
        extract, "make_loader", lambda dataset, batch_sampler, workers: batch_sampler
    )
    monkeypatch.setattr(extract, "get_world_size", lambda: world)
    rows, shares = np.arange(count)[::-1], {}
    for rank in (*range(world), 0):  # the first once more, when all shares are known
        monkeypatch.setattr(extract, "get_rank", lambda rank=rank: rank)

        def gather(parts, rank=rank):
            shares[rank] = parts
            return [shares.get(r, parts) for r in range(world)]

        monkeypatch.setattr(extract, "all_gather_object", gather)
        try:
            found = extract.embed_rows(Numbers(), None, rows, batch_size=4)
        except IndexError:  # not all shares are known yet
            continue
    assert found.vectors.flatten().tolist() == rows.tolist()


class Recorder:
    """A model that keeps the batches it embeds."""

    def __init__(self):
        self.batches = []

    def embed(self, batch):
        self.batches.append(batch)
        return Embedding(torch.zeros(len(batch), 1, 2))


def test_batches_carry_the_domain_and_the_cameras_of_the_split(crops):
    model, split = Recorder(), crops(5)
    extract.extract(model, split, (32, 16), domain="target")
    assert [batch.domain for batch in model.batches] == ["target"]
    assert model.batches[0].cameras.tolist() == split.cameras.tolist()
