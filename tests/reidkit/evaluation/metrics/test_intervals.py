"""Bootstrap intervals, the paired test, and the per-query tables they are made from."""

import itertools

import numpy as np
import pytest
import torch

from reidkit.data.split import Trial
from reidkit.errors import UserError
from reidkit.evaluation import CosineMatcher, LabelledEmbeddings, Labels, RankingEvaluator
from reidkit.evaluation.io.queries import read_queries, write_queries
from reidkit.evaluation.metrics.intervals import bootstrap_intervals, paired_test, per_query_metrics
from reidkit.structures import Embedding


def test_the_interval_of_rank_1_on_3368_queries_is_more_than_half_a_point():
    right = (np.arange(3368) < round(0.961 * 3368)).astype(float)
    low, high = bootstrap_intervals({"R1": right})["R1"]
    half = 1.96 * np.sqrt(0.961 * 0.039 / 3368)
    assert half == pytest.approx(0.0065, abs=1e-4)
    assert (low, high) == (
        pytest.approx(0.961 - half, abs=6e-4),
        pytest.approx(0.961 + half, abs=6e-4),
    )


def test_trials_weigh_the_same_and_are_drawn_for_themselves():
    values, groups = np.r_[np.ones(5), np.zeros(500)], np.r_[np.zeros(5), np.ones(500)]
    assert bootstrap_intervals({"R1": values}, groups=groups)["R1"] == (0.5, 0.5)


@pytest.mark.parametrize("gap", [[1.0, 2.0, -0.5, 3.0, 1.5], [0.0, 0.0, 1.0, -1.0]])
def test_p_is_the_share_of_sign_flips_that_go_as_far(gap):
    gap = np.array(gap)
    flips = [abs(np.mean(np.array(s) * gap)) for s in itertools.product((1, -1), repeat=len(gap))]
    exact = np.mean(np.array(flips) >= abs(gap.mean()) - 1e-12)
    found = paired_test(np.zeros(len(gap)), gap)
    assert found.p == pytest.approx(exact, abs=0.02)
    assert found.difference == gap.mean() and found.low <= found.difference <= found.high


def test_a_paired_test_sees_what_two_intervals_do_not():
    rng = np.random.default_rng(0)
    first = rng.random(2000)
    second = np.clip(first + 0.01 + 0.05 * rng.standard_normal(2000), 0, 1)
    one, two = (bootstrap_intervals({"AP": x})["AP"] for x in (first, second))
    assert one[1] > two[0], "the intervals overlap"
    assert paired_test(first, second).p < 0.001
    with pytest.raises(ValueError, match="equal length > 0: 2000, 3"):
        paired_test(first, second[:3])


def result(**options):
    generator = torch.Generator().manual_seed(0)
    people = np.arange(60) % 10 + 1
    centres = torch.randn(11, 8, generator=generator)
    vectors = (centres[people] + torch.randn(60, 8, generator=generator))[:, None]
    side = LabelledEmbeddings(
        Embedding(vectors), Labels(people, np.arange(60) % 3, [f"{i}.jpg" for i in range(60)])
    )
    trials = options.pop("trials", ())
    evaluator = RankingEvaluator(**options)
    return evaluator.evaluate(side[:20], side[20:], CosineMatcher(), trials=trials)


@pytest.mark.parametrize("invalid", ["drop", "zero"])
@pytest.mark.parametrize("protocol", ["market", "cuhk03-single-shot"])
def test_per_query_values_have_the_metrics_as_means(invalid, protocol):
    found = result(protocol=protocol, invalid=invalid, bootstrap=200)
    columns = per_query_metrics(found.per_query, list(found.metrics), invalid)
    assert list(columns) == list(found.metrics)
    for name, value in found.metrics.items():
        assert columns[name].mean() == pytest.approx(value)
        low, high = found.intervals[name]
        assert low <= value <= high
    assert "95 % from" in found.report()


def test_intervals_over_trials():
    trials = [Trial(range(10), range(40)), Trial(range(5, 20), range(40))]
    found = result(trials=trials, bootstrap=300)
    low, high = found.intervals["mAP"]
    assert low < found.metrics["mAP"] < high


def test_tables_come_back_as_they_were(tmp_path):
    columns = result().per_query
    write_queries(tmp_path / "queries.csv", columns)
    again = read_queries(tmp_path / "queries.csv")
    assert list(again) == list(columns)
    for name, values in columns.items():
        np.testing.assert_array_equal(again[name], values)


def test_parquet_needs_pyarrow_and_says_so(tmp_path):
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        with pytest.raises(UserError, match="Parquet needs pyarrow, which is not installed"):
            write_queries(tmp_path / "queries.parquet", result().per_query)
        return
    columns = result().per_query
    write_queries(tmp_path / "queries.parquet", columns)
    for name, values in read_queries(tmp_path / "queries.parquet").items():
        np.testing.assert_array_equal(columns[name], values)


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("a.csv", "file,AP\n", "holds no rows"),
        ("a.csv", "file,AP\na,1,2\n", r"line 2: 3 cells, but the head has 2"),
        ("a.txt", "x", "tables are read from .csv or .parquet"),
    ],
)
def test_broken_tables_are_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        read_queries(tmp_path / name)
