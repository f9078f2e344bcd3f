"""Starting weights of a model."""

import pytest
import torch

from reidkit.engine.build import load_initial_weights
from reidkit.errors import UserError


@pytest.mark.parametrize("identities", [3, 5])
def test_starting_weights_skip_the_classifiers_of_another_run(net, tmp_path, identities):
    before = net(identities)
    torch.save(before.state_dict(), tmp_path / "before.pth")
    model = net(3)
    fresh = model.head.classifier.weight.clone()
    load_initial_weights(model, str(tmp_path / "before.pth"))
    assert torch.equal(model.backbone.weight, before.backbone.weight)
    assert torch.equal(model.head.classifier.weight, fresh)
    stage = net(identities)
    load_initial_weights(stage, str(tmp_path / "before.pth"), keep_classifiers=True)
    assert torch.equal(stage.head.classifier.weight, before.head.classifier.weight)
    torch.save({"backbone.weight": torch.ones(2, 2)}, tmp_path / "part.pth")
    with pytest.raises(UserError, match="weights of another model"):
        load_initial_weights(model, str(tmp_path / "part.pth"))
