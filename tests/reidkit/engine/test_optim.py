"""Learning rates by iteration, as the Runner's hooks step them."""

import pytest
from mmengine.optim import OptimWrapper
from mmengine.registry import PARAM_SCHEDULERS
from torch import nn

from reidkit.engine.optim import build_optim, build_schedule

PAPER = dict(
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=5e-4), lr_mult={"head.*": 2.0}
)


def lr_trace(schedule: dict, epochs: int, steps: int) -> list[tuple[float, float]]:
    """The rates that every iteration is trained with, as the Runner's hooks step them."""
    wrapper: OptimWrapper = build_optim(
        nn.ModuleDict(dict(backbone=nn.Linear(1, 1), head=nn.Linear(1, 1))), PAPER
    )
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


def test_one_cycle_rises_and_falls_to_zero():
    trace = [lr for lr, _ in lr_trace(dict(type="one_cycle", pct_start=0.25), 4, 10)]
    assert trace[0] == pytest.approx(0.01 * 0.04) and max(trace) == pytest.approx(0.01)
    assert trace.index(max(trace)) == 9 or trace.index(max(trace)) == 10
    assert trace[-1] < 0.0005 and all(a >= b for a, b in zip(trace[10:], trace[11:], strict=False))


def test_unknown_schedule_is_named():
    with pytest.raises(ValueError, match="must be 'step' or 'one_cycle', got 'cosin'"):
        build_schedule(dict(type="cosin"), 1, 1)


def test_schedulers_of_mmengine_pass_through():
    given = [
        dict(type="LinearLR", start_factor=0.1, by_epoch=True, begin=0, end=5),
        dict(type="CosineAnnealingLR", T_max=15, by_epoch=True, begin=5, end=20),
    ]
    assert build_schedule(given, 20, 3) == given
