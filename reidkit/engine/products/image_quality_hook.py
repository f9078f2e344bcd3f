"""Image quality of a generative model while it is trained: a table and a picture over time."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from mmengine.dist import is_main_process

from reidkit.engine.build import unwrapped
from reidkit.engine.products.composites import Composer
from reidkit.engine.products.image_quality import ImageQuality, first_run
from reidkit.registry import HOOKS
from reidkit.utils.io import atomic_write
from reidkit.viz import panels


@HOOKS.register_module()
class ImageQualityHook:
    """Measures a generative model's composites of the training crops every few epochs.

    Each measurement is a row of ``image_quality.csv`` in the run folder, a point of
    ``image_quality.png`` and a scalar ``images/<number>`` of mmengine's visualiser. The numbers are
    those of `ImageQuality` (``image_quality.py``), which ``tools/generate.py RUN --quality``
    gives of the finished run. Training is as without the hook.

    Args:
        interval: epochs between two measurements; the last epoch is always measured.
        features: run folder for the re-id Frechet distance; by default the first run that the
            config needs (``prerequisites``), without one the distance is left out.
        inception: Inception weights of torch-fidelity, for the FID; None leaves it out.
        lpips: torchvision's AlexNet weights; None leaves LPIPS out.
        copies: composites per crop.

    Raises:
        ValueError: ``interval`` or ``copies`` below 1.
        UserError: a model that generates no images; torchmetrics or weights are missing.
    """

    priority = "VERY_LOW"  # after the epoch's own line

    def __init__(
        self,
        interval: int = 1,
        features: str | None = None,
        inception: str | None = None,
        lpips: str | None = None,
        copies: int = 1,
    ):
        if interval < 1 or copies < 1:
            raise ValueError(f"interval and copies must be at least 1, got {interval} and {copies}")
        self.interval, self.features = interval, features
        self.inception, self.lpips, self.copies = inception, lpips, copies

    def before_train(self, runner) -> None:
        """Refuse what cannot be measured; keep what a resumed run has measured."""
        model = unwrapped(runner.model)
        self.composer = Composer(model, runner.train_dataloader.dataset)
        self.table = Path(runner.work_dir, "image_quality.csv")
        self.rows: list[dict[str, float]] = []
        if not is_main_process():
            return
        features = self.features or first_run(runner.cfg.get("prerequisites", {}))
        self.quality = ImageQuality(features, self.inception, self.lpips, self.copies)
        if runner.iter and self.table.exists():
            kept = csv.DictReader(self.table.read_text().splitlines())
            rows = [{name: float(value) for name, value in row.items()} for row in kept]
            self.rows = [row for row in rows if row["iteration"] <= runner.iter]

    def after_train_epoch(self, runner) -> None:
        """Measure when due."""
        last = runner.epoch + 1 == runner.max_epochs
        if not is_main_process() or not (last or (runner.epoch + 1) % self.interval == 0):
            return
        numbers = self.quality.measure(self.composer)
        for name, value in numbers.items():
            runner.visualizer.add_scalar(f"images/{name}", value, step=runner.iter)
        self.rows.append({"iteration": runner.iter, **numbers})
        text = io.StringIO()
        lines = csv.DictWriter(text, list(self.rows[0]), lineterminator="\n")
        lines.writeheader()
        lines.writerows(self.rows)
        with atomic_write(self.table, "w") as file:
            file.write(text.getvalue())
        self._draw()
        print("images  " + "  ".join(f"{name} {value:.4g}" for name, value in numbers.items()))

    def _draw(self) -> None:
        """One panel per kind of number: Frechet distances, SSIM, LPIPS."""
        groups: dict[str, dict[str, list[float]]] = {}
        for name in list(self.rows[0])[1:]:
            kind = name.split()[0]
            title = kind if kind in ("SSIM", "LPIPS", "FID") else name
            label = name.removeprefix(kind).strip() if title == kind else ""
            groups.setdefault(title, {})[label or "composites"] = [row[name] for row in self.rows]
        iterations = [row["iteration"] for row in self.rows]
        panels(self.table.with_suffix(".png"), iterations, groups)
