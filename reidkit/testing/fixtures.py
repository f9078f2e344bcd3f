"""Pytest fixtures for plugins: ``from reidkit.testing.fixtures import tiny_synthped``."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_synthped(request: pytest.FixtureRequest) -> Path:
    """A data root with SynthPed's tiny preset, domains A and B, for ``settings.data_root``.

    Rendered at first use and kept in pytest's cache folder, so later sessions find it.
    """
    from reidkit.data.synthped.reader import SynthPed

    root = Path(request.config.cache.mkdir("synthped"))
    for domain in ("A", "B"):
        SynthPed(str(root), domain=domain, preset="tiny").prepare()
    return root
