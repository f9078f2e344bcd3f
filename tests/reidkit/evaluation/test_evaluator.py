"""The evaluator as people meet it: numbers, report, JSON, trials, and refusals."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from reidkit.data.split import Trial
from reidkit.errors import UserError
from reidkit.evaluation import CosineMatcher, LabelledEmbeddings, Labels, RankingEvaluator
from reidkit.registry import EVALUATORS
from reidkit.structures import Embedding
from reidkit.testing.fakes import labelled

MATCHER = CosineMatcher()


@dataclass
class Listed:
    """The fields of a Split that evaluation reads."""

    name: str
    identities: np.ndarray
    cameras: np.ndarray
    paths: tuple[str, ...]
    root: Path = Path("root")
    dataset: str = "toy"


def side(name, identities, cameras) -> Listed:
    paths = tuple(f"{name}/{i}.jpg" for i in range(len(identities)))
    return Listed(name, np.array(identities), np.array(cameras), paths)


def vectors(*angles) -> Embedding:
    radians = torch.deg2rad(torch.tensor(angles, dtype=torch.float32))
    return Embedding(torch.stack([radians.cos(), radians.sin()], 1)[:, None])


# by angle from query 0: identity 2, 1 (same camera), 1, junk, 0, 1
QUERY, QUERY_SIDE = vectors(0, 90, 45), side("query", [1, 2, 8], [0, 0, 0])
GALLERY = vectors(10, 20, 30, 40, 50, 60)
GALLERY_SIDE = side("gallery", [2, 1, 1, -1, 0, 1], [1, 0, 1, 1, 2, 2])
INPUT = (*labelled((QUERY, GALLERY), (QUERY_SIDE, GALLERY_SIDE)), MATCHER)


def in_gallery(embedding) -> LabelledEmbeddings:
    return LabelledEmbeddings.of(embedding, GALLERY_SIDE, "gallery")


REPORT = """\
toy query/gallery: protocol market-v1, CosineMatcher, 2 of 3 queries valid, gallery 5 (+ 1 junk)
           mAP      R1      R5     R10    mINP  mAP_official
points   35.00    0.00  100.00  100.00   35.00         18.75
1 invalid queries (not in the means):
  query 2: no gallery image of identity 8"""


def test_numbers_by_hand_and_their_report():
    result = RankingEvaluator().evaluate(*INPUT)
    # query 0: its positives are second and fourth of 4; query 1: its only one is last of 5
    step, official = (1 / 2 + 2 / 4) / 2, (1 / 4 + (1 / 3 + 2 / 4) / 2) / 2
    assert result.per_query["AP"][:2].tolist() == pytest.approx([step, 1 / 5])
    assert result.metrics["mAP"] == pytest.approx((step + 1 / 5) / 2)
    assert result.metrics["mAP_official"] == pytest.approx((official + 1 / 10) / 2)
    assert result.metrics["mINP"] == pytest.approx((2 / 4 + 1 / 5) / 2)
    assert result.per_query["first_rank"][:2].tolist() == [2, 5]
    assert np.isnan(result.per_query["AP"][2]) and result.per_query["n_positives"].tolist() == [
        2,
        1,
        0,
    ]
    official_points = f"{100 * result.metrics['mAP_official']:.2f}"
    assert result.report() == REPORT.replace("18.75", official_points)


def test_invalid_queries_can_count_as_zero():
    dropped = RankingEvaluator().evaluate(*INPUT)
    zero = RankingEvaluator(invalid="zero").evaluate(*INPUT)
    for name, value in dropped.metrics.items():
        assert zero.metrics[name] == pytest.approx(value * 2 / 3)
    assert "1 invalid queries (count as 0):" in zero.report()


def test_ties_are_shown_only_when_they_matter():
    assert "ties" not in RankingEvaluator().evaluate(*INPUT).report()
    tied = vectors(30, 20, 30, 40, 50, 60)
    result = RankingEvaluator(topk=(1,)).evaluate(INPUT[0], in_gallery(tied), MATCHER)
    lines = result.report().splitlines()
    # query 0: a positive and a negative tied for rank 1; query 1: for rank 3
    assert lines[1].split() == ["mAP", "R1", "mINP", "mAP_official"]
    assert lines[3].split()[:5] == ["ties,", "worst", "37.50", "0.00", "37.50"]
    assert lines[4].split()[:5] == ["ties,", "best", "54.17", "50.00", "41.67"]


def test_the_json_holds_all_but_the_per_query_values(tmp_path):
    result = RankingEvaluator().evaluate(*INPUT)
    text = result.to_json(tmp_path / "result.json")
    assert (tmp_path / "result.json").read_text() == text
    content = json.loads(text)
    assert content["metrics"] == result.metrics and "per_query" not in content
    assert content["protocol"] == "market-v1" and content["n_valid"] == 2
    assert content["invalid"] == [[2, "no gallery image of identity 8"]]


def test_one_camera_is_refused_with_the_way_out():
    one_camera = side("query", [1, 2, 8], [0] * 3), side("gallery", [2, 1, 1, -1, 0, 1], [0] * 6)
    sides = labelled((QUERY, GALLERY), one_camera)
    with pytest.raises(UserError) as caught:
        RankingEvaluator().evaluate(*sides, MATCHER)
    assert str(caught.value) == (
        "all 9 images have camera 0, and protocol market only counts matches between cameras: use "
        "protocol single-camera (evaluation.protocol=single-camera), or read the cameras from the "
        "file names"
    )
    result = RankingEvaluator(protocol="single-camera").evaluate(*sides, MATCHER)
    assert result.protocol == "single-camera-v1"
    assert result.metrics["mAP"] == pytest.approx(((1 / 2 + 2 / 3 + 3 / 5) / 3 + 1 / 5) / 2)


def test_no_valid_query_is_refused_with_the_first_reason():
    strangers = side("query", [8, 9, 10], [0, 1, 2])
    sides = labelled((QUERY, GALLERY), (strangers, GALLERY_SIDE))
    with pytest.raises(UserError) as caught:
        RankingEvaluator().evaluate(*sides, MATCHER)
    assert str(caught.value) == (
        "none of the 3 queries has a positive among the 6 of the gallery under protocol market; "
        "first: root/query/0.jpg: no gallery image of identity 8"
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_embeddings_that_are_no_numbers_are_refused(value):
    broken = vectors(10, 20, 30, 40, 50, 60)
    broken.vectors[2:4, 0, 1] = value
    with pytest.raises(UserError) as caught:
        RankingEvaluator().evaluate(INPUT[0], in_gallery(broken), MATCHER)
    assert str(caught.value) == (
        "2 of 6 gallery embeddings hold NaN or infinite values; first: root/gallery/2.jpg. "
        "Either the model's weights are NaN (training has diverged: lower the learning rate, or "
        "look for the first NaN in the loss curve), or the values overflowed the type that they "
        "were kept in"
    )


@pytest.mark.parametrize("scale", [1.0, 0.0])
def test_collapsed_embeddings_are_refused(scale):
    same = Embedding(vectors(30).vectors.repeat(6, 1, 1) * scale)
    with pytest.raises(UserError) as caught:
        RankingEvaluator().evaluate(INPUT[0], in_gallery(same), MATCHER)
    assert str(caught.value) == (
        "all 6 gallery embeddings are equal (first: root/gallery/0.jpg), so the order of the "
        "gallery's files would decide the result: the model has collapsed, or the same image was "
        "loaded each time"
    )


def test_a_gallery_of_one_image_is_no_collapse():
    sides = (LabelledEmbeddings(vectors(a), Labels([1], [c])) for a, c in ((0, 0), (10, 1)))
    result = RankingEvaluator().evaluate(*sides, MATCHER)
    assert result.metrics["mAP"] == 1.0


def test_lengths_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="gallery: 6 embeddings for 5 identities and cameras"):
        LabelledEmbeddings(GALLERY, Labels([1] * 5, [1] * 5), "gallery")
    flat = Embedding(torch.ones(3, 1, 5))
    with pytest.raises(
        UserError, match=r"query and gallery differ in shape: \(1, 5\) and \(1, 2\)"
    ):
        sides = labelled((flat, GALLERY), (QUERY_SIDE, GALLERY_SIDE))
        RankingEvaluator().evaluate(*sides, MATCHER)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (dict(invalid="skip"), "invalid must be one of ('drop', 'zero'), got 'skip'"),
        (dict(topk=(0, 1)), "topk must be depths of at least 1, got (0, 1)"),
        (dict(block_mb=0), "block_mb must be above 0 megabytes, got 0"),
        (dict(pool="sum"), "pool must be one of ('mean', 'max'), got 'sum'"),
        (dict(repeats=0), "repeats must be from 1 to 1,000,000, got 0"),
        (
            dict(single_shot="one"),
            "single_shot must be one of ('exact', 'sampled'), got 'one'",
        ),
        (
            dict(protocol="mars"),
            "no protocol named 'mars'; available: market, cuhk03-np, cuhk03-single-shot, "
            "mars-official, mars-minus-queries, two-camera, multi-query, single-camera",
        ),
    ],
)
def test_bad_options_are_refused(options, text):
    with pytest.raises(ValueError) as caught:
        EVALUATORS.build(dict(type="RankingEvaluator", **options))
    assert str(caught.value) == text


def test_labels_may_be_tensors():
    ids, cameras = torch.tensor([2, 1, 1, -1, 0, 1]), torch.tensor([1, 0, 1, 1, 2, 2])
    sides = (
        LabelledEmbeddings(QUERY, Labels([1, 2, 8], [0, 0, 0])),
        LabelledEmbeddings(GALLERY, Labels(ids, cameras)),
    )
    result = RankingEvaluator().evaluate(*sides, MATCHER)
    assert result.metrics == RankingEvaluator().evaluate(*INPUT).metrics


def test_the_data_set_states_its_protocol_and_the_config_may_state_another():
    stated = RankingEvaluator().evaluate(*INPUT, protocol="cuhk03-np")
    assert stated.protocol == "cuhk03-np-v1"
    assert stated.metrics == RankingEvaluator().evaluate(*INPUT).metrics
    own = RankingEvaluator(protocol="single-camera").evaluate(*INPUT, protocol="cuhk03-np")
    assert own.protocol == "single-camera-v1"
    assert RankingEvaluator().extra_splits("multi-query") == ("multi_query",)
    assert RankingEvaluator(protocol="market").extra_splits("multi-query") == ()


def test_trials_give_mean_and_spread_and_list_every_query():
    trials = [Trial([0], range(6)), Trial([1, 2], [0, 4, 5])]
    result = RankingEvaluator(topk=(1,)).evaluate(*INPUT, trials=trials)
    # trial 0: query 0, AP 1/2; trial 1: query 1 has its only positive last of three
    assert result.metrics["mAP"] == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert result.spread["mAP"] == pytest.approx(np.std([1 / 2, 1 / 3], ddof=1))
    assert result.n_trials == 2 and (result.n_query, result.n_valid) == (3, 2)
    assert result.per_query["trial"].tolist() == [0, 1, 1]
    assert result.per_query["query"].tolist() == [0, 1, 2]
    assert result.per_query["file"].tolist() == [f"root/query/{i}.jpg" for i in range(3)]
    assert result.invalid == [(2, "no gallery image of identity 8 (trial 1)")]
    lines = result.report().splitlines()
    assert lines[0].startswith("toy query/gallery: 2 trials, protocol market-v1")
    assert lines[3].split()[:4] == ["std", "over", "trials", "11.79"]


def test_trials_with_rows_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="trial 1: gallery rows must be some of the 6, got 2 from"):
        RankingEvaluator().evaluate(*INPUT, trials=[Trial([0], [1]), Trial([0], [1, 6])])
