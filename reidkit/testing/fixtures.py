"""Pytest fixtures for plugins: ``from reidkit.testing.fixtures import tiny_synthped``."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_synthped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with SynthPed's tiny preset, domains A and B, for ``settings.data_root``.

    Rendered at first use and kept in pytest's cache folder, so later sessions find it; where
    pytest keeps no cache, rendered for this session.
    """
    from reidkit.synthped.reader import SynthPed

    cache = getattr(request.config, "cache", None)
    root = Path(cache.mkdir("synthped")) if cache else tmp_path_factory.mktemp("synthped")
    with open(root / "lock", "w") as lock:  # several test processes may share the cache
        fcntl.flock(lock, fcntl.LOCK_EX)
        for domain in ("A", "B"):
            SynthPed(str(root), domain=domain, preset="tiny").prepare()
    return root
