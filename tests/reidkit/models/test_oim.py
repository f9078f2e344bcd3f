"""OIM against worked numbers, a slow reference, and two processes."""

import math
import socket
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from reidkit.models.oim import OIMLoss


def unit(rows):
    return F.normalize(torch.tensor(rows), dim=1).unsqueeze(1)


@pytest.mark.parametrize("count, value", [(625, 6.4378), (150, 5.0106), (89, 4.4886)])
def test_an_empty_table_gives_the_logarithm_of_the_number_of_identities(count, value):
    loss = OIMLoss(count, 128)
    x = F.normalize(torch.randn(4, 1, 128), dim=2)
    assert loss(x, torch.arange(4)).item() == pytest.approx(value, abs=1e-4)
    assert math.log(count) == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("scale, value", [(10.0, 2.126928), (30.0, 6.002476)])
def test_worked_numbers(scale, value):
    loss = OIMLoss(2, 2, scale=scale)
    loss.table.copy_(torch.eye(2))
    x = torch.tensor([[[0.6, 0.8]]], requires_grad=True)
    found = loss(x, torch.tensor([0]))
    assert found.item() == pytest.approx(value, abs=1e-5)
    found.backward()  # although the table has changed since
    assert x.grad.isfinite().all() and x.grad.abs().sum() > 0
    assert loss.table[0].tolist() == pytest.approx([0.894427, 0.447214], abs=1e-6)
    assert loss.table[1].tolist() == [0.0, 1.0]
    assert not loss.table.requires_grad and not list(loss.parameters())
    again = loss(torch.tensor([[[0.6, 0.8]]]), torch.tensor([0]))
    similar = [0.6 * 0.894427 + 0.8 * 0.447214, 0.8]
    wanted = math.log(sum(math.exp(scale * s) for s in similar)) - scale * similar[0]
    assert again.item() == pytest.approx(wanted, abs=1e-4)


def reference(table, queue, rows, identities, momentum, size):
    """The update row by row; the queue as a list, oldest first out."""
    for x, who in zip(rows, identities, strict=True):
        if who >= 0:
            moved = momentum * table[who] + (1 - momentum) * x
            table[who] = moved / moved.norm()
        elif size:
            queue.append(x)
            del queue[:-size]
    return table, queue


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 9999), st.integers(0, 5), st.sampled_from([0.0, 0.5, 0.9]))
def test_memory_against_one_row_after_the_other(seed, size, momentum):
    source = torch.Generator().manual_seed(seed)
    loss = OIMLoss(3, 4, scale=7.0, momentum=momentum, queue=size, normalize=False)
    table, queue = torch.zeros(3, 4), []
    for _ in range(4):
        x = F.normalize(torch.randn(6, 4, generator=source), dim=1)
        who = torch.randint(-1, 3, (6,), generator=source)
        known = torch.stack([*table, *queue])
        logits = 7.0 * x @ known.T
        rows = [i for i in range(6) if who[i] >= 0]
        wanted = [logits[i].logsumexp(0) - logits[i, who[i]] for i in rows]
        value = loss(x.unsqueeze(1), who)
        torch.testing.assert_close(value, torch.stack(wanted).mean() if rows else value * 0)
        table, queue = reference(table, queue, x, who.tolist(), momentum, size)
        torch.testing.assert_close(loss.table, table)
        kept = loss.queue[: min(int(loss.queued), size)]
        assert sorted(map(tuple, kept.tolist())) == sorted(tuple(q.tolist()) for q in queue)


def test_evaluation_remembers_nothing_and_parts_are_joined():
    loss = OIMLoss(2, 4).eval()
    x = F.normalize(torch.randn(2, 2, 2), dim=2)
    loss(x, torch.tensor([0, 1]))
    assert not loss.table.any()
    loss.train()(x, torch.tensor([0, 1]))
    torch.testing.assert_close(loss.table, F.normalize(x.flatten(1), dim=1))


def test_state_is_saved():
    loss = OIMLoss(5, 8, queue=2)
    x = F.normalize(torch.randn(6, 1, 8), dim=2)
    loss(x, torch.tensor([0, 1, -1, 2, -1, -1]))
    other = OIMLoss(5, 8, queue=2)
    other.load_state_dict(loss.state_dict())
    y = F.normalize(torch.randn(3, 1, 8), dim=2)
    torch.testing.assert_close(other(y, torch.arange(3)), loss(y, torch.arange(3)))


def test_a_batch_without_labelled_people_has_no_loss():
    loss = OIMLoss(5, 8, queue=4)
    x = torch.randn(3, 1, 8, requires_grad=True)
    value = loss(x, torch.tensor([-1, -1, -1]))
    value.backward()
    assert value == 0 and int(loss.queued) == 3


@pytest.mark.parametrize("options", [dict(scale=0), dict(momentum=1), dict(queue=-1)], ids=str)
def test_wrong_options_are_refused(options):
    with pytest.raises(ValueError, match="OIMLoss: scale must be above 0"):
        OIMLoss(2, 2, **options)
    with pytest.raises(ValueError, match="width 2 got vectors of 3"):
        OIMLoss(2, 2)(torch.ones(1, 1, 3), torch.tensor([0]))


RANK = """
import sys, torch
from torch import distributed as dist
from reidkit.models.oim import OIMLoss
rank, port = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
x = torch.nn.functional.normalize(torch.arange(1.0, 17.0).view(4, 4).cos(), dim=1)
who = torch.tensor([0, 1, 1, 2])
loss = OIMLoss(3, 4)
rows = slice(2 * rank, 2 * rank + 2)
loss(x[rows].unsqueeze(1), who[rows])
alone = OIMLoss(3, 4)
dist.barrier(); dist.destroy_process_group()
alone(x.unsqueeze(1), who)
assert torch.allclose(loss.table, alone.table), (loss.table, alone.table)
"""


@pytest.mark.slow
def test_two_processes_remember_what_one_would():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(rank), str(port)], stderr=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    for process in ranks:
        _, errors = process.communicate(timeout=180)
        assert process.returncode == 0, errors[-2000:]
