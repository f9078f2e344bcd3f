"""What stopped a run, at the key of the component whose code was running."""

import pytest
import torch

from reidkit.config import prepare_config
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.failure import failure, problem_of
from reidkit.structures import ReIDBatch

SMALL = ["model.backbone.depth=10", "model.backbone.width=8"]


@pytest.fixture(scope="module")
def method():
    """A config and its model."""
    cfg = prepare_config("eanet/global_pool", SMALL)
    return cfg, build_model(cfg, TrainingSet(3, (1, 2)))


def alone(model) -> Exception:
    """What torch raises for one image in a training pass."""
    batch = ReIDBatch(torch.zeros(1, 3, 96, 32), identities=torch.zeros(1, dtype=torch.int64))
    model.train()
    with pytest.raises(ValueError) as caught:
        model.head(model.backbone(batch.images, batch), batch)
    return caught.value


def test_a_last_batch_of_one_image_names_both_ways_out(method):
    cfg, model = method
    text = str(failure(alone(model), cfg))
    assert text.startswith("model.head: ValueError: Expected more than 1 value per channel")
    assert "raise train.batch_size" in text and "train.sampler.drop_last=True" in text
    problem = problem_of(alone(model), cfg, model)
    assert problem.where == "model.head" and "train.sampler.drop_last=True" in problem.hint


def test_a_hint_that_fails_itself_is_left_out(method):
    cfg, model = method
    broken = prepare_config("eanet/global_pool", [*SMALL, "input.size=(1,1)"])
    batch = ReIDBatch(torch.zeros(1, 5, 8, 8))
    with pytest.raises(RuntimeError) as caught:  # five channels
        model.backbone(batch.images, batch)
    assert problem_of(caught.value, broken, model).where == "model.backbone"
