"""Networks whose tensors have other names, or another layout, than timm's: brought into timm's.

CLIP's image towers in OpenAI's names (CLIP-ReID's files) and Swin transformers in those of the
mm libraries (SOLIDER's files) or of their authors. What stands before the names is kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

# (?P<front>...) is what stands before; \g<front> puts it there again
_FRONT = r"^(?P<front>(?:.*\.)?)"
_CLIP = (
    (r"conv1\.weight$", "patch_embed.proj.weight"),
    (r"class_embedding$", "cls_token"),
    (r"positional_embedding$", "pos_embed"),
    (r"ln_pre\.(\w+)$", r"norm_pre.\g<2>"),
    (r"ln_post\.(\w+)$", r"norm.\g<2>"),
    (r"transformer\.resblocks\.(\d+)\.ln_([12])\.(\w+)$", r"blocks.\g<2>.norm\g<3>.\g<4>"),
    (r"transformer\.resblocks\.(\d+)\.attn\.in_proj_(\w+)$", r"blocks.\g<2>.attn.qkv.\g<3>"),
    (r"transformer\.resblocks\.(\d+)\.attn\.out_proj\.(\w+)$", r"blocks.\g<2>.attn.proj.\g<3>"),
    (r"transformer\.resblocks\.(\d+)\.mlp\.c_fc\.(\w+)$", r"blocks.\g<2>.mlp.fc1.\g<3>"),
    (r"transformer\.resblocks\.(\d+)\.mlp\.c_proj\.(\w+)$", r"blocks.\g<2>.mlp.fc2.\g<3>"),
)
_SWIN = (
    (r"patch_embed\.projection\.(\w+)$", r"patch_embed.proj.\g<2>"),
    (r"stages\.(\d+)\.blocks\.(\d+)\.attn\.w_msa\.(.+)$", r"layers.\g<2>.blocks.\g<3>.attn.\g<4>"),
    (
        r"stages\.(\d+)\.blocks\.(\d+)\.ffn\.layers\.0\.0\.(\w+)$",
        r"layers.\g<2>.blocks.\g<3>.mlp.fc1.\g<4>",
    ),
    (
        r"stages\.(\d+)\.blocks\.(\d+)\.ffn\.layers\.1\.(\w+)$",
        r"layers.\g<2>.blocks.\g<3>.mlp.fc2.\g<4>",
    ),
    (r"stages\.(\d+)\.blocks\.(\d+)\.(norm[12]\.\w+)$", r"layers.\g<2>.blocks.\g<3>.\g<4>"),
    (r"stages\.(\d+)\.downsample\.(.+)$", r"layers.\g<2>.downsample.\g<3>"),
    (r"norm3\.(\w+)$", r"norm.\g<2>"),
)


def in_timms_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with timm's names and layouts; one of no such family is as it was.

    Args:
        tensors: of a file; of CLIP also the text tower, which keeps its names.

    Example:
        >>> import torch
        >>> clip = {"image_encoder.class_embedding": torch.zeros(8),
        ...         "image_encoder.ln_post.weight": torch.zeros(8)}
        >>> {name: tuple(value.shape) for name, value in in_timms_names(clip).items()}
        {'image_encoder.cls_token': (1, 1, 8), 'image_encoder.norm.weight': (8,)}
    """
    if any(name.rpartition(".")[2] == "class_embedding" for name in tensors):
        return dict(_clip(name, value) for name, value in tensors.items())
    if any(".attn.w_msa." in name for name in tensors):
        return dict(_swin(name, value) for name, value in tensors.items())
    if any(re.search(r"(^|\.)layers\.0\.downsample\.", name) for name in tensors):
        return {_next_stage(name): value for name, value in tensors.items()}
    return dict(tensors)


def _clip(name: str, value: Tensor) -> tuple[str, Tensor]:
    if name.startswith(("text_encoder.", "prompt_learner.")):
        return name, value
    new = _renamed(name, _CLIP)
    if new.endswith("cls_token"):
        return new, value.reshape(1, 1, -1)
    return new, value[None] if new.endswith("pos_embed") and value.ndim == 2 else value


def _swin(name: str, value: Tensor) -> tuple[str, Tensor]:
    """The mm libraries' names, and the order in which they join four pixels."""
    new = _next_stage(_renamed(name, _SWIN))
    if ".downsample." in new:
        value = _unfolded(value)
    return new, value


def _next_stage(name: str) -> str:
    """Where timm has what halves the map: at the beginning of the next stage."""
    return re.sub(r"(?<=layers\.)(\d+)(?=\.downsample\.)", lambda m: str(int(m[1]) + 1), name)


def _unfolded(value: Tensor) -> Tensor:
    """Inputs of a patch merging, ordered (channel, row, column) there, (column, row, channel) here.

    Source:
        ``torch.nn.Unfold`` puts the channel first; Liu et al.'s slices, and timm's, put it last.
    """
    parts = value.unflatten(-1, (-1, 2, 2))
    return parts.transpose(-1, -3).flatten(-3).contiguous()


def _renamed(name: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, new in rules:
        found = re.match(_FRONT + pattern, name)
        if found:
            return found.expand(r"\g<front>" + new)
    return name
