"""Our residual blocks are torchvision's: same tensors, same numbers, forwards and backwards."""

import pytest
import torch
from torchvision.models import resnet

from reidkit.models import blocks


@pytest.mark.parametrize("name", ["BasicBlock", "Bottleneck"])
@pytest.mark.parametrize("stride", [1, 2])
def test_equal_to_torchvisions(name, stride):
    ours, theirs = getattr(blocks, name), getattr(resnet, name)
    out = 8 * ours.expansion
    shortcuts = [torch.nn.Conv2d(out, out, 1, stride, bias=False) for _ in range(2)]
    shortcuts[1].load_state_dict(shortcuts[0].state_dict())
    torch.manual_seed(0)
    one = ours(out, 8, stride, shortcuts[0])
    torch.manual_seed(0)
    two = theirs(out, 8, stride, shortcuts[1])
    assert [n for n, _ in one.named_parameters()] == [n for n, _ in two.named_parameters()]
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    images = [torch.randn(2, out, 6, 4).requires_grad_() for _ in range(2)]
    images[1].data.copy_(images[0].data)
    maps = [block(x) for block, x in zip((one, two), images, strict=True)]
    assert torch.equal(*maps)
    for x in maps:
        x.square().sum().backward()
    assert torch.equal(images[0].grad, images[1].grad)
