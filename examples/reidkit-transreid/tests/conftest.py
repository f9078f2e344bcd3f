"""The plugin as it lies here, and a tiny data set to try it on."""

from pathlib import Path

from reidkit.testing import use_plugin
from reidkit.testing.fixtures import tiny_synthped  # noqa: F401

use_plugin(Path(__file__).parents[1] / "transreid")
