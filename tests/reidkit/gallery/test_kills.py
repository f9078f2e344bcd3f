"""A writer that is killed: nothing confirmed is lost, nothing is half."""

import pytest

from reidkit.gallery.writing import Erasure, Writer
from reidkit.testing.gallery_kills import WORKS, campaign


@pytest.mark.slow
def test_a_few_kills(tmp_path):
    trials = campaign(tmp_path, points=6, seed=1)
    assert [trial.work for trial in trials] == [*WORKS, *WORKS]
    assert not any(trial.problems for trial in trials), trials


@pytest.mark.slow
def test_an_erasure_that_counts_too_early_is_seen(tmp_path, monkeypatch):
    """What the campaign is for."""

    def hasty(self):
        pending = self.manifest.pending
        segments, images = self._without(set(pending["identities"]), pending["expired"])
        self._commit(self.manifest.next(segments=segments, pending={}))
        self.log.redact(pending["identities"])
        return Erasure(images)

    monkeypatch.setattr(Writer, "finish_erasure", hasty)
    trials = campaign(tmp_path, points=60, works=("erase",))
    assert any("half" in problem for trial in trials for problem in trial.problems)
