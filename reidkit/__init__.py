"""reidkit: person re-identification in which every paper is a plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reidkit.version import PLUGIN_API, __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reidkit.engine.extractor import Extractor

__all__ = ["PLUGIN_API", "__version__", "load"]


def load(
    model: str | Path, overrides: Sequence[str] = (), weights: str | Path | None = None
) -> Extractor:
    """A finished run or a ready network as an extractor: images in, embeddings out.

    Args:
        model: a run folder, which may come from a stranger (``docs/security.md``); or a network
            ("osnet_x0_25", "timm/vit_small_patch14_dinov2", "hf://<owner>/<name>").
        overrides: of its config, as on the command line ("settings.device=cpu").
        weights: file of a network (``docs/weights.md``).

    Returns:
        ``reidkit.engine.extractor.Extractor``.

    Example:
        >>> extractor = load("osnet_x0_25", weights="osnet_x0_25_msmt17.pth")  # doctest: +SKIP
        >>> extractor(list_of_rgb_crops).vectors.shape                         # doctest: +SKIP
        torch.Size([8, 1, 512])
    """
    from reidkit.engine.extractor import Extractor  # heavy, and not everyone wants it

    return Extractor(model, overrides, weights)
