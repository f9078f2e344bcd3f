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
    with pytest.raises(UserError, match="weights do not fit TwoParts"):
        load_initial_weights(model, str(tmp_path / "part.pth"))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module.module.", "model."])
def test_what_wrappers_put_before_the_names_is_taken_off(net, tmp_path, prefix):
    before, model = net(3), net(3)
    named = {f"{prefix}{name}": value for name, value in before.state_dict().items()}
    torch.save({"model": named, "optimizer": {}}, tmp_path / "before.pth")
    loaded = load_initial_weights(model, str(tmp_path / "before.pth"))
    assert torch.equal(model.backbone.weight, before.backbone.weight)
    assert loaded.rule == "by name" and loaded.left == {"head.classifier": 2}


def test_weights_that_are_no_numbers_are_refused(net, tmp_path):
    state = net(3).state_dict()
    state["backbone.weight"].fill_(float("nan"))
    torch.save(state, tmp_path / "nan.pth")
    with pytest.raises(UserError, match="nan.pth: 1 of .* tensors hold NaN .*backbone.weight"):
        load_initial_weights(net(3), str(tmp_path / "nan.pth"))
    torch.save({"state": {}, "param_groups": []}, tmp_path / "optimizer.pth")
    with pytest.raises(UserError, match="holds no weights, but an optimizer's state"):
        load_initial_weights(net(3), str(tmp_path / "optimizer.pth"))
