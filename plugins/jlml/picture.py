"""The selected features as a picture.

Shapes: D outputs, S stripes, C input dimensions of each.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from reidkit.utils.io import atomic_write
from reidkit.viz.curves import COLOURS

from .sparsity import column_norms, share_off, stripe_shares

BELOW = 0.1  # of the largest column norm: what counts as off


@torch.no_grad()
def draw_selection(path: str | Path, weights: Mapping[str, Tensor]) -> None:
    """Draw sorted column norms of every feature layer, and the weight on each stripe.

    Args:
        path: of the PNG file.
        weights: feature layers by branch.

    Shape:
        each layer (D, S, C).

    Raises:
        ValueError: no layers.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "selection.png"
        >>> draw_selection(target, {"global": torch.rand(4, 1, 8), "local": torch.rand(4, 2, 8)})
        >>> target.read_bytes()[1:4]
        b'PNG'
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not weights:
        raise ValueError("draw_selection needs at least one feature layer")
    layers = {name: weight.detach().cpu() for name, weight in weights.items()}
    striped = [name for name, weight in layers.items() if weight.shape[1] > 1]
    panels = len(layers) + len(striped)
    figure = Figure(figsize=(4.6 * panels, 4.2), dpi=120, layout="constrained")
    axes = list(figure.subplots(1, panels, squeeze=False)[0])
    for name, weight in layers.items():
        _norms(axes.pop(0), name, weight)
    for name in striped:
        _shares(axes.pop(0), name, layers[name])
    memory = io.BytesIO()
    FigureCanvasAgg(figure).print_png(memory)
    with atomic_write(path) as file:
        file.write(memory.getvalue())


def _norms(axes, name: str, weight: Tensor) -> None:
    """Column norms of one layer, largest first, a line for each stripe."""
    norms = column_norms(weight).sort(1, descending=True).values
    for stripe, values in enumerate(norms):
        label = f"stripe {stripe + 1}" if len(norms) > 1 else None
        places = range(1, len(values) + 1)
        axes.plot(places, values, color=COLOURS[1 + stripe % 7], linewidth=1.8, label=label)
    axes.axhline(BELOW * float(norms.max()), color="#999999", linewidth=1, linestyle="--")
    axes.set(
        title=f"{name} feature layer: {100 * share_off(weight, BELOW):.0f}% of "
        f"{norms.numel()} inputs off",
        xlabel="input dimensions, most used first",
        ylabel="norm of the column",
    )
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.annotate(
        f"{BELOW:g} of the largest",
        (0, BELOW * float(norms.max())),
        xycoords=("axes fraction", "data"),
        xytext=(4, 3),
        textcoords="offset points",
        color="#666666",
        fontsize=8,
    )
    if len(norms) > 1:
        axes.legend(frameon=False)


def _shares(axes, name: str, weight: Tensor) -> None:
    """Share of the absolute weight on each stripe, the top one on top, as in the image."""
    shares = 100 * stripe_shares(weight)
    stripes = range(1, len(shares) + 1)
    colours = [COLOURS[1 + stripe % 7] for stripe in range(len(shares))]
    axes.barh(stripes, shares, color=colours)
    axes.axvline(100 / len(shares), color="#999999", linewidth=1, linestyle="--")
    for stripe, share in zip(stripes, shares.tolist(), strict=True):
        axes.text(0, stripe, f"  {share:.1f}%", va="center", fontsize=10, color="white")
    axes.set(
        title=f"{name} feature layer: weight by stripe",
        xlabel="share of the absolute weight, percent",
        yticks=list(stripes),
        yticklabels=[f"stripe {stripe}" for stripe in stripes],
    )
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
