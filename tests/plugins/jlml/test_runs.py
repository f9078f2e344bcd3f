"""Whole runs at tiny size: losses fall, the selection is drawn, stages leave each other alone."""

import json
from types import SimpleNamespace

import cv2
import pytest
import torch
from mmengine.logging import MessageHub

from reidkit.config import prepare_config
from reidkit.engine.run import complete_run
from reidkit.errors import UserError
from reidkit.structures import FeatureSpec
from reidkit.utils.checkpoint import load_state
from reidkit_plugins.jlml.heads import JLMLHead
from reidkit_plugins.jlml.hooks import ProximalStep

TINY = [
    "data=synthped_easy",
    "data.tests=['source']",
    "input.size=(64, 32)",
    "model.backbone.width=8",
    "model.head.dim=32",
    "train.batch_size=16",
    "settings.workers=0",
    "settings.device=cpu",
    "visualizers=[]",
]


@pytest.fixture(scope="module")
def run(easy_data, tmp_path_factory):
    """``run(config, *overrides)``: the folder of a finished run."""

    def finished(config: str, *overrides: str):
        folder = tmp_path_factory.mktemp("runs") / f"jlml_{config}_{len(overrides)}"
        torch.manual_seed(0)
        root = f"settings.data_root={easy_data}"
        complete_run(prepare_config(f"jlml/{config}", [*TINY, root, *overrides]), folder)
        return folder

    return finished


@pytest.mark.slow
def test_a_run_lowers_both_losses_and_leaves_the_picture(run):
    folder = run("subgradient", "train.epochs=3", "train.schedule=None", "settings.pictures=False")
    scalars = MessageHub.get_current_instance().log_scalars
    for name in ("global", "local"):
        values = scalars[f"train/loss_id_{name}"].data[0]
        third = len(values) // 3
        assert values[-third:].mean() < values[:third].mean(), name
        assert (scalars[f"train/loss_sparse_{name}"].data[0] > 0).all()
    picture = cv2.imread(str(folder / "selection.png"))
    assert picture.shape[1] > picture.shape[0] and picture.std() > 5
    content = json.loads((folder / "metrics.json").read_text())
    test = content["tests"]["source"]
    assert test["n_valid"] == test["n_query"] and test["metrics"]["mAP"] > 0
    assert {"global_off", "local_off"} <= set(content["logs"])
    log = next((folder / "log").glob("*.log")).read_text()
    assert log.count("selection after epoch") == 3
    assert "local_stripe4" in log


@pytest.mark.slow
def test_proximal_steps_make_exact_zeros(run):
    folder = run(
        "jlml", "train.epochs=1", "settings.pictures=False",
        "+hooks.proximal.global_weight=0.02", "+hooks.proximal.local_weight=0.02",
    )  # fmt: skip
    state = load_state(folder / "checkpoints/last.pth")
    local = state["head.branches.local.feature.weight"].unflatten(1, (4, -1))
    assert 0.05 < local.eq(0).float().mean() < 1
    assert local.abs().sum(2).gt(0).all()  # no group is gone


class Optimizer:
    """One parameter group of an optimiser in the middle of its schedule."""

    def __init__(self, parameter, lr, initial_lr):
        self.param_groups = [dict(params=[parameter], lr=lr, initial_lr=initial_lr)]


def proximal_step(epoch: int, **options) -> torch.Tensor:
    """Norms of a layer's three columns, of 5, 0.5 and 0.01, after a step at 5e-4 of a full 2e-3."""
    head = JLMLHead({"global": FeatureSpec(3, 32)}, num_identities=2, dim=2)
    layer = head.branches["global"].feature.weight
    with torch.no_grad():
        layer.copy_(torch.tensor([[3.0, 0.3, 0.0], [4.0, 0.4, 0.01]]))
    optimizer = Optimizer(layer, 5e-4, 2e-3)
    runner = SimpleNamespace(
        epoch=epoch,
        model=SimpleNamespace(head=head),
        optim_wrapper=SimpleNamespace(should_update=lambda: True, optimizer=optimizer),
    )
    ProximalStep(global_weight=1.0, **options).after_train_iter(runner, 0)
    return layer.detach().square().sum(0).sqrt()


@pytest.mark.parametrize("rate, amount", [(0.1, 0.025), (None, 5e-4)])
def test_a_proximal_step_has_its_own_rate_and_follows_the_schedule(rate, amount):
    """At a quarter of the full learning rate 2e-3, whatever the optimiser makes of gradients."""
    shrunk = torch.tensor([5.0, 0.5, 0.01]).sub(amount).clamp_min(0)
    torch.testing.assert_close(proximal_step(0, rate=rate), shrunk)


def test_proximal_steps_begin_at_the_epoch_that_is_asked_for():
    torch.testing.assert_close(proximal_step(7, start=8), torch.tensor([5.0, 0.5, 0.01]))
    torch.testing.assert_close(proximal_step(8, start=8), torch.tensor([4.975, 0.475, 0.0]))
    with pytest.raises(ValueError, match="start must be >= 0"):
        ProximalStep(start=-1)


@pytest.mark.slow
def test_late_concat_trains_one_network_and_then_the_other(run):
    folder = run("late_concat", "train.epochs=1", "settings.pictures=False")
    first = load_state(folder / "stage1/checkpoints/last.pth")
    second = load_state(folder / "checkpoints/last.pth")
    moved = {name for name in second if not torch.equal(first[name], second[name])}
    assert moved and all("branches.local." in name for name in moved)
    for part in ("backbone", "head"):
        assert any(name.startswith(f"{part}.branches.local.") for name in moved)


def test_the_hooks_want_a_head_with_feature_layers(run):
    with pytest.raises(UserError, match="BNNeckHead has no feature layers to watch"):
        run("global_only", "train.epochs=1", "model.head=BNNeckHead")
