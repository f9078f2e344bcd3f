"""The modules of the core that register components; imported where a config is checked or built."""

from __future__ import annotations

import importlib

MODULES = (
    "reidkit.models",
    "reidkit.data",
    "reidkit.synthped.reader",
    "reidkit.synthped.video_reader",
    "reidkit.evaluation",
    "reidkit.pose",
    "reidkit.engine.hooks",
    "reidkit.engine.refresh",
    "reidkit.engine.products.image_quality_hook",
    "reidkit.engine.products.samples",
)


def import_core() -> None:
    """Fill the registries with the core's own components; cheap when called again."""
    for module in MODULES:
        importlib.import_module(module)
