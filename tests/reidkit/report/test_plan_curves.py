"""Values over training, read from logs of one stage or several, drawn for the rows of a plan."""

import cv2
import numpy as np
import pytest

from reidkit.engine.products.reproduce import Plan, run_name
from reidkit.errors import UserError
from reidkit.report import plan_curves
from reidkit.report.scalars import training_curves

LINE = (
    "2026/01/01 00:00:00 - mmengine - INFO - Epoch(train)  [{}][{:2}/20]  lr: 1.0e-03  "
    "eta: 0:00:01  loss: {}  loss_id: 0.5  overlap: {}\n"
)


def log(folder, overlaps, every=10):
    """A text log as mmengine writes it, two lines an epoch of twenty steps."""
    (folder / "log").mkdir(parents=True)
    lines = [
        LINE.format(1 + i // 2, every * (1 + i % 2), 2.0, value) for i, value in enumerate(overlaps)
    ]
    (folder / "log" / "log.log").write_text("".join(lines))


@pytest.fixture
def plan(tmp_path):
    """Two rows of two seeds, each a run of two stages."""
    rows = dict(First=dict(config="a.py"), Second=dict(config="b.py"))
    curves = dict(rows=list(rows), logs=["overlap"])
    for row, end in (("First", 0.2), ("Second", 0.6)):
        for seed in (0, 1):
            run = tmp_path / run_name(row, seed)
            log(run / "stage1", [0.9, 0.8])
            log(run, [0.7, 0.5 + seed / 10, 0.4, end])
            (run / "metrics.json").write_text("{}")
    return Plan("A page", [0, 1], rows, curves=curves)


def test_values_by_name_and_what_is_usual(plan, tmp_path):
    run = tmp_path / "first-s0"
    assert set(training_curves(run)) == {
        f"{stage}{name}" for stage in ("", "stage1: ") for name in ("lr", "loss", "loss_id")
    }
    steps, values = training_curves(run, ["overlap"])["overlap"]
    assert steps.tolist() == [10, 20, 30, 40] and values.tolist() == [0.7, 0.5, 0.4, 0.2]


def test_stages_follow_each_other_and_seeds_are_stacked(plan, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(plan_curves, "panels", lambda *given: drawn.extend(given))
    plan_curves.draw_curves(tmp_path / "x.png", plan, tmp_path)
    path, steps, groups = drawn
    assert steps == [10, 20, 30, 40, 50, 60] and list(groups["overlap"]) == ["First", "Second"]
    np.testing.assert_array_equal(
        groups["overlap"]["First"], [[0.9, 0.8, 0.7, 0.5, 0.4, 0.2], [0.9, 0.8, 0.7, 0.6, 0.4, 0.2]]
    )


def test_a_picture_is_drawn_of_all_seeds_or_stays(plan, tmp_path):
    path = tmp_path / "x.png"
    plan_curves.draw_curves(path, plan, tmp_path / "elsewhere")
    assert not path.exists()
    plan_curves.draw_curves(path, plan, tmp_path)
    before = path.read_bytes()
    assert cv2.imread(str(path)).std() > 5
    (tmp_path / "second-s1" / "metrics.json").unlink()  # one seed less: no other picture
    log(tmp_path / "first-s0" / "stage2", [0.1, 0.1])
    plan_curves.draw_curves(path, plan, tmp_path)
    assert path.read_bytes() == before


def test_rows_that_cannot_be_drawn_together(plan, tmp_path):
    run = tmp_path / "second-s1"
    (run / "log" / "log.log").unlink()
    (run / "log").rmdir()
    log(run, [0.7, 0.5], every=5)
    with pytest.raises(UserError, match="Second logs overlap at other iterations than First"):
        plan_curves.draw_curves(tmp_path / "x.png", plan, tmp_path)
    plan.curves["rows"].append("Thrid")
    with pytest.raises(UserError, match="no row named 'Thrid'; rows: First, Second"):
        plan_curves.draw_curves(tmp_path / "x.png", plan, tmp_path)
