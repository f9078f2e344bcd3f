"""Devices and precisions."""

import pytest
import torch

from reidkit.engine.devices import choose_device, choose_precision
from reidkit.errors import UserError


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
