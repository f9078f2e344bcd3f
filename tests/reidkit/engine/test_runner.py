"""What checkpoints keep of mmengine's history."""

import torch

from reidkit.engine.runner import plain_history, rich_history


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
