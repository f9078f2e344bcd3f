"""What a model's card says of it, gathered from the run, with nothing assumed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reidkit.engine.run import Run
from reidkit.errors import WRONG_CONTENT, UserError
from reidkit.evaluation.io.queries import read_queries
from reidkit.evaluation.metrics.intervals import bootstrap_intervals, per_query_metrics
from reidkit.plugin.discover import discover
from reidkit.utils.io import read_regular

METRICS = ("mAP", "R1", "R5", "mINP")


@dataclass(frozen=True)
class Facts:
    """What is known of a model.

    Attributes:
        network: backbone, head and matcher by their names.
        size: (height, width) of its input in pixels.
        parameters: number of its parameters.
        trained_on: data set and its fingerprint; empty where nobody says.
        recipe: of the training, and its seed.
        tests: test set -> what ``metrics.json`` keeps of it, with ``intervals``.
        papers: of the plugins, title and arXiv number.
        labels: that images have to bring, such as keypoints.
        licence: of the weights, as their owner states it.
        cite: BibTeX of the owner.
    """

    network: str
    size: tuple[int, int]
    parameters: int
    trained_on: str = ""
    recipe: str = ""
    tests: dict[str, dict[str, Any]] = field(default_factory=dict)
    papers: tuple[tuple[str, str], ...] = ()
    labels: tuple[str, ...] = ()
    licence: str = ""
    cite: str = ""


def facts_of(run: Run, licence: str = "", cite: str = "") -> Facts:
    """The facts of a run.

    Args:
        run: opened, with a model.
        licence, cite: see ``Facts``.

    Raises:
        UserError: a ``metrics.json`` that is none.
    """
    kept = _metrics(run.folder)
    model, cfg = run.model, run.cfg
    names = [model_part["type"] for key in ("backbone", "head", "matcher")
             if (model_part := cfg.model.get(key))]  # fmt: skip
    trained = kept.get("trained_on", "")
    if print_of := kept.get("trained_on_fingerprint"):
        trained += f", fingerprint {print_of[:16]}"
    recipe = f"recipe {cfg.groups.recipe}, seed {kept.get('seed')}" if kept else ""
    tests = {n: _with_intervals(run.folder, n, one) for n, one in kept.get("tests", {}).items()}
    manifests = discover().plugins
    papers = (manifests[name].paper for name in cfg.get("plugins", []))
    return Facts(
        f"{cfg.model.type}: {', '.join(names)}",
        (int(cfg.input.size[0]), int(cfg.input.size[1])),
        sum(parameter.numel() for parameter in model.parameters()),
        trained,
        recipe,
        tests,
        tuple((p.get("title", ""), str(p.get("arxiv", ""))) for p in papers if p),
        tuple(run.domains.plan.test),
        licence,
        cite,
    )


def _metrics(folder: Path) -> dict[str, Any]:
    file = folder / "metrics.json"
    if not file.is_file():
        return {}
    try:
        kept = json.loads(read_regular(file))
        if all(isinstance(one["metrics"], dict) for one in kept["tests"].values()):
            return kept
    except (OSError, *WRONG_CONTENT):
        pass
    raise UserError(f"{file}: no numbers of a run; move it away to save the model without them")


def _with_intervals(folder: Path, name: str, test: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a test with their 95 % bootstrap intervals over queries."""
    file = folder / f"queries_{name}.csv"
    if test.get("intervals") or not file.is_file():
        return test
    values = per_query_metrics(read_queries(file), METRICS, test.get("policy", "drop"))
    return {**test, "intervals": bootstrap_intervals(values) if values else {}}
