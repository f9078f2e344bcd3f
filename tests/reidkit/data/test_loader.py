import multiprocessing
import os
import shutil
import signal

import pytest
import torch

from reidkit.data import CropDataset, DomainLoader, PKSampler, ShuffleSampler, Split, make_loader
from reidkit.errors import UserError
from reidkit.utils.trouble import machine_error

SIZE = (32, 16)


def loader(crops, workers=0, batch_size=4, seed=1, rows=None, domain=""):
    split = crops if rows is None else crops.select(rows)
    dataset = CropDataset(split, SIZE, relabel=True, domain=domain)
    return make_loader(dataset, ShuffleSampler(len(split), batch_size, seed), workers=workers)


def trace(batches):
    """Rows of each batch and a sum over its pixels."""
    return [(batch.indices.tolist(), int(batch.images.long().sum())) for batch in batches]


def test_batches_do_not_depend_on_the_number_of_workers(crops):
    found = []
    for workers in (0, 2, 4):
        made = loader(crops, workers)
        epochs = []
        for epoch in (0, 1, 0):
            made.batch_sampler.set_epoch(epoch)
            epochs.append(trace(made))
        found.append(epochs)
    assert found[0] == found[1] == found[2]
    assert found[0][0] == found[0][2] != found[0][1]


def test_without_sampler_everything_comes_in_order(crops):
    batches = list(make_loader(CropDataset(crops, SIZE), batch_size=10))
    assert [len(batch) for batch in batches] == [10, 10, 3]
    assert torch.cat([batch.indices for batch in batches]).tolist() == list(range(23))


def test_worker_batches_keep_their_memory_format(crops):
    [batch, *_] = make_loader(CropDataset(crops, SIZE), batch_size=8, workers=1)
    assert batch.images.is_contiguous(memory_format=torch.channels_last)


@pytest.fixture
def damaged(crops, tmp_path):
    shutil.copytree(crops.root, tmp_path / "copy")
    (tmp_path / "copy/007.jpg").write_bytes(b"")
    return Split("toy", "train", tmp_path / "copy", crops.paths, crops.identities, crops.cameras)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_image_is_named_in_plain_words(damaged, workers):
    made = make_loader(CropDataset(damaged, SIZE), batch_size=4, workers=workers)
    with pytest.raises(UserError) as error:
        list(made)
    assert str(error.value) == (
        f"{damaged.root.as_posix()}/007.jpg: the file is empty; restore it from its archive, or "
        "remove it and list the data set again"
    )


class Dies(CropDataset):
    """A data set whose process is killed on the way."""

    def __getitems__(self, indices):
        if 8 in indices:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitems__(indices)


def test_a_killed_worker_is_explained(crops):
    made = make_loader(Dies(crops, SIZE), batch_size=4, workers=1)
    text = said(lambda: list(made))
    assert text.startswith("a loader process of toy died (")
    assert text.endswith("set settings.workers lower (0 loads in the main process)")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.slow
def test_a_worker_killed_between_epochs_is_explained(crops, number):
    made = make_loader(CropDataset(crops, SIZE), batch_size=4, workers=1)

    def two_epochs():
        list(made)
        (worker,) = made._iterator._workers
        os.kill(worker.pid, number)
        worker.join()
        list(made)

    text = said(two_epochs)
    assert text.startswith("a loader process") and " died (" in text
    assert text.endswith("set settings.workers lower (0 loads in the main process)")


def said(work):
    """What a command says of the exception that ends ``work``.

    In a process of its own: torch signals a dead worker wherever the code is.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def child():
        try:
            work()
        except Exception as error:
            theirs.send(str(machine_error(error)))

    process = context.Process(target=child)
    process.start()
    assert ours.poll(20)
    text = ours.recv()
    process.join(60)
    return text


def domains(crops, workers=0):
    return DomainLoader(
        {
            "source": loader(crops, workers, 4, 1, domain="source"),  # 5 batches
            "target": loader(crops, workers, 3, 2, range(7), "target"),  # 2 batches
        }
    )


def steps(made):
    return [{d: trace([b])[0] for d, b in batches.items()} for batches in made]


@pytest.mark.parametrize("workers", [0, 1])
def test_the_first_domain_sets_the_length_and_others_start_again(crops, workers):
    made = domains(crops, workers)
    assert len(made) == 5 and made.dataset.split is crops
    made.set_epoch(3)
    found = steps(made)
    assert len(found) == 5
    plans = ShuffleSampler(7, 3, 2)
    wanted = [rows.tolist() for restart in range(3) for rows in plans.plan(3, restart)][:5]
    assert [step["target"][0] for step in found] == wanted
    assert wanted[:2] != wanted[2:4]  # shuffled anew
    source = [rows.tolist() for rows in ShuffleSampler(23, 4, 1).plan(3, 0)]
    assert [step["source"][0] for step in found] == source
    made.set_epoch(4)
    again = steps(made)
    assert again != found
    made.set_epoch(3)
    assert steps(made) == found  # no carry-over between epochs


def test_batches_carry_their_domain(crops):
    batches = next(iter(domains(crops)))
    assert {name: batch.domain for name, batch in batches.items()} == {
        "source": "source",
        "target": "target",
    }


@pytest.mark.slow
@pytest.mark.parametrize(("done", "workers"), [(0, 0), (1, 0), (2, 1), (3, 0), (4, 0), (5, 0)])
def test_resuming_after_any_step_gives_what_was_left(crops, done, workers):
    made = domains(crops, workers)
    made.set_epoch(2)
    full = steps(made)
    made.set_epoch(2)
    iterator = iter(made)
    for _ in range(done):
        next(iterator)
    state = made.state_dict()
    assert state == {"epoch": 2, "step": done}
    fresh = domains(crops, workers)
    fresh.load_state_dict(state)
    if done < 5:
        fresh.set_epoch(2)  # the engine announces the epoch again
        assert steps(fresh) == full[done:]
    fresh.set_epoch(3)
    made.set_epoch(3)
    assert steps(fresh) == steps(made)


def test_an_epoch_that_is_iterated_twice_starts_at_its_beginning(crops):
    made = domains(crops)
    made.load_state_dict({"epoch": 1, "step": 3})
    made.set_epoch(1)
    assert len(steps(made)) == 2 and len(steps(made)) == 5


def test_domain_loader_refuses_what_cannot_work(crops):
    with pytest.raises(ValueError, match="DomainLoader needs at least one loader"):
        DomainLoader({})
    empty = make_loader(CropDataset(crops.select([]), SIZE))
    with pytest.raises(UserError, match="domain 'b' has no full batch; lower train.batch_size"):
        DomainLoader({"a": loader(crops), "b": empty})
    with pytest.raises(ValueError, match="loader state needs epoch and step; got"):
        domains(crops).load_state_dict({"epoch": 0})


def test_mmengine_sets_the_epoch_through_its_own_hook(crops):
    from types import SimpleNamespace

    from mmengine.hooks import DistSamplerSeedHook

    made = domains(crops)
    runner = SimpleNamespace(train_loop=SimpleNamespace(dataloader=made, cur_dataloader=made))
    runner.epoch = runner._epoch = 6
    DistSamplerSeedHook().before_train_epoch(runner)
    assert made.epoch == 6


def test_pk_batches_reach_the_loader(crops):
    dataset = CropDataset(crops, SIZE, relabel=True)
    sampler = PKSampler(dataset.identities, p=3, k=2, seed=4)
    for batch in make_loader(dataset, sampler):
        assert sorted(batch.identities.bincount(minlength=6).tolist()) == [0, 0, 0, 2, 2, 2]
