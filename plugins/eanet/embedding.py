"""Per-part embedding and classification.

Shapes: N images, C channels, P parts, D dims, K identities.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class PartLinear(nn.Module):
    """P independent ``nn.Linear``, one per part, in one batched multiplication.

    Args:
        parts: number of layers P.
        inputs: width of every input.
        outputs: width of every output.
        std: weights are drawn from N(0, std) and the bias is 0; None: as ``nn.Linear`` does.

    Shape:
        vectors (N, P, inputs), returns (N, P, outputs).

    Example:
        >>> PartLinear(9, 2048, 256)(torch.zeros(4, 9, 2048)).shape
        torch.Size([4, 9, 256])
    """

    def __init__(self, parts: int, inputs: int, outputs: int, std: float | None = None):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(parts, outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(parts, outputs))
        if std is None:
            bound = 1 / math.sqrt(inputs)
            nn.init.uniform_(self.weight, -bound, bound)
            nn.init.uniform_(self.bias, -bound, bound)
        else:
            nn.init.normal_(self.weight, std=std)

    def forward(self, vectors: Tensor) -> Tensor:
        """Part p of every image through layer p."""
        by_part = vectors.transpose(0, 1)  # [P,N,inputs]
        return torch.baddbmm(self.bias[:, None], by_part, self.weight.mT).transpose(0, 1)


class PartEmbedding(nn.Module):
    """An embedding and an identity classifier for every part; nothing is shared between parts.

    Part p: Linear(channels -> dim), BatchNorm, ReLU gives the embedding; Linear(dim -> K) on it the
    logits. An invisible part enters as the zero vector and takes part in the batch statistics.

    Args:
        channels: width C of the pooled vectors.
        parts: number of parts P.
        dim: width D of an embedding.
        num_identities: number of identities K in training.

    Shape:
        pooled (N, P, C), returns embedding (N, P, D), never negative, and logits (N, P, K), or
        None in evaluation.

    Source:
        EANet, arXiv 1812.11369, Fig. 2 and 4.2. Classifiers start from N(0, 0.001), bias 0.

    Example:
        >>> vectors, logits = PartEmbedding(16, 9, 8, 5)(torch.rand(2, 9, 16))
        >>> vectors.shape, logits.shape
        (torch.Size([2, 9, 8]), torch.Size([2, 9, 5]))
    """

    def __init__(self, channels: int, parts: int, dim: int, num_identities: int):
        super().__init__()
        self.linear = PartLinear(parts, channels, dim)
        self.norm = nn.BatchNorm1d(parts * dim)  # = P times BatchNorm1d(dim)
        self.classifier = PartLinear(parts, dim, num_identities, std=0.001)

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor | None]:
        """Embedding of every part and, in training, its identity logits."""
        vectors = self.linear(pooled)
        vectors = self.norm(vectors.flatten(1)).relu().view_as(vectors)
        return vectors, self.classifier(vectors) if self.training else None
