"""What the processor can do."""

from __future__ import annotations

import torch


def has_bf16_units() -> bool:
    """Whether the CPU multiplies bfloat16 numbers faster than float32 (AVX512-BF16 or AMX).

    Example:
        >>> has_bf16_units() in (True, False)
        True
    """
    if torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2"):
        return False  # it has none, or torch is held not to use them
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
