"""What checkpoints keep of mmengine's history."""

import logging
from types import SimpleNamespace

import numpy as np
import torch

from reidkit.engine.runner import (
    checkpoint_size,
    plain_data,
    plain_history,
    rich_history,
    say_once,
)


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


def test_a_log_on_a_full_disk_is_said_once(capsys):
    handler = logging.FileHandler("/dev/full")
    say_once(handler)
    for _ in range(3):
        handler.handle(logging.makeLogRecord(dict(msg="epoch", levelno=20)))
    assert capsys.readouterr().err == (
        "/dev/full: the log cannot be written ([Errno 28] No space left on device)\n"
    )


SGD, ADAM = dict(momentum=0.9), dict(betas=(0.9, 0.999))  # what torch's groups have of each


def test_a_checkpoint_takes_weights_and_what_the_optimiser_keeps_of_them():
    model = torch.nn.Linear(10, 10)  # 110 numbers
    model.bias.requires_grad_(False)
    assert checkpoint_size(model) == 440
    groups = [dict(params=list(model.parameters()), **kind) for kind in (SGD, ADAM)]
    wrappers = [SimpleNamespace(optimizer=SimpleNamespace(param_groups=[one])) for one in groups]
    assert [checkpoint_size(model, one) for one in wrappers] == [840, 1240]
    assert checkpoint_size(model, dict(a=wrappers[0], b=wrappers[1])) == 1640


def test_numbers_of_numpy_become_plain():
    content = plain_data(dict(a=np.float64(0.5), b=[np.int64(3)], c=(np.bool_(True), "x")))
    assert content == dict(a=0.5, b=[3], c=(True, "x"))
    assert [type(one) for one in (content["a"], content["b"][0], content["c"][0])] == [
        float, int, bool,
    ]  # fmt: skip
