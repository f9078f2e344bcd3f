"""Seeds by step, the watch over the loss, and the line of an epoch."""

from types import SimpleNamespace

import pytest
import torch

from reidkit.engine.hooks import FiniteLossHook, ProgressHook, mixed_seed
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


def test_the_line_of_an_epoch_has_the_mean_of_the_steps_that_gave_a_loss(capsys):
    lines = []
    runner = SimpleNamespace(
        iter=0, epoch=0, max_iters=3, max_epochs=1, train_dataloader=range(3),
        optim_wrapper=SimpleNamespace(get_lr=lambda: {"lr": [0.1]}),
        logger=SimpleNamespace(info=lines.append),
    )  # fmt: skip
    hook = ProgressHook()
    hook.before_train(runner)
    hook.before_train_epoch(runner)
    for step, gan in enumerate((3.0, None, 4.0)):
        runner.iter = step
        given = {"loss": 1.0, "loss_id": torch.tensor(2.0)} | ({"loss_gan": gan} if gan else {})
        hook.after_train_iter(runner, step, outputs=given)
    hook.after_train_epoch(runner)
    assert lines == [capsys.readouterr().out.rstrip("\n")]
    assert "step 3/3  loss 1.000 (id 2.000  gan 3.500)  lr 0.1" in lines[0]
