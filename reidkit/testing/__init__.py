"""For tests, ours and other people's.

- ``fake_images``, ``fake_batch`` (with part labels), ``fake_video``, ``fake_domains``,
  ``fake_features``, ``fake_embedding``, ``fake_split``: seeded inputs of every kind;
  ``fake_supply``: what the framework supplies to a kind of component.
- ``check_component``: one component against the contract of its kind.
- ``check_plugin``: manifest, components, configs and documentation of a whole plugin.
- ``train_and_test``: a config trained and tested on the tiny SynthPed, in about a minute.
- ``reidkit.testing.fixtures``: pytest fixtures (``tiny_synthped``).
"""

from reidkit.testing.contracts import check_component
from reidkit.testing.documentation import documentation_problems
from reidkit.testing.fakes import (
    fake_batch,
    fake_domains,
    fake_embedding,
    fake_features,
    fake_images,
    fake_split,
    fake_video,
)
from reidkit.testing.plugins import Report, check_plugin, use_plugin
from reidkit.testing.requirements import ContractError
from reidkit.testing.short_run import ShortRun, train_and_test
from reidkit.testing.supply import fake_supply

__all__ = [
    "ContractError",
    "Report",
    "ShortRun",
    "check_component",
    "check_plugin",
    "documentation_problems",
    "fake_batch",
    "fake_domains",
    "fake_embedding",
    "fake_features",
    "fake_images",
    "fake_split",
    "fake_supply",
    "fake_video",
    "train_and_test",
    "use_plugin",
]
