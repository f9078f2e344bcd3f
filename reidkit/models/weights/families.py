"""What a file of weights holds: whose names they are, and of which network, for people to read.

A file that does not fit is refused, and its user wants to know what it is instead. Only names and
shapes are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

_CLASSIFIER = re.compile(
    r"(^|\.)_?(classifier(\.classifier\.0|\.\d)?|fc|head(\.fc)?|heads)\.weight$"
)
_DEPTHS: dict[tuple[int, ...], int] = {
    (1, 1, 1, 1): 10,
    (2, 2, 2, 2): 18,
    (3, 4, 6, 3): 34,
    (3, 4, 23, 3): 101,
    (3, 8, 36, 3): 152,
}
_SWINS = {(96, 6): "tiny", (96, 18): "small", (128, 18): "base", (192, 18): "large"}
_EXTRAS = {  # layers of ResNets by a part of their names
    ".IN.": "IBN",
    ".se.": "squeeze-and-excitation",
    "NL_": "non-local",
    ".conv2.fc1.": "split attention",
}

# who writes such names, the first that fits; torchvision, timm and others are told by the network
_WRITERS: tuple[tuple[str, str], ...] = (
    ("CLIP-ReID", r"^image_encoder\."),
    ("fast-reid", r"^heads\.|^backbone\.(?!.*^head\.)"),
    ("TransReID", r"^(base\.cls_token|base\.patch_embed|b[12]\.0\.|bottleneck_[1-4]\.)"),
    ("layumi", r"classifier\.add_block\."),
    ("torchreid", r"(^|\.)conv2\.0\.conv2"),
)


def writer_of(names: Mapping[str, Any]) -> str:
    """Who wrote a state dict, by the names in it.

    Args:
        names: of tensors, without prefixes that all of them have.

    Returns:
        "reidkit" (or mmpretrain: the same layout), "fast-reid", "torchreid", "TransReID" (SOLIDER's
        re-id files, too), "CLIP-ReID", "layumi", or "torchvision" for everything else.

    Example:
        >>> writer_of({"backbone.conv1.weight": 0, "heads.weight": 0})
        'fast-reid'
        >>> writer_of({"conv1.weight": 0, "classifier.weight": 0})
        'torchreid'
    """
    tops = {name.partition(".")[0] for name in names}
    if "backbone" in tops and "heads" not in tops and tops & {"head", "losses", "matcher"}:
        return "reidkit"
    for writer, pattern in _WRITERS:
        if any(re.search(pattern, name) for name in names):
            return writer
    # a ResNet whose classifier is called so is torchreid's
    return "torchreid" if {"conv1", "classifier"} <= tops else "torchvision"


def describe(tensors: Mapping[str, Tensor]) -> str:
    """The network of a state dict, as far as its names and shapes tell.

    Args:
        tensors: a state dict, with any prefixes.

    Example:
        >>> import torch
        >>> describe({"conv1.conv.weight": torch.zeros(16, 3, 7, 7),
        ...           "conv2.0.conv2a.conv1.weight": torch.zeros(16, 16, 1, 1),
        ...           "classifier.weight": torch.zeros(1041, 512)})
        "torchreid's OSNet x0.25 with 1,041 classes"
    """
    for known in (_osnet, _clip, _vit, _swin, _resnet, _efficientnet):
        if found := known(tensors):
            return found + _classes(tensors)
    first = ", ".join(list(tensors)[:3])
    return f"{len(tensors):,} tensors of an unknown network (first: {first})"


def describe_other(content: Mapping[str, Any]) -> str:
    """What a file holds that has no weights in it."""
    keys = ", ".join(map(repr, list(content)[:6])) or "nothing"
    if {"state", "param_groups"} <= set(content):
        return f"an optimizer's state (keys {keys})"
    if "optimizer" in content or "lr_scheduler" in content:
        return f"a training's checkpoint without its weights (keys {keys})"
    return f"a dict of {keys}"


def _last(tensors: Mapping[str, Tensor], ending: str) -> Tensor | None:
    """The first tensor whose name ends so, at a full part of the name."""
    hits = (t for n, t in tensors.items() if n == ending or n.endswith(f".{ending}"))
    return next(hits, None)


def _has(tensors: Mapping[str, Tensor], pattern: str) -> bool:
    return any(re.search(pattern, name) for name in tensors)


def _count(tensors: Mapping[str, Tensor], pattern: str) -> int:
    """How many different numbers stand at the group of a pattern."""
    return len({m[1] for name in tensors if (m := re.search(pattern, name))})


def _classes(tensors: Mapping[str, Tensor]) -> str:
    found = [t for n, t in tensors.items() if _CLASSIFIER.search(n) and t.ndim == 2]
    return f" with {found[-1].shape[0]:,} classes" if found else " without a classifier"


def _osnet(tensors: Mapping[str, Tensor]) -> str:
    listed = _has(tensors, r"conv2\.0\.conv2\.0\.layers\.")
    stem = _last(tensors, "conv1.conv.weight")
    if stem is None or not (listed or _has(tensors, r"conv2\.0\.conv2a\.")):
        return ""
    kind = "-AIN" if listed else "-IBN" if _has(tensors, r"conv2\.0\.IN\.") else ""
    return f"torchreid's OSNet{kind} x{stem.shape[0] / 64:g}"


def _clip(tensors: Mapping[str, Tensor]) -> str:
    token = _last(tensors, "class_embedding")
    if token is None:
        return ""
    blocks = _count(tensors, r"(?<!text_encoder\.)transformer\.resblocks\.(\d+)\.")
    return f"a CLIP image tower (ViT of width {token.shape[-1]}, {blocks} blocks)"


def _vit(tensors: Mapping[str, Tensor]) -> str:
    token, patch = _last(tensors, "cls_token"), _last(tensors, "patch_embed.proj.weight")
    blocks = _count(tensors, r"(?:^|\.)blocks\.(\d+)\.attn\.qkv\.weight")
    if patch is None or not blocks or _has(tensors, "relative_position_bias_table"):
        return ""
    kind = "" if token is not None else " without a class token"
    width, side = patch.shape[0], patch.shape[-1]
    return f"a ViT of width {width}, {blocks} blocks, patches of {side} pixels{kind}"


def _swin(tensors: Mapping[str, Tensor]) -> str:
    if not _has(tensors, "relative_position_bias_table"):
        return ""
    patch = _last(tensors, "patch_embed.proj.weight")
    patch = patch if patch is not None else _last(tensors, "patch_embed.projection.weight")
    width = 0 if patch is None else patch.shape[0]
    third = _count(tensors, r"(?:layers|stages)[._]2\.blocks\.(\d+)\.")
    size = _SWINS.get((width, third), f"of width {width}")
    return f"a Swin transformer, {size}"


def _resnet(tensors: Mapping[str, Tensor]) -> str:
    counts = tuple(_count(tensors, rf"layer{i}\.(\d+)\.conv1\.weight") for i in range(1, 5))
    if not counts[0]:
        return ""
    depth: Any = _DEPTHS.get(counts, "")
    if _has(tensors, r"layer1\.0\.conv3\.weight") and depth == 34:
        depth = 50
    name = f"ResNet-{depth}" if depth else f"ResNet of {'-'.join(map(str, counts))} blocks"
    kin = [word for mark, word in _EXTRAS.items() if any(mark in n for n in tensors)]
    return f"a {name}" + (f" with {' and '.join(kin)} layers" if kin else "")


def _efficientnet(tensors: Mapping[str, Tensor]) -> str:
    plain, others = _last(tensors, "conv_stem.weight"), _last(tensors, "_conv_stem.weight")
    if plain is None and others is None:
        return ""
    whose = "timm's" if others is None else "lukemelas'"
    return f"an EfficientNet or MobileNet in {whose} names"
