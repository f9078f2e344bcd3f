"""``docs/components.md``: every component with its options, and what runs on what."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping

from reidkit.cli.components import everything, first_sentence, options_rows
from reidkit.config.settings import resolve_settings
from reidkit.plugin import discover
from reidkit.registry import REGISTRIES
from reidkit.testing.matrix import AXES, Matrix, walk

INTRO = """\
# Components

Made by `python tools/docs.py components` from the registries of the core and the shipped plugins;
do not edit. `reidkit plugins show NAME` gives a component's whole documentation, `reidkit plugins
where NAME` its file and line. Each section begins with the contract of its kind. Networks of other
libraries go by name: `model.backbone=timm/convnext_tiny`, `torchvision/resnet50`,
`mmpretrain/resnet50_8xb32_in1k`.
"""

MEETINGS = """\
## What runs on what

Every combination of backbone, head, loss, sampler, matcher and evaluator, tried on images of
192 x 64 with default options; a number is the reason below its table. A combination runs when its
parts do, pair by pair; one that does not is refused with the same reason before any data is opened.
Backbones of libraries that reidkit does not install are left to the tests.
"""


def components_page() -> str:
    """The whole page."""
    shipped = [m for m in discover().plugins.values() if m.origin == "shipped"]
    names = everything(shipped)
    parts = [INTRO]
    for kind, registry in REGISTRIES.items():
        parts.append(f"## {kind.capitalize()}\n\n{_sentence(registry.__doc__ or '')}\n")
        parts.append(_table(kind, names[kind]))
    walked = {kind: [n for n in names[kind] if not _foreign(kind, n)] for kind in AXES}
    settings, _ = resolve_settings({}, [m.name for m in shipped])
    parts.append(MEETINGS)
    parts += _meetings(walk(walked, settings))
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _foreign(kind: str, name: str) -> bool:
    """Whether it needs a library that reidkit does not install."""
    return getattr(REGISTRIES[kind].get(name), "needs", None) is not None


def _sentence(text: str) -> str:
    return " ".join(text.split())


def _table(kind: str, names: Iterable[str]) -> str:
    rows = ["| name | what it is | options |", "|---|---|---|"]
    for name in names:
        component: Callable = REGISTRIES[kind].get(name)
        options = ", ".join(
            f"`{option}: {wanted}{f' = {default}' if default else ''}`"
            for option, wanted, default in options_rows(kind, component)
        )
        what = first_sentence(component)
        source = inspect.getmodule(component).__name__  # type: ignore[union-attr]
        rows.append(f"| `{name}` | {_cell(what)} (`{source}`) | {_cell(options) or 'none'} |")
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("``", "`")


def _meetings(matrix: Matrix) -> list[str]:
    """One table per contract at which components meet."""
    total = ran = 0
    for _, reason in matrix.combinations():
        total, ran = total + 1, ran + (not reason)
    sections = [f"Of {total:,} combinations {ran:,} run.\n"]
    names = matrix.names
    sections.append(_grid("head", "backbone", names["heads"], names["backbones"],
                       {(h, b): r for (b, h), r in matrix.in_head.items()}))  # fmt: skip
    for backbone in names["backbones"]:
        cells = {(l, h): r for (b, h, l), r in matrix.in_loss.items() if b == backbone}
        corner = f"loss, on {backbone}"
        sections.append(_grid(corner, "head", names["losses"], names["heads"], cells))
    first = names["backbones"][0]
    cells = {(m, h): r for (b, h, m), r in matrix.in_matcher.items() if b == first}
    sections.append(_grid("matcher", "head", names["matchers"], names["heads"], cells))
    met: dict[tuple[str, str], str] = {}
    for (_, m, e), reason in matrix.in_evaluator.items():
        met[e, m] = met.get((e, m), "") or reason
    sections.append(_grid("evaluator", "matcher", names["evaluators"], names["matchers"], met))
    cells = {(l, s): r for (s, l), r in matrix.in_batch.items()}
    cells |= {
        (l, s): reason
        for (kind, s), reason in matrix.build.items()
        if kind == "samplers" and reason
        for l in names["losses"]
    }
    sections.append(_grid("loss", "sampler", names["losses"], names["samplers"], cells))
    return sections


def _grid(
    corner: str,
    across: str,
    rows: Iterable[str],
    columns: Iterable[str],
    cells: Mapping[tuple[str, str], str],
) -> str:
    """A table of yes and numbered reasons."""
    heads = list(columns)
    lines = [
        f"| {corner} \\ {across} | " + " | ".join(f"`{name}`" for name in heads) + " |",
        "|---" * (len(heads) + 1) + "|",
    ]
    reasons: dict[str, int] = {}
    for row in rows:
        texts = []
        for column in heads:
            reason = cells.get((row, column))
            if reason is None:
                texts.append("-")
            else:
                texts.append(str(reasons.setdefault(reason, len(reasons) + 1)) if reason else "yes")
        lines.append(f"| `{row}` | " + " | ".join(texts) + " |")
    notes = [f"{number}. {_cell(reason)}" for reason, number in reasons.items()]
    return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"
