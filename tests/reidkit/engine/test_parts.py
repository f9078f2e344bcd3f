"""Pieces of the engine: learning rates by iteration, seeds, devices, run folders, freezing."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import PARAM_SCHEDULERS

from reidkit.engine.build import classifier_names, freeze, load_initial_weights
from reidkit.engine.devices import choose_device, choose_precision
from reidkit.engine.folder import new_folder, run_name
from reidkit.engine.hooks import FiniteLossHook, mixed_seed
from reidkit.engine.optim import build_optim, build_schedule
from reidkit.engine.runner import plain_history, rich_history
from reidkit.errors import UserError


class TwoParts(torch.nn.Module):
    def __init__(self, identities: int = 3):
        super().__init__()
        self.backbone = torch.nn.Linear(2, 2)
        self.head = Head(identities)

    def new_parameters(self):
        return list(self.head.parameters())


class Head(torch.nn.Module):
    def __init__(self, identities: int):
        super().__init__()
        self.embedding = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
        self.classifier = torch.nn.Linear(2, identities)

    def classifier_parameters(self):
        return list(self.classifier.parameters())


PAPER = dict(optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=5e-4), head_lr_mult=2.0)


def lr_trace(schedule: dict, epochs: int, steps: int) -> list[tuple[float, float]]:
    """The rates that every iteration is trained with, as the Runner's hooks step them."""
    wrapper: OptimWrapper = build_optim(TwoParts(), PAPER)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(cfg, optimizer=wrapper))
        for cfg in build_schedule(schedule, epochs, steps)
    ]
    trace = []
    for _ in range(epochs):
        for _ in range(steps):
            trace.append(tuple(group["lr"] for group in wrapper.optimizer.param_groups))
            wrapper.optimizer.step()
            for scheduler in schedulers:
                if not scheduler.by_epoch:
                    scheduler.step()
        for scheduler in schedulers:
            if scheduler.by_epoch:
                scheduler.step()
    return trace


def test_the_published_schedule_has_no_off_by_one_iteration():
    steps = 4
    trace = lr_trace(dict(type="step", milestones=[25, 50], gamma=0.1), 60, steps)
    for iteration, (backbone, new) in enumerate(trace):
        epoch = iteration // steps
        factor = 1.0 if epoch < 25 else 0.1 if epoch < 50 else 0.01
        assert backbone == pytest.approx(0.01 * factor)
        assert new == pytest.approx(0.02 * factor)


def test_warm_up_rises_over_its_epochs_and_then_the_steps_come():
    schedule = dict(type="step", milestones=[6], gamma=0.1, warmup=2, start=0.1)
    trace = [lr for lr, _ in lr_trace(schedule, 8, 5)]
    rise = [0.01 * (0.1 + 0.9 * i / 9) for i in range(10)]
    assert trace[:10] == pytest.approx(rise)
    assert trace[10:30] == pytest.approx([0.01] * 20) and trace[30:] == pytest.approx([0.001] * 10)


def test_weight_decay_reaches_every_parameter():
    groups = build_optim(TwoParts(), PAPER).optimizer.param_groups
    assert [g["weight_decay"] for g in groups] == [5e-4, 5e-4]
    assert sum(len(g["params"]) for g in groups) == len(list(TwoParts().parameters()))


def test_modules_may_decline_weight_decay():
    model = TwoParts()
    model.head.no_decay_parameters = lambda: [model.head.classifier.weight]
    groups = build_optim(model, PAPER).optimizer.param_groups
    assert [(g["lr"], g["weight_decay"]) for g in groups] == [
        (0.01, 5e-4), (0.02, 5e-4), (0.02, 0.0)
    ]  # fmt: skip
    assert groups[2]["params"][0] is model.head.classifier.weight
    assert sum(len(g["params"]) for g in groups) == len(list(model.parameters()))


def test_one_cycle_rises_and_falls_to_zero():
    trace = [lr for lr, _ in lr_trace(dict(type="one_cycle", pct_start=0.25), 4, 10)]
    assert trace[0] == pytest.approx(0.01 * 0.04) and max(trace) == pytest.approx(0.01)
    assert trace.index(max(trace)) == 9 or trace.index(max(trace)) == 10
    assert trace[-1] < 0.0005 and all(a >= b for a, b in zip(trace[10:], trace[11:], strict=False))


def test_unknown_schedule_is_named():
    with pytest.raises(ValueError, match="must be 'step' or 'one_cycle', got 'cosin'"):
        build_schedule(dict(type="cosin"), 1, 1)


def test_only_classifiers_can_be_the_new_layers():
    wrapper = build_optim(TwoParts(), dict(PAPER, new="classifiers"))
    sizes = [sum(p.numel() for p in g["params"]) for g in wrapper.optimizer.param_groups]
    assert sizes[1] == 9  # 2 x 3 weights and 3 biases


def test_freezing_keeps_statistics_and_gradients_still():
    model = TwoParts()
    freeze(model, ["!classifiers"])
    model.train()
    model.head.classifier(model.head.embedding(model.backbone(torch.randn(8, 2)))).sum().backward()
    assert model.head.embedding[1].num_batches_tracked == 0
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert trained == classifier_names(model) == {"head.classifier.weight", "head.classifier.bias"}
    with pytest.raises(UserError, match="the model has no module 'backbon'"):
        freeze(model, ["backbon"])


@pytest.mark.parametrize("identities", [3, 5])
def test_starting_weights_skip_the_classifiers_of_another_run(tmp_path, identities):
    before = TwoParts(identities)
    torch.save(before.state_dict(), tmp_path / "before.pth")
    model = TwoParts(3)
    fresh = model.head.classifier.weight.clone()
    load_initial_weights(model, str(tmp_path / "before.pth"))
    assert torch.equal(model.backbone.weight, before.backbone.weight)
    assert torch.equal(model.head.classifier.weight, fresh)
    stage = TwoParts(identities)
    load_initial_weights(stage, str(tmp_path / "before.pth"), keep_classifiers=True)
    assert torch.equal(stage.head.classifier.weight, before.head.classifier.weight)
    torch.save({"backbone.weight": torch.ones(2, 2)}, tmp_path / "part.pth")
    with pytest.raises(UserError, match="weights of another model"):
        load_initial_weights(model, str(tmp_path / "part.pth"))


def test_seeds_do_not_collide():
    seeds = {mixed_seed(s, r, 2, i) for s in range(4) for r in range(4) for i in range(200)}
    assert len(seeds) == 4 * 4 * 200


def test_devices_and_precisions_that_do_not_exist():
    cpu = torch.device("cpu")
    with pytest.raises(UserError, match="use auto, cpu, cuda or cuda:<n>"):
        choose_device("gpu0")
    with pytest.raises(
        UserError, match="settings.precision=fp8: use one of auto, fp32, bf16, fp16"
    ):
        choose_precision("fp8", cpu)
    with pytest.raises(UserError, match="needs a CUDA device"):
        choose_precision("fp16", cpu)
    assert choose_precision("auto", cpu) in ("fp32", "bf16")


def test_a_new_run_never_takes_a_used_folder(tmp_path):
    name = run_name("configs/eanet/pcb.py", "synthped", "quick", 3)
    assert name == "eanet-pcb-synthped-quick-s3"
    first = new_folder(tmp_path, name)
    assert first == tmp_path / name
    first.mkdir()
    (tmp_path / f"{name}-7").mkdir()
    assert new_folder(tmp_path, name) == tmp_path / f"{name}-8"


def test_history_survives_as_plain_data(tmp_path):
    from mmengine.logging import HistoryBuffer

    buffer = HistoryBuffer()
    for value in (3.0, 1.0, 2.0):
        buffer.update(value)
    state = dict(log_scalars={"train/loss": buffer}, runtime_info={}, resumed_keys={})
    torch.save(plain_history(state), tmp_path / "h.pth")
    back = rich_history(torch.load(tmp_path / "h.pth", weights_only=True))
    assert back["log_scalars"]["train/loss"].data[0].tolist() == [3.0, 1.0, 2.0]
    assert back["log_scalars"]["train/loss"].mean(2) == 1.5


def test_a_loss_that_is_no_number_names_itself_and_what_is_kept(tmp_path):
    runner = SimpleNamespace(work_dir=str(tmp_path), epoch=1)
    outputs = dict(loss=float("nan"), loss_id=torch.tensor(float("nan")), loss_ps=torch.tensor(1.0))
    advice = "try a lower train.optimizer.lr, train.clip_grad=10.0 or settings.precision=fp32"
    with pytest.raises(UserError) as error:
        FiniteLossHook().after_train_iter(runner, 4, outputs=outputs)
    assert str(error.value) == f"training: loss id is nan at epoch 2, step 5; {advice}"
    kept = tmp_path / "checkpoints" / "last.pth"
    kept.parent.mkdir()
    kept.touch()
    with pytest.raises(UserError) as error:
        FiniteLossHook().after_train_iter(runner, 4, outputs=outputs)
    assert str(error.value) == (
        f"training: loss id is nan at epoch 2, step 5; {kept} holds the last epoch that was kept; "
        f"go on from there with --work-dir {tmp_path} --resume, and {advice}"
    )
