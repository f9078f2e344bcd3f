"""Seeds by step, and the watch over the loss."""

from types import SimpleNamespace

import pytest
import torch

from reidkit.engine.hooks import FiniteLossHook, mixed_seed
from reidkit.errors import UserError


def test_seeds_do_not_collide():
    seeds = {mixed_seed(s, r, 2, i) for s in range(4) for r in range(4) for i in range(200)}
    assert len(seeds) == 4 * 4 * 200


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
