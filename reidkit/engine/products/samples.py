"""Pictures that a model draws of itself while it is trained."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from mmengine.dist import is_main_process

from reidkit.engine.build import unwrapped
from reidkit.errors import UserError
from reidkit.registry import HOOKS
from reidkit.utils.io import atomic_write


@HOOKS.register_module()
class SampleHook:
    """Gives a model's own pictures of a few fixed training crops to the visualiser and to a folder.

    The crops are of different identities, the same ones every time, so that pictures of different
    epochs can be compared. Each picture goes to ``samples/<name>_<iteration>.png`` in the run
    folder and to mmengine's visualiser under ``samples/<name>``.

    Args:
        interval: epochs between two pictures; the last epoch always gives one.
        count: number of crops.

    Raises:
        ValueError: ``interval`` or ``count`` below 1.
        UserError: a model without ``draw_samples``.
    """

    priority = "VERY_LOW"  # after the epoch's own line

    def __init__(self, interval: int = 1, count: int = 8):
        if interval < 1 or count < 1:
            raise ValueError(f"interval and count must be at least 1, got {interval} and {count}")
        self.interval, self.count = interval, count

    def before_train(self, runner) -> None:
        """Choose the crops: one each of identities spread over the training set."""
        model = unwrapped(runner.model)
        if not hasattr(model, "draw_samples"):
            raise UserError(
                f"SampleHook: {type(model).__name__} draws no samples; leave the hook out of hooks"
            )
        self.model, dataset = model, runner.train_dataloader.dataset
        known, first = np.unique(dataset.identities, return_index=True)
        chosen = np.linspace(0, len(known) - 1, min(self.count, len(known))).astype(int)
        self.batch = dataset.__getitems__(first[chosen].tolist())

    def after_train_epoch(self, runner) -> None:
        """Draw when due."""
        last = runner.epoch + 1 == runner.max_epochs
        if not is_main_process() or not (last or (runner.epoch + 1) % self.interval == 0):
            return
        for name, picture in self.model.draw_samples(self.batch).items():
            runner.visualizer.add_image(f"samples/{name}", picture, step=runner.iter)
            done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            assert done
            place = Path(runner.work_dir, "samples", f"{name}_{runner.iter:06d}.png")
            with atomic_write(place) as file:
                file.write(data.tobytes())
