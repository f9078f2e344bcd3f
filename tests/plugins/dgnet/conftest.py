"""The plugin, a tiny DG-Net, and batches for it."""

from types import SimpleNamespace

import pytest
import torch

from reidkit.engine.optim import build_optim
from reidkit.plugin import load_plugins
from reidkit.registry import MODELS, import_core
from reidkit.structures import ReIDBatch
from reidkit.testing.supply import fake_supply

import_core()
load_plugins(["dgnet"])

IDENTITIES = 7
SIZE = (64, 32)
NORMALIZE = dict(type="Normalize")
OPTIMIZERS = dict(
    reid=dict(type="SGD", lr=0.01),
    generator=dict(type="Adam", lr=1e-3, betas=(0.0, 0.999)),
    discriminator=dict(type="Adam", lr=1e-3, betas=(0.0, 0.999)),
)


def tiny(num_identities=IDENTITIES, size=SIZE, **options):
    """DG-Net at 64x32 with a few thousand weights; the primary term is off without a teacher."""
    torch.manual_seed(0)
    config = dict(
        type="dgnet/DGNet",
        # not narrower: torch 2.11 corrupts memory in the backward pass of a 1x1, stride-2
        # convolution from 4 channels in channels_last on CPUs
        backbone=dict(type="ResNet", depth=10, width=8, stages=4, last_stride=1),
        matcher=dict(type="dgnet/WeightedHeadsMatcher"),
        transforms=dict(
            train=dict(flip=dict(type="RandomFlip"), normalize=NORMALIZE),
            test=dict(normalize=NORMALIZE),
            identity=dict(erase=dict(type="RandomErasing", p=0.5)),
        ),
        terms=dict(primary=dict(weight=0.0)),
        networks=dict(dim=8, structure_dim=2, mlp_dim=8, discriminator_dim=4, dilations=(1, 2, 3)),
    )
    config["networks"] |= options.pop("networks", {})
    config |= options
    supply = fake_supply("models", num_identities=num_identities, input_size=size)
    return MODELS.build(config, supply)


class FakeTeacher:
    """Fixed probabilities; remembers what it was shown."""

    def __init__(self, num_identities=IDENTITIES):
        self.num_identities, self.seen = num_identities, []

    def __call__(self, images):
        self.seen.append(images)
        scores = images.flatten(1)[:, : self.num_identities]
        return scores.detach().softmax(1)


def quarters(side=2, seed=0, identities=None, size=SIZE):
    """A batch as ``PairSampler`` gives it: a, b, and positives with the same identities."""
    random = torch.Generator().manual_seed(seed)
    who = torch.arange(2 * side) if identities is None else torch.as_tensor(identities)
    return ReIDBatch(
        images=torch.randint(0, 256, (4 * side, 3, *size), generator=random, dtype=torch.uint8),
        identities=torch.cat([who, who]),
        generator=random,
    )


def optimizers(model):
    """The three optimisers, as a run builds them."""
    return build_optim(model, dict(optimizers=OPTIMIZERS))


@pytest.fixture
def net():
    """Tiny tools of these tests in one place."""
    return SimpleNamespace(
        tiny=tiny, quarters=quarters, optimizers=optimizers, FakeTeacher=FakeTeacher
    )
