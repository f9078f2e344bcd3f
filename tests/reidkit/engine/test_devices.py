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


def test_bf16_is_for_processors_with_units_for_it(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr("reidkit.utils.processor.has_bf16_units", lambda: False)
    with pytest.raises(
        UserError, match="settings.precision=bf16: this processor has no bf16 units"
    ):
        choose_precision("bf16", cpu)
    assert choose_precision("bf16", torch.device("cuda")) == "bf16"
    monkeypatch.setattr("reidkit.utils.processor.has_bf16_units", lambda: True)
    assert choose_precision("bf16", cpu) == "bf16"
