"""The engine's side: refreshed samplers, their saved state, the adaptive schedule, resuming."""

from types import SimpleNamespace

import pytest
import torch

from reidkit.config import check_config, load_config
from reidkit.engine.devices import choose_device
from reidkit.engine.optim import build_optim
from reidkit.engine.run import Run
from reidkit.errors import UserError
from reidkit.utils.checkpoint import load_checkpoint
from reidkit_plugins.qaconv.schedule import AdaptiveSchedule

SMALL = [
    "data=synthped_easy",
    "model.backbone.width=8",
    "model.head.dim=8",
    "train.batch_size=8",
    "settings.workers=0",
    "settings.device=cpu",
    "settings.precision=fp32",
    "visualizers=[]",
    "input.size=(96,32)",
]


def runner_for(data, folder, *overrides, resume=False, config="qaconv/qaconv_gs"):
    cfg = load_config(config, [*SMALL, f"settings.data_root={data}", *overrides])
    assert check_config(cfg) == []
    run = Run(cfg, folder, choose_device("cpu"), resume=resume)
    run.prepare()
    return next(run.runners())


@pytest.fixture
def seen(monkeypatch):
    """Batches in the order in which the model got them."""
    from reidkit.models.reid_model import ReIDModel

    rows, forward = [], ReIDModel.forward

    def watched(self, *args, **domains):
        rows.append(domains["source"].indices.tolist())
        return forward(self, *args, **domains)

    monkeypatch.setattr(ReIDModel, "forward", watched)
    return rows


@pytest.mark.slow
def test_stopped_and_resumed_equals_unbroken(easy_data, tmp_path, seen):
    """Batches, losses and weights of the second epoch, whose graph depends on the first."""
    whole = runner_for(easy_data, tmp_path / "whole", "train.epochs=2", "train.schedule=None")
    whole.train()
    batches = list(seen)
    steps = len(whole.train_dataloader)
    assert len(batches) == 2 * steps and batches[:steps] != batches[steps:]
    seen.clear()
    first = runner_for(easy_data, tmp_path / "run", "train.epochs=1", "train.schedule=None")
    first.train()
    kept = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.pth")["sampler"]
    assert kept["drawn_for"] == 0 and len(kept["batches"]) == steps
    second = runner_for(
        easy_data, tmp_path / "run", "train.epochs=2", "train.schedule=None", resume=True
    )
    second.train()
    assert seen == batches
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name


@pytest.mark.slow
def test_another_method_can_use_the_graph(easy_data, tmp_path, seen):
    """PCB of EANet, its classes compared by its own cosine matcher."""
    runner = runner_for(
        easy_data,
        tmp_path / "run",
        'plugins=["eanet","qaconv"]',
        "train.sampler=qaconv/GraphSampler",
        "model.head.stripes=2",
        "train.epochs=1",
        config="eanet/pcb",
    )
    runner.train()
    labels = runner.train_dataloader.dataset.identities
    assert len(seen) == len(set(labels))
    for rows in seen:
        groups = labels[rows].reshape(-1, 2)
        assert (groups[:, 0] == groups[:, 1]).all() and len(set(groups[:, 0])) == 4


class EpochLoop:
    """The little of mmengine's loop that the schedule looks at."""

    def __init__(self, epochs):
        self._max_epochs, self.dataloader = epochs, range(3)

    @property
    def max_epochs(self):
        return self._max_epochs


class Loop:
    """The little of mmengine's Runner that the schedule looks at."""

    def __init__(self, epochs=60, lr=1.0):
        self.param_schedulers, self.epoch = None, 0
        self.train_loop = EpochLoop(epochs)
        self.optim_wrapper = SimpleNamespace(
            optimizer=SimpleNamespace(param_groups=[{"lr": lr}, {"lr": 10 * lr}])
        )

    def run(self, hook, losses):
        """Epochs with these mean losses until the end; the number of epochs run."""
        loop = self.train_loop
        for loss in losses:
            if self.epoch >= loop.max_epochs:
                break
            hook.before_train_epoch(self)
            for part in (0.5, 1.0, 1.5):
                hook.after_train_iter(self, 0, outputs={"loss": torch.tensor(part * loss)})
            hook.after_train_epoch(self)
            self.epoch += 1
        return self.epoch


def test_the_rate_falls_once_and_training_ends_half_as_many_epochs_later():
    hook, loop = AdaptiveSchedule(), Loop()
    losses = [9, 10, 9, 8, 7.1, 6.9, 2, 1, 1, 1, 1]  # below 7.0 in the sixth epoch
    assert loop.run(hook, losses) == 6 + 3
    assert hook.reference == 10 and hook.dropped_after == 6
    assert [g["lr"] for g in loop.optim_wrapper.optimizer.param_groups] == [
        pytest.approx(0.1),
        pytest.approx(1.0),
    ]


def test_a_loss_that_stays_trains_to_the_end():
    hook, loop = AdaptiveSchedule(), Loop(epochs=5)
    assert loop.run(hook, [1.0, 10.0, 9, 8, 8, 8, 8]) == 5 and hook.dropped_after == 0
    hook, loop = AdaptiveSchedule(), Loop(epochs=5)
    assert loop.run(hook, [9, 10, 9, 6, 6, 6, 6, 6]) == 5  # 4 + 2 is beyond the end


def test_resumed_after_the_drop_the_rate_is_what_it_was():
    hook, loop = AdaptiveSchedule(), Loop()
    loop.run(hook, [9, 10, 6])
    saved: dict = {}
    hook.before_save_checkpoint(loop, saved)
    rates = [g["lr"] for g in loop.optim_wrapper.optimizer.param_groups]
    fresh, again = AdaptiveSchedule(), Loop()
    again.optim_wrapper, again.epoch = loop.optim_wrapper, 3  # the optimiser's state is restored
    fresh.after_load_checkpoint(again, saved)
    assert again.run(fresh, [5, 5, 5]) == 4
    assert [g["lr"] for g in again.optim_wrapper.optimizer.param_groups] == rates


@pytest.mark.slow
def test_the_schedule_in_a_real_run_that_is_resumed(easy_data, tmp_path, monkeypatch):
    """A share close to 1 makes the third epoch the one that is below it."""
    options = [
        "+hooks.schedule=qaconv/AdaptiveSchedule",
        "+hooks.schedule.share=0.9999",
        "train.schedule=None",
    ]
    runner = runner_for(easy_data, tmp_path / "run", *options, "train.epochs=20")
    runner.train()
    ended = runner.epoch
    kept = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.pth")["adaptive_schedule"]
    dropped = kept["dropped_after"]
    assert 3 <= dropped <= ended and ended == min(20, dropped + dropped // 2)
    rates = runner.optim_wrapper.get_lr()["lr"]
    assert rates == [pytest.approx(2e-4)] * len(rates)
    again = runner_for(easy_data, tmp_path / "run", *options, "train.epochs=20", resume=True)
    again.train()
    assert again.epoch == ended and again.optim_wrapper.get_lr()["lr"] == rates


def test_two_schedules_are_refused():
    runner = SimpleNamespace(param_schedulers=[object()])
    with pytest.raises(UserError, match="^qaconv/AdaptiveSchedule sets the learning rate; set tr"):
        AdaptiveSchedule().before_train(runner)


def test_the_matcher_is_clipped_on_its_own():
    model = torch.nn.Module()
    model.body, model.matcher = torch.nn.Linear(2, 2), torch.nn.Linear(1, 1)
    wrapper = build_optim(model, dict(optimizer=dict(type="SGD", lr=0.0), clip_grad=1.0))
    for parameter, size in zip(model.parameters(), (3.0, 4.0, 100.0, 0.0), strict=True):
        parameter.grad = torch.zeros_like(parameter)
        parameter.grad.view(-1)[0] = size
    wrapper.step()
    norms = [p.grad.norm().item() for p in model.parameters()]
    assert norms == pytest.approx([0.6, 0.8, 1.0, 0.0], abs=1e-4)
