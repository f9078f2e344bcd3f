import numpy as np
import pytest
import torch

from reidkit.bench.data import measure, usual, write_crops
from reidkit.bench.table import Row, render
from reidkit.data import CropDataset, Normalize


def test_the_benchmark_compares_equal_work(tmp_path):
    split = write_crops(tmp_path, 6)
    assert 3000 < np.mean([path.stat().st_size for path in tmp_path.iterdir()]) < 8000
    reference = usual(split, (256, 128))(list(range(6)))
    exact = CropDataset(split, (256, 128), resize="pil").__getitems__(range(6))
    assert torch.allclose(Normalize()(exact).images, reference, atol=1e-5)
    fast = CropDataset(split, (256, 128)).__getitems__(range(6))
    assert float((Normalize()(fast).images - reference).abs().mean()) < 0.02  # of 1/std units


def test_the_benchmark_reports_every_way_with_its_ratio(tmp_path):
    rows = measure(write_crops(tmp_path, 6), repeats=1, batch_size=3)
    assert len(rows) == 3 and len({row.baseline for row in rows}) == 1
    assert all(row.ratio == pytest.approx(row.ours / row.baseline) for row in rows)
    assert {row.unit for row in rows} == {"img/s"}


def test_the_table_aligns_and_titles():
    rows = [Row("a", "b", 1.23456, 0.5, "s", higher_is_better=False), Row("cc", "b", 10, 0, "x")]
    assert render(rows, "title") == (
        "title\n"
        "what  against  baseline  ours  unit  ratio\n"
        "a     b           1.235   0.5  s     2.47x\n"
        "cc    b              10     0  x     0.00x"
    )
