"""Graph sampling: the worked example, invariants, ties, state, several processes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.errors import UserError
from reidkit.evaluation.matchers.vectors import EuclideanMatcher
from reidkit.structures import Embedding
from reidkit_plugins.qaconv.matcher import QAConvMatcher
from reidkit_plugins.qaconv.sampler import GraphSampler, class_distances, nearest_classes

NAMES = ["a0", "a1", "a2", "b0", "b1", "c0", "c1", "c2", "c3", "d0", "d1", "e0"]
DISTANCES = {
    "AB": 2, "AC": 5, "AD": 9, "AE": 4, "BC": 3, "BD": 7, "BE": 6, "CD": 1, "CE": 8, "DE": 2.5,
}  # fmt: skip


class Unshuffled(GraphSampler):
    def shuffled(self, rows, random):
        return rows


def example_distances():
    table = np.zeros((5, 5))
    for (a, b), value in DISTANCES.items():
        i, j = ord(a) - 65, ord(b) - 65
        table[i, j] = table[j, i] = value
    return table


def test_the_worked_example():
    sampler = Unshuffled([name[0] for name in NAMES], batch_size=6, k=2)
    near = nearest_classes(example_distances(), 2)
    assert ["".join("ABCDE"[j] for j in row) for row in near] == ["BE", "AC", "DB", "CE", "DA"]
    wanted = (
        "b0 b1 e0 e0 a0 a1 | a2 a0 c0 c1 b0 b1 | d0 d1 b0 b1 c2 c3 | "
        "c0 c1 e0 e0 d0 d1 | d0 d1 a1 a2 e0 e0"
    )
    sampler.fill(near)
    assert named(sampler) == wanted
    assert sampler._at.tolist() == [0, 0, 2, 0, 0]
    sampler.set_epoch(1)
    sampler.fill(near)
    second = wanted.replace("c2 c3", "cX").replace("c0 c1", "c2 c3").replace("cX", "c0 c1")
    assert named(sampler) == second.replace("d0 d1 b0 b1 c0 c1", "d0 d1 b0 b1 c0 c1")


def named(sampler):
    return " | ".join(" ".join(NAMES[i] for i in batch) for batch in sampler._batches)


class Points:
    """A model whose embedding of a crop is a random point that depends on the crop alone."""

    matcher = EuclideanMatcher()

    def __init__(self, count, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.points = torch.randn(count, 1, 2, generator=generator)

    def embed(self, rows):
        return Embedding(self.points[torch.as_tensor(rows)])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_every_epoch_keeps_the_rules(data):
    k, p = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5))
    sizes = data.draw(st.lists(st.integers(1, 7), min_size=p, max_size=12))
    labels = np.random.default_rng(len(sizes)).permutation(np.repeat(np.arange(len(sizes)), sizes))
    distance = data.draw(st.sampled_from(["matcher", "cosine", "random"]))
    sampler = GraphSampler(labels, k * p, k, distance, seed=data.draw(st.integers(0, 99)))
    drawn = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        sampler.refresh(Points(len(labels)))
        batches = list(sampler)
        drawn += [row for batch in batches for row in batch]
        assert len(batches) == len(sampler) == len(sizes)
        leaders = [labels[batch[-1]] for batch in batches]
        assert sorted(leaders) == list(range(len(sizes)))
        for batch in batches:
            groups = labels[batch].reshape(p, k)
            assert (groups == groups[:, :1]).all() and len(set(groups[:, 0])) == p
    for one in range(len(sizes)):  # images of a class are used equally often
        counts = np.bincount(drawn, minlength=len(labels))[labels == one]
        assert counts.max() - counts.min() <= 1


def test_neighbours_are_the_nearest_by_the_matcher_and_ties_go_by_class():
    labels = np.repeat(np.arange(9), 3)
    model = Points(27)
    sampler = GraphSampler(labels, 8, 2)
    sampler.refresh(model)
    rows = sampler.representatives()
    assert (labels[rows] == np.arange(9)).all()
    table = model.matcher(model.embed(rows), model.embed(rows)).numpy()
    np.fill_diagonal(table, np.inf)
    for batch in sampler:
        near = labels[np.array(batch)[::2]]
        assert near[:-1].tolist() == np.argsort(table[near[-1]])[:3].tolist()
    assert nearest_classes(np.ones((4, 4)), 2).tolist() == [[1, 2], [0, 2], [0, 1], [0, 1]]


def test_graph_batches_are_harder_than_random_ones():
    labels = np.repeat(np.arange(30), 4)
    model = Points(120)
    spread = {}
    for distance in ("matcher", "random"):
        sampler = GraphSampler(labels, 12, 2, distance)
        sampler.refresh(model)
        rows = sampler.representatives()
        table = model.matcher(model.embed(rows), model.embed(rows)).numpy()
        groups = [labels[np.array(batch)[::2]] for batch in sampler]
        spread[distance] = np.mean([table[np.ix_(g, g)].sum() / 30 for g in groups])
    assert spread["matcher"] < 0.6 * spread["random"]
    assert spread["random"] == pytest.approx(table.sum() / (30 * 29), rel=0.2)


def test_half_of_a_symmetric_table_is_computed_and_blocks_agree():
    torch.manual_seed(0)
    matcher = QAConvMatcher(map_size=(4, 2))
    assert matcher.symmetric
    embedding = Embedding(maps=torch.randn(150, 8, 4, 2))  # more than two blocks of rows
    table = class_distances(embedding, matcher)
    whole = 1 - torch.sigmoid(matcher.eval().scores(embedding, embedding) / 10)
    np.testing.assert_allclose(table, whole.detach().numpy(), atol=1e-6)


def test_a_resumed_epoch_has_the_same_batches_and_looks_at_no_model():
    labels, model = np.repeat(np.arange(7), 3), Points(21)
    first = GraphSampler(labels, 6, 2, seed=3)
    for epoch in (0, 1):
        first.set_epoch(epoch)
        first.refresh(model)
    rest, state = list(first)[4:], first.state_dict()
    assert set(map(type, state.values())) <= {int, torch.Tensor}
    second = GraphSampler(labels, 6, 2, seed=3)
    second.load_state_dict(state)
    second.set_epoch(1, start=4)
    second.refresh(None)
    assert list(second) == rest
    for sampler in (first, second):
        sampler.set_epoch(2)
        sampler.refresh(model)
    assert list(first) == list(second)


def test_other_seeds_and_epochs_give_other_batches():
    labels, model = np.repeat(np.arange(7), 3), Points(21)
    plans = []
    for seed, epoch in ((0, 0), (0, 1), (1, 0)):
        sampler = GraphSampler(labels, 6, 2, seed=seed)
        sampler.set_epoch(epoch)
        sampler.refresh(model)
        plans.append(list(sampler))
    assert plans[0] != plans[1] and plans[0] != plans[2]


def test_ranks_share_the_batches_of_one_process_whole():
    labels, model = np.repeat(np.arange(7), 3), Points(21)

    def plan(rank, world):
        sampler = GraphSampler(labels, 6, 2, rank=rank, world_size=world)
        sampler.refresh(model)
        assert len(sampler) == -(-7 // world)
        return list(sampler)

    single = plan(0, 1)
    for world in (2, 3):
        shares = [plan(rank, world) for rank in range(world)]
        together = [shares[i % world][i // world] for i in range(world * len(shares[0]))]
        assert together[:7] == single and together[7:] == single[: len(together) - 7]


def test_wrong_sizes_are_refused_in_words():
    with pytest.raises(UserError, match="batch_size=7 is no multiple of k=2 .* make it 6"):
        GraphSampler([0, 1, 2], 7, 2)
    with pytest.raises(UserError) as error:
        GraphSampler([0, 1, 2], 8, 2)
    assert str(error.value) == (
        "GraphSampler: train.batch_size=8 is 4 classes of k=2 images, but there are only 3; "
        "train.batch_size=6 would fit, or raise train.sampler.k"
    )
    GraphSampler([0, 1, 2], 6, 2)
    with pytest.raises(RuntimeError, match="no batches for epoch 0; call set_epoch and refresh"):
        list(GraphSampler([0, 1, 2], 2, 1))
    with pytest.raises(ValueError, match="of 2 classes; expected"):
        state = GraphSampler([0, 1], 2, 1).state_dict()
        GraphSampler([0, 1, 2], 2, 1).load_state_dict(state)


def test_a_model_with_random_epochs_first():
    sampler = GraphSampler(np.repeat(np.arange(7), 3), 6, 2, random_epochs=1)
    sampler.refresh(None)
    sampler.set_epoch(1)
    with pytest.raises(AttributeError):  # now it wants to see the model
        sampler.refresh(None)
    sampler.refresh(SimpleNamespace(embed=Points(21).embed, matcher=Points.matcher))
    assert list(sampler)


TWO = """
import json, sys
import numpy as np, torch, torch.distributed as dist
sys.path.insert(0, sys.argv[1])
from reidkit.plugin import load_plugins
load_plugins(["qaconv"])
from test_sampler import Points
from reidkit_plugins.qaconv.sampler import GraphSampler
dist.init_process_group("gloo")
rank, world = dist.get_rank(), dist.get_world_size()
labels = np.repeat(np.arange(9), 3)
sampler = GraphSampler(labels, 8, 2, rank=rank, world_size=world)
plans = []
for epoch in (0, 1):
    sampler.set_epoch(epoch)
    # only the first process's distances count: the other's model is another one
    sampler.refresh(Points(27, seed=rank))
    plans.append(list(sampler))
with open(f"{sys.argv[2]}/{rank}.json", "w") as file:
    json.dump(plans, file)
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_use_the_graph_of_one(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "two.py").write_text(TWO)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--master-port", str(port), str(tmp_path / "two.py")]
    done = subprocess.run(
        [*command, str(Path(__file__).parent), str(tmp_path)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    shares = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    single = GraphSampler(np.repeat(np.arange(9), 3), 8, 2)
    for epoch in (0, 1):
        single.set_epoch(epoch)
        single.refresh(Points(27))
        together = [shares[i % 2][epoch][i // 2] for i in range(10)]
        assert together == [*list(single), together[9]] and together[9] == together[0]
