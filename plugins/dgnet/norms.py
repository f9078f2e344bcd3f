"""Instance norm, adaptive instance norm and layer norm in one function with its own gradient.

Statistics are float32 in every precision. Autograd would keep a float32 copy of each input for
them; here only the input itself and a few numbers per channel are kept, and the gradient takes a
third of the time. The layout in memory is kept, unlike by ``torch.nn.functional.instance_norm``.

Shapes: N images, C channels, h w cells.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

EPS = 1e-5
CELLS, IMAGE = (2, 3), (1, 2, 3)  # over what the statistics are: of each channel, of each image


class Standardise(torch.autograd.Function):
    """Numbers to mean 0 and deviation 1, then an affine map; call it by the functions below.

    With x^ = (x - mean) r, y = w x^ + b and g = w dL/dy, over n numbers:
    dL/dx = r (g - mean(g) - x^ f sum(g x^)), where f = 1 / n for the variance of all, with
    r = (variance + eps)^-1/2, and f = (s + eps) / (s (n - 1)) for the unbiased deviation s, with
    r = 1 / (s + eps).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, dims: tuple) -> Tensor:
        """x (N, C, h, w); weight and bias (N, C, 1, 1), or 1 for N, C or both."""
        wide = x.float()
        mean = wide.mean(dims, keepdim=True)
        # in two passes: torch.var_mean takes ten to twenty times as long on a CPU
        squares = (wide - mean).square_().sum(dims, keepdim=True)
        count = x.numel() // mean.numel()
        if dims == IMAGE:
            deviation = (squares / (count - 1)).sqrt()
            rate = 1 / (deviation + EPS)
            share = (deviation + EPS) / (deviation * (count - 1))
            share = share.masked_fill(deviation == 0, 0.0)  # nothing to scale: x^ is 0
        else:
            rate = torch.rsqrt(squares / count + EPS)
            share = torch.full_like(rate, 1 / count)
        ctx.save_for_backward(x, weight, bias, mean, rate, share)
        ctx.dims = dims
        scale = weight.float() * rate
        return torch.addcmul(bias.float() - mean * scale, wide, scale).to(x.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of x, weight and bias."""
        x, weight, bias, mean, rate, share = ctx.saved_tensors
        gradient = gradients[0].float()
        standard = (x.float() - mean) * rate
        to_bias = gradient.sum(CELLS, keepdim=True)
        to_weight = (gradient * standard).sum(CELLS, keepdim=True)
        scale = weight.float()
        sums = to_bias * scale, to_weight * scale
        if ctx.dims == IMAGE:
            sums = sums[0].sum(1, keepdim=True), sums[1].sum(1, keepdim=True)
        count = x.numel() // mean.numel()
        to_x = standard.mul_(-rate * share * sums[1]).sub_(rate * sums[0] / count)
        to_x.addcmul_(gradient, scale * rate)
        return (
            to_x.to(x.dtype),
            to_weight.sum_to_size(weight.shape).to(weight.dtype),
            to_bias.sum_to_size(bias.shape).to(bias.dtype),
            None,
        )


def instance_norm(x: Tensor) -> Tensor:
    """Every channel of every image (N, C, h, w) to mean 0 and (biased) variance 1."""
    one = x.new_ones(1, 1, 1, 1, dtype=torch.float32)
    return Standardise.apply(x, one, torch.zeros_like(one), CELLS)


def adain(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Adaptive instance norm: each channel gets the mean ``bias`` and the deviation ``|weight|``.

    Shape:
        x (N, C, h, w); weight and bias (N, C): ``weight`` multiplies directly, it is no 1 + weight.

    Source:
        Huang and Belongie, arXiv 1703.06868, Eq. 8.

    Example:
        >>> x = torch.tensor([[[[0.0, 2.0, 4.0, 6.0]]]])
        >>> y = adain(x, torch.tensor([[3.0]]), torch.tensor([[1.0]]))
        >>> y.mean(), y.std(correction=0)
        (tensor(1.), tensor(3.0000))
    """
    return Standardise.apply(x, weight[..., None, None], bias[..., None, None], CELLS)


class LayerNorm(nn.Module):
    """Every image to mean 0 and deviation 1 over all its numbers, then an affine map per channel.

    Args:
        channels: C.

    Shape:
        (N, C, h, w) -> (N, C, h, w).

    Source:
        MUNIT (arXiv 1804.04732), as DG-Net's code uses it: unbiased deviation, 1e-5 added to it,
        gamma starts from U(0, 1). Departure: per image in every precision; the released fp16 path
        takes the statistics of the whole batch.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """The norm."""
        return Standardise.apply(
            x, self.gamma.view(1, -1, 1, 1), self.beta.view(1, -1, 1, 1), IMAGE
        )
