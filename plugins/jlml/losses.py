"""Two identity losses that nothing joins, and structured sparsity of the feature layers.

Shapes: N images, B branches, K identities; feature layers (D, S, C) as in ``sparsity``.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from reidkit.config.ranges import WHOLE
from reidkit.registry import LOSSES

from .sparsity import GROUPS, exclusive_group_lasso, group_lasso


@LOSSES.register_module()
class BranchLoss(nn.Module):
    """Cross-entropy of the identity on the logits of one branch alone.

    Args:
        branch: position of the branch in the logits: 0 global, 1 local.

    Shape:
        logits (N, B, K) float; identities (N,) int64 in [0, K); returns (), averaged over N.

    Raises:
        ValueError: logits without that branch, as under one joint loss or with one branch.

    Source:
        JLML, arXiv 1705.04724, 3.2: two losses of weight 1 on the same identities.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[[2.0, 0.0], [0.0, 0.0]]])
        >>> BranchLoss(0)(logits, torch.tensor([0])), BranchLoss(1)(logits, torch.tensor([0]))
        (tensor(0.1269), tensor(0.6931))
    """

    ranges = {"branch": WHOLE}

    def __init__(self, branch: int = 0):
        super().__init__()
        self.branch = branch

    def forward(self, logits: Tensor, identities: Tensor) -> Tensor:
        """The loss of one batch."""
        if logits.ndim != 3:
            raise ValueError(
                f"jlml/BranchLoss wants identity logits (N, branches, K), got {tuple(logits.shape)}"
            )
        if not 0 <= self.branch < logits.shape[1]:
            raise ValueError(
                f"jlml/BranchLoss(branch={self.branch}): the head gives logits of "
                f"{logits.shape[1]} branch(es); it wants model.backbone.branch=joint and "
                "model.head.loss=multi, other arms take CrossEntropyLoss"
            )
        own = logits[:, self.branch]
        return F.cross_entropy(own, identities)


class LayerLoss(nn.Module):
    """What the sparsity losses share: they look at one of the head's layers.

    Args:
        layer: name of the layer in the head's output.
    """

    def __init__(self, layer: str):
        super().__init__()
        self.layer = layer

    def _weight(self, layers: dict[str, Tensor]) -> Tensor:
        if self.layer not in layers:
            raise ValueError(
                f"jlml/{type(self).__name__}: the head has no layer {self.layer!r}; it has: "
                f"{', '.join(layers)}"
            )
        return layers[self.layer]


@LOSSES.register_module()
class GroupLasso(LayerLoss):
    """Group LASSO over the input dimensions of a feature layer: R_G = sum of column norms.

    Args:
        layer: name of the layer in the head's output ("global").

    Shape:
        layers[layer] (D, S, C); returns ().

    Raises:
        ValueError: the head has no such layer.

    Source:
        JLML, arXiv 1705.04724, 3.3; its weight, 5e-4, was not checked against the text.

    Example:
        >>> import torch
        >>> GroupLasso("global")({"global": torch.tensor([[[1.0, 2.0]], [[2.0, 0.0]]])})
        tensor(4.2361)
    """

    def __init__(self, layer: str):
        super().__init__(layer)

    def forward(self, layers: dict[str, Tensor]) -> Tensor:
        """The penalty."""
        return group_lasso(self._weight(layers))


@LOSSES.register_module()
class ExclusiveGroupLasso(LayerLoss):
    """Exclusive group LASSO of a feature layer: R_L = sum over groups of the squared l1 norm.

    Args:
        layer: name of the layer in the head's output ("local").
        group: what a group is: "output", each stripe of each output unit, or "stripe", each stripe
            over all output units. The paper's choice is not certain.

    Shape:
        layers[layer] (D, S, C); returns ().

    Raises:
        ValueError: unknown group; the head has no such layer.

    Source:
        JLML, arXiv 1705.04724, 3.3; its weight, 5e-4, was not checked against the text.

    Example:
        >>> import torch
        >>> ExclusiveGroupLasso("local")({"local": torch.tensor([[[1.0, 2.0]], [[2.0, 0.0]]])})
        tensor(13.)
    """

    def __init__(self, layer: str, group: str = "output"):
        super().__init__(layer)
        if group not in GROUPS:
            raise ValueError(f"group must be one of {GROUPS}, got {group!r}")
        self.group = group

    def forward(self, layers: dict[str, Tensor]) -> Tensor:
        """The penalty."""
        return exclusive_group_lasso(self._weight(layers), self.group)


@LOSSES.register_module()
class ElementLasso(LayerLoss):
    """Plain l1 norm of a feature layer, without groups: the loose reading of the local penalty.

    Args:
        layer: name of the layer in the head's output ("local").

    Shape:
        layers[layer] (D, S, C); returns ().

    Raises:
        ValueError: the head has no such layer.

    Source:
        A control: descriptions of JLML as "l1" suggest it. Not the paper's norm.

    Example:
        >>> import torch
        >>> ElementLasso("local")({"local": torch.tensor([[[1.0, -2.0]], [[2.0, 0.0]]])})
        tensor(5.)
    """

    def __init__(self, layer: str):
        super().__init__(layer)

    def forward(self, layers: dict[str, Tensor]) -> Tensor:
        """The penalty."""
        weight = self._weight(layers)
        return weight.abs().sum()
