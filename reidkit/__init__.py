"""reidkit: person re-identification in which every paper is a plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reidkit.version import PLUGIN_API, __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reidkit.engine.extractor import Extractor

__all__ = ["PLUGIN_API", "__version__", "load", "save"]


def load(
    model: str | Path, overrides: Sequence[str] = (), weights: str | Path | None = None
) -> Extractor:
    """A finished run, a saved model or a ready network as an extractor: images in, embeddings out.

    Args:
        model: a run folder or a saved model, which may come from a stranger (``docs/security.md``),
            here or at "hf://<owner>/<name>"; or a network ("osnet_x0_25",
            "timm/vit_small_patch14_dinov2").
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


def save(
    model: Any,
    folder: str | Path,
    licence: str = "",
    cite: str = "",
    replace: bool = False,
) -> Path:
    """Write a model as a folder of data that ``load`` opens anywhere (``docs/sharing.md``).

    Args:
        model: an extractor (``load``), or a run folder.
        folder: to write: config, weights, calibration and a card.
        licence: of the weights, for the card ("apache-2.0"); nothing is assumed.
        cite: BibTeX of the work to cite, for the card.
        replace: a saved model that lies there gives way.

    Returns:
        The folder.

    Example:
        >>> save("runs/eanet-pcb-synthped-quick-s0", "pcb", licence="mit")  # doctest: +SKIP
        >>> load("pcb")(list_of_rgb_crops).vectors.shape                    # doctest: +SKIP
        torch.Size([8, 6, 64])
    """
    from reidkit.engine.sharing.write import save_model  # heavy, and not everyone wants it

    return save_model(model, folder, licence, cite, replace)
