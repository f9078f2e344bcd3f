"""What a run says at its beginning and its end: what it uses, the table, what to type next."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from reidkit.config import stage_configs
from reidkit.config.load import has_recipe
from reidkit.engine.evaluate import TestRun
from reidkit.utils.commands import cli_command, pages
from reidkit.utils.progress import clock
from reidkit.utils.threads import busy_machine

METRICS = ("mAP", "R1", "R5", "R10", "mINP", "mAP_official")  # columns of the table
# what makes a number comparable, as far as the evaluator says it
RULES = (
    "protocol", "matcher", "policy", "n_trials", "n_junk", "spread", "bounds", "verification",
    "camera_pairs", "intervals",
)  # fmt: skip


def opening(cfg: Config, folder: Path, device: torch.device, precision: str) -> str:
    """The run's first lines: what it uses and what it will write."""
    plugins = ", ".join(cfg.get("plugins", [])) or "none"
    epochs = " + ".join(str(stage.train.epochs) for stage in stage_configs(cfg))
    busy = busy_machine(torch.get_num_threads()) if device.type == "cpu" else ""
    return (f"{busy}\n" if busy else "") + (
        f"data    {cfg.data.name} (data={cfg.groups.data}), folder {cfg.settings.data_root}\n"
        f"recipe  {cfg.groups.recipe}: {epochs} epochs of batches of "
        f"{cfg.train.batch_size}, input {'x'.join(map(str, cfg.input.size))}\n"
        f"device  {device}, {precision}; plugins: {plugins}; seed {cfg.settings.seed}\n"
        f"writes  {folder}"
    )


def closing(cfg: Config, folder: Path, seconds: Mapping[str, float]) -> str:
    """The run's last lines, below the table: where everything lies, and what to run next.

    Args:
        cfg: the resolved config.
        folder: the run folder.
        seconds: how long each step took.
    """
    times = ", ".join(f"{name} {clock(value)}" for name, value in seconds.items())
    lines = ["", f"time    {times}", f"run     {folder}"]
    lines.append(f"again   {cli_command('test')} {folder}")
    if cfg.groups.recipe == "quick" and has_recipe(cfg.source, "paper"):
        lines.append(
            f"paper   {cli_command('train')} {cfg.source} recipe=paper "
            f"data={cfg.data.get('real', cfg.groups.data)}   "
            + pages("(needs a GPU and the real data: docs/data.md)")
        )
    return "\n".join(lines)


def table(tests: list[TestRun], trained_on: str, header: str = "trained on") -> str:
    """The result table that ends a run, in percent.

    Args:
        tests: of ``evaluate``.
        trained_on: name of the data the model was trained on, or what else it comes from.
        header: of its column.
    """
    columns = [n for n in METRICS if any(n in test.result.metrics for test in tests)]
    rows = [[header, "tested on", *columns, "queries", "gallery"]]
    for test in tests:
        cells = [_cell(test.result, name) for name in columns]
        queries = f"{test.result.n_valid}/{test.result.n_query}"
        rows.append([trained_on, test.query.dataset, *cells, queries, str(len(test.gallery))])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _cell(result: Any, name: str) -> str:
    """A metric in percent with its standard deviation over trials; "-" where it is not defined."""
    if name not in result.metrics:
        return "-"
    spread = getattr(result, "spread", {}).get(name)
    return f"{100 * result.metrics[name]:.1f}" + ("" if spread is None else f"±{100 * spread:.1f}")


def numbers(tests: list[TestRun]) -> dict[str, dict]:
    """What ``metrics.json`` keeps of each test set: data, rules, counts, full-precision metrics."""
    return {
        test.domain: {
            "data": test.query.dataset,
            "query_fingerprint": test.query.fingerprint(),
            "gallery_fingerprint": test.gallery.fingerprint(),
            "n_query": test.result.n_query,
            "n_valid": test.result.n_valid,
            "n_gallery": len(test.gallery),
            "metrics": {name: float(value) for name, value in test.result.metrics.items()},
            **{name: rule for name in RULES if (rule := getattr(test.result, name, None))},
        }
        for test in tests
    }
