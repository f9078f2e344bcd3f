"""What the processor can do."""

from __future__ import annotations

import torch

from reidkit.errors import UserError


def has_bf16_units() -> bool:
    """Whether the CPU multiplies bfloat16 numbers faster than float32 (AVX512-BF16 or AMX).

    Example:
        >>> has_bf16_units() in (True, False)
        True
    """
    if torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2"):
        return False  # it has none, or torch is held not to use them
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def check_bf16(option: str) -> None:
    """Refuse products in bfloat16 where the CPU has no units for them.

    Such a product is computed number by number, ten times slower than in float32 and more.

    Args:
        option: what was asked for, for the message.

    Raises:
        UserError: the CPU has no bf16 units.

    Example:
        >>> check_bf16("settings.precision=bf16") if has_bf16_units() else None
    """
    if not has_bf16_units():
        raise UserError(
            f"{option}: this processor has no bf16 units and would be many times slower than in "
            "float32; use auto or fp32"
        )
