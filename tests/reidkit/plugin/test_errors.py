"""Faults inside a plugin's own code are told with its file, line and text."""

# ruff: noqa: E501  (messages are compared whole)
from __future__ import annotations

import pytest
import torch

from reidkit.cli.main import main
from reidkit.config import prepare_config
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.failure import failure
from reidkit.engine.sample_batch import sample_batch

LOSS = '''\
"""A loss."""

from torch import nn
from torch.nn import functional as F

from reidkit.registry import LOSSES


@LOSSES.register_module()
class MixLoss(nn.Module):
    """Cross-entropy of the first part."""

    def __init__(self):
        super().__init__()

    def forward(self, logits, identities):
        """The mean over images."""
        {body}
'''
CONFIG = """\
plugins = ["mix"]
model = dict(
    type="ReIDModel",
    backbone=dict(type="ResNet", depth=10, width=8),
    head=dict(type="{head}"),
    losses=dict(mix=dict(domain="source", loss=dict(type="{loss}"))),
    matcher=dict(type="CosineMatcher"),
    transforms=dict.fromkeys(("train", "test"), dict(normalize=dict(type="Normalize"))),
)
"""
RECIPE = 'input = dict(size=(128, 64))\ntrain = dict(epochs=1, batch_size=4, optimizer=dict(type="AdamW", lr=1e-3))\n'
MAPS = "images of 128x64 give features: layer1 (8, 32, 16), layer2 (16, 16, 8), layer3 (32, 8, 4), layer4 (64, 8, 4)"


@pytest.fixture
def mix(world):
    """Writes the plugin ``mix``, whose loss has the given line as its body."""

    def write(
        body: str = "return logits.mean()",
        head: str = "BNNeckHead",
        loss: str = "mix/MixLoss",
        **files,
    ):
        world.plugin(
            "mix",
            provides="{losses: [MixLoss]}",
            files={
                "__init__.py": '"""Mixed parts."""\n\nfrom . import parts\n',
                "parts.py": LOSS.replace("{body}", body),
                "configs/base.py": CONFIG.format(head=head, loss=loss),
                "configs/recipe/quick.py": RECIPE,
                "README.md": "# mix\n",
                **files,
            },
        )
        world.search("path")
        return "mix/base"

    return write


FAULTS = {
    "labels = part(identities)": (
        "NameError: name 'part' is not defined",
        "",
    ),
    "return logits.maen()": (
        "AttributeError: 'Tensor' object has no attribute 'maen'",
        "",
    ),
    "return F.cross_entropy(logits[:2, 0], identities)": (
        "ValueError: Expected input batch_size (2) to match target batch_size ({n}).",
        f"\n      {MAPS}",
    ),
}


@pytest.mark.parametrize("body", FAULTS)
def test_check_of_a_config_shows_the_line(mix, capsys, body):
    assert main(["train", mix(body), "--check"]) == 2
    what, hint = FAULTS[body]
    assert capsys.readouterr().err == (
        f"mix/base: 1 problem\n 1. model.losses.mix.loss: {what.format(n=4)}\n"
        f"      path/mix/parts.py, line 18: {body}{hint}\n"
    )


@pytest.mark.parametrize("body", FAULTS)
def test_check_of_a_plugin_shows_the_line(mix, capsys, body):
    mix(body)
    assert main(["plugins", "check", "mix"]) == 1
    what = FAULTS[body][0].format(n=8)
    assert (
        f"  mix/MixLoss: BROKEN: {what}\n      path/mix/parts.py, line 18: {body}\n"
    ) in capsys.readouterr().out


def test_what_a_plugin_raises_for_people_stands_alone(mix, capsys):
    assert main(["train", mix("raise ValueError('MixLoss: one part, please')"), "--check"]) == 2
    assert capsys.readouterr().err == (
        f"mix/base: 1 problem\n 1. model.losses.mix.loss: MixLoss: one part, please\n      {MAPS}\n"
    )


LATER = "return logits.mean() + identities[9 if len(logits) > 4 else 0]"


@pytest.fixture
def steps(monkeypatch, tmp_path):
    """Training is one step on 8 made-up images, twice those that are tried before it."""

    def one_step(run):
        model = build_model(run.cfg, TrainingSet(2))
        batch = sample_batch(run.cfg, [], {})
        batch.images = batch.images.repeat(2, 1, 1, 1)
        batch.identities = batch.identities.repeat(2)
        model(**model.data_preprocessor({"source": batch}, True))

    monkeypatch.setattr("reidkit.engine.run.Run.prepare", one_step)
    return f"settings.work_dir={tmp_path}"


@pytest.mark.slow
def test_a_step_that_fails_says_where(mix, steps, capsys):
    assert main(["train", mix(LATER), steps]) == 2
    assert capsys.readouterr().err == (
        "model.losses.mix.loss: IndexError: index 9 is out of bounds for dimension 0 with size 8\n"
        f"  path/mix/parts.py, line 18: {LATER}\n"
        "  this stopped the run; --debug shows the traceback\n"
    )
    with pytest.raises(Exception, match="index 9 is out of bounds") as error:
        main(["train", "mix/base", steps, "--debug"])
    assert isinstance(error.value.__cause__, IndexError)


def test_failures_of_no_component_and_of_memory(mix):
    cfg = prepare_config(mix())
    assert failure(RuntimeError("a gradient was lost"), cfg) is None
    assert failure(BrokenPipeError(), cfg) is None
    assert str(failure(torch.cuda.OutOfMemoryError("CUDA out of memory."), cfg)) == (
        "CUDA out of memory.\n"
        "  train.batch_size=4 may be too large for it; --debug shows the traceback"
    )
