"""Memory for blocks of distances."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

MEGABYTE = 1 << 20


def empty(*shape: int, device: torch.device | str = "cpu") -> Tensor:
    """Float32 memory that is not filled, for blocks that are written again and again.

    On the CPU it is numpy's, which asks the system for large pages: products into it are some
    percent faster. They cost more at first touch when main memory is in pieces, so memory that is
    written once is better torch's.
    """
    if torch.device(device).type == "cpu":
        return torch.from_numpy(np.empty(shape, np.float32))
    return torch.empty(shape, device=device)
