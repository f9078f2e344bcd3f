import pytest
import torch
from torch import nn

from reidkit.structures import FeatureSpec
from reidkit_plugins.qaconv.heads import QAConvHead


def test_heads_of_both_kinds():
    specs = {"layer3": FeatureSpec(6, 16)}
    maps = {"layer3": torch.rand(4, 6, 5, 3)}
    old, new = QAConvHead(specs, dim=8, norm=True), QAConvHead(specs, dim=8)
    assert old.conv.bias is None and isinstance(old.norm, nn.BatchNorm2d)
    assert new.conv.bias is not None and isinstance(new.norm, nn.Identity)
    pooled = QAConvHead(specs, dim=8, pool="avg")(maps, None).embedding.maps
    assert pooled.shape == (4, 8, 1, 1)
    with pytest.raises(ValueError, match="""pool must be "none" or "avg", got 'max'$"""):
        QAConvHead(specs, pool="max")
