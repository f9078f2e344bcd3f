"""Charts as inline SVG, coloured by the page's style so that dark and light are one drawing.

Every chart is ``role="img"`` with a sentence that says what it shows; the page adds its numbers as
a table. All text goes through ``markupsafe``. Series differ by dash as well as by colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import ArrayLike, NDArray

from reidkit.report.axes import Axis, Series

WIDTH, HEIGHT = 400, 270
LEFT, RIGHT, TOP, BOTTOM = 60, 12, 14, 42  # left: the label, and numbers of six characters
DASHES = ("", "6 4", "2 3", "8 3 2 3")


def lines(
    series: Sequence[Series],
    x: Axis,
    y: Axis,
    description: str,
    marks: Sequence[tuple[str, float]] = (),
) -> Markup:
    """Curves over one x axis.

    Args:
        series: at most four, each with colour and dash of its own.
        x, y: axes.
        description: what the chart shows, for those who do not see it.
        marks: names and places of vertical lines.
    """
    parts = [_frame(x, y)]
    for number, one in enumerate(series):
        points = _points(one, x, y)
        dash = f' stroke-dasharray="{DASHES[number % 4]}"' if number % 4 else ""
        parts.append(f'<path class="line s{number % 4}"{dash} d="{_path(points)}"/>')
    parts += [_mark(name, value, x, place) for place, (name, value) in enumerate(marks)]
    return _svg(parts, description)


def bars(
    edges: NDArray,
    heights: Sequence[tuple[str, NDArray]],
    x: Axis,
    y: Axis,
    description: str,
    marks: Sequence[tuple[str, float]] = (),
) -> Markup:
    """Histograms over common bars, half transparent.

    Args:
        edges: (B + 1,) of the bars.
        heights: names and (B,) heights, at most four.
        x, y: axes.
        description: what the chart shows.
        marks: names and places of vertical lines.
    """  # fmt: skip
    parts = [_frame(x, y)]
    across = _across(x)(edges)
    for number, (_, values) in enumerate(heights):
        tops = _down(y)(values)
        path = [f"M{across[0]:.1f} {HEIGHT - BOTTOM}"]
        for left, right, top in zip(across[:-1], across[1:], tops, strict=True):
            path.append(f"L{left:.1f} {top:.1f}L{right:.1f} {top:.1f}")
        path.append(f"L{across[-1]:.1f} {HEIGHT - BOTTOM}Z")
        parts.append(f'<path class="area s{number % 4}" d="{"".join(path)}"/>')
    parts += [_mark(name, value, x, place) for place, (name, value) in enumerate(marks)]
    return _svg(parts, description)


def matrix(
    rows: Sequence[str], columns: Sequence[str], values: NDArray, description: str, x: str, y: str
) -> Markup:
    """A table of shares as coloured cells with their numbers in percent.

    Args:
        rows, columns: names.
        values: (rows, columns) in [0, 1]; NaN leaves a cell empty.
        description: what the chart shows.
        x, y: what columns and rows are.
    """
    size = max(14.0, min(44.0, 330 / max(len(columns), 1)))
    width, height = 60 + size * len(columns), 46 + size * len(rows)
    turn = f"translate(12 {40 + size * len(rows) / 2:.0f}) rotate(-90)"
    parts = [
        _text(x, f'x="{60 + size * len(columns) / 2:.0f}" y="12" class="name"'),
        _text(y, f'transform="{turn}" class="name"'),
        *(_text(n, f'x="{60 + size * (j + 0.5):.1f}" y="32"') for j, n in enumerate(columns)),
    ]
    for i, name in enumerate(rows):
        top = 40 + size * i
        middle = top + size / 2 + 4
        parts.append(_text(name, f'x="54" y="{middle:.1f}"', "end"))
        parts += [
            _cell(float(value), 60 + size * j, top, size) for j, value in enumerate(values[i])
        ]
    return _svg(parts, description, width, height)


def _cell(value: float, left: float, top: float, size: float) -> str:
    """One cell of a matrix with its number; an empty one for NaN."""
    place = f'x="{left:.1f}" y="{top:.1f}" width="{size:.1f}" height="{size:.1f}"'
    if not math.isfinite(value):
        return f'<rect {place} class="empty"/>'
    middle = f'x="{left + size / 2:.1f}" y="{top + size / 2 + 4:.1f}"'
    number = _text(f"{100 * value:.0f}", f'{middle} font-size="{min(12.0, size * 0.4):.1f}"')
    return f'<rect {place} class="cell" fill-opacity="{0.06 + 0.5 * value:.3f}"/>{number}'


def _text(words: str, place: str, anchor: str = "middle") -> str:
    return f'<text {place} text-anchor="{anchor}">{escape(words)}</text>'


def scatter(
    points: NDArray, groups: NDArray, names: Sequence[str], filled: NDArray, description: str
) -> Markup:
    """Points in the plane; each says its group, so that the page can show one group alone.

    Args:
        points: (M, 2) in [0, 1].
        groups: (M,) number of the group, which chooses the colour.
        names: of the groups.
        filled: (M,) drawn as discs, the others as rings.
        description: what the chart shows.
    """
    parts = []
    for (x, y), group, full in zip(points, groups.tolist(), filled, strict=True):
        hue = round(360 * ((group * 0.61803398875) % 1))
        kind = "disc" if full else "ring"
        parts.append(
            f'<circle cx="{10 + 380 * x:.1f}" cy="{10 + 280 * y:.1f}" r="{4.2 if full else 3.4}" '
            f'class="{kind}" style="--hue:{hue}" data-group="{group}">'
            f"<title>{escape(names[group])}</title></circle>"
        )
    return _svg(parts, description, 400, 300)


def correspondences(
    pictures: tuple[str, str],
    pairs: Sequence[tuple[float, float, float, float, float]],
    description: str,
) -> Markup:
    """Two crops side by side with lines between places that belong together.

    Args:
        pictures: data URIs.
        pairs: (x, y) in the first and in the second crop, each in [0, 1], and a strength in [0, 1].
        description: what the picture shows.
    """  # fmt: skip
    width, height, gap = 80, 200, 60
    parts = [
        f'<image href="{escape(uri)}" x="{left}" width="{width}" height="{height}" '
        'preserveAspectRatio="none"/>'
        for uri, left in zip(pictures, (0, width + gap), strict=True)
    ]
    for x, y, other_x, other_y, strength in pairs:
        parts.append(
            f'<line x1="{width * x:.1f}" y1="{height * y:.1f}" '
            f'x2="{width + gap + width * other_x:.1f}" y2="{height * other_y:.1f}" '
            f'stroke="hsl({280 * y:.0f} 85% 55%)" stroke-width="{0.8 + 2 * strength:.1f}"/>'
        )
    return _svg(parts, description, 2 * width + gap, height)


def _across(x: Axis) -> Callable[[ArrayLike], NDArray]:
    return lambda values: LEFT + (WIDTH - LEFT - RIGHT) * np.clip(x.share(values), 0, 1)


def _down(y: Axis) -> Callable[[ArrayLike], NDArray]:
    inner = HEIGHT - TOP - BOTTOM
    return lambda values: TOP + inner * (1 - np.clip(y.share(values), 0, 1))


def _points(one: Series, x: Axis, y: Axis) -> NDArray[np.float64]:
    across, down = np.asarray(one.x, np.float64), np.asarray(one.y, np.float64)
    known = np.isfinite(across) & np.isfinite(down)
    return np.stack([_across(x)(across[known]), _down(y)(down[known])], 1)


def _path(points: NDArray) -> str:
    return "".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(points))


def _frame(x: Axis, y: Axis) -> str:
    """Grid, numbers and names of both axes."""
    bottom, parts = HEIGHT - BOTTOM, []
    for value, text in x.ticks():
        at = float(_across(x)(value))
        parts.append(f'<path class="grid" d="M{at:.1f} {TOP}V{bottom}"/>')
        parts.append(f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{text}</text>')
    for value, text in y.ticks():
        at = float(_down(y)(value))
        parts.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{text}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text class="name" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">'
        f"{escape(x.label)}</text>"
    )
    parts.append(
        f'<text class="name" transform="translate(12 {(TOP + bottom) / 2}) rotate(-90)" '
        f'text-anchor="middle">{escape(y.label)}</text>'
    )
    return "".join(parts)


def _mark(name: str, value: float, x: Axis, place: int) -> str:
    """A vertical line with its name, each name on a line of its own."""
    at = float(_across(x)(value))
    right = at > WIDTH / 2
    anchor, shift = ("end", -4) if right else ("start", 4)
    return (
        f'<path class="mark" d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
        f'<text class="marked" x="{at + shift:.1f}" y="{TOP + 11 + 13 * place}" '
        f'text-anchor="{anchor}">{escape(name)}</text>'
    )


def _svg(
    parts: Sequence[str], description: str, width: float = WIDTH, height: float = HEIGHT
) -> Markup:
    return Markup(
        f'<svg class="chart" role="img" aria-label="{escape(description)}" '
        f'viewBox="0 0 {width:g} {height:g}" style="max-width:{1.5 * width:.0f}px">'
        f"{''.join(parts)}</svg>"
    )
