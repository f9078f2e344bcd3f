"""Both branches on one map of a backbone that could have weights."""

import pytest
import torch

from reidkit.config import load_config
from reidkit.errors import UserError
from reidkit.models.timm_backbone import TimmBackbone
from reidkit.registry import MODELS
from reidkit.testing.supply import fake_supply
from reidkit_plugins.jlml.striped import StripedBackbone

RESNET = dict(name="ResNet", options=dict(depth=10, width=8), input_size=(128, 64))


def test_both_branches_are_the_backbones_default_map():
    net = StripedBackbone(**RESNET).eval()
    images = torch.rand(2, 3, 128, 64)
    maps = net(images)
    assert list(maps) == ["local", "global"] and maps["local"] is maps["global"]
    torch.testing.assert_close(maps["global"], net.body(images)["layer4"])
    assert net.specs["local"].stripes == 4 and net.specs["global"] == net.body.specs["layer4"]
    assert len(net.layers()) == len(net.body.layers()) == 5


@pytest.mark.parametrize("branch", ["global", "local"])
def test_one_branch_alone(branch):
    assert list(StripedBackbone(**RESNET, branch=branch).specs) == [branch]


def test_weights_reach_the_backbone(tmp_path):
    whole = TimmBackbone("tf_efficientnet_lite0").body
    torch.save(whole.state_dict(), tmp_path / "own.pth")
    with pytest.raises(UserError, match="own.pth"):  # of other stages than the options say
        StripedBackbone("timm/resnet18", str(tmp_path / "own.pth"))


def test_rows_that_the_stripes_do_not_divide():
    with pytest.raises(UserError, match=r"ResNet gives 8 rows .* no multiple of 3 stripes"):
        StripedBackbone(**RESNET, stripes=3)
    StripedBackbone(**RESNET, stripes=3, branch="global")
    with pytest.raises(ValueError, match="branch must be one of"):
        StripedBackbone(**RESNET, branch="both")


def test_options_of_another_network():
    with pytest.raises(UserError, match="unexpected keyword argument 'stages'.*~model.backbone"):
        StripedBackbone("torchreid/osnet_x0_25", options=dict(stages=4), input_size=(128, 64))


@pytest.mark.parametrize("name", ["jlml", "global_only", "local_only", "uni_loss"])
def test_the_recipe_trains_its_branches(name):
    cfg = load_config(f"jlml/{name}", ["recipe=finetune", "model.backbone.pretrained=None"])
    supply = fake_supply("models", num_identities=3, input_size=tuple(cfg.input.size))
    model = MODELS.build(cfg.model.to_dict(), supply)
    assert set(model.head.branches) == set(model.backbone.branches)
    assert "proximal" in cfg.hooks and not {"sparse_global", "sparse_local"} & set(cfg.model.losses)
