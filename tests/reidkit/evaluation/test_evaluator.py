"""The evaluator as people meet it: numbers, report, JSON, and refusals."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from reidkit.errors import UserError
from reidkit.evaluation import CosineMatcher, MarketEvaluator, rank
from reidkit.registry import EVALUATORS
from reidkit.structures import Embedding

MATCHER = CosineMatcher()


@dataclass
class Side:
    """The fields of a Split that evaluation reads."""

    name: str
    identities: np.ndarray
    cameras: np.ndarray
    paths: tuple[str, ...]
    root: Path = Path("root")
    dataset: str = "toy"


def side(name, identities, cameras) -> Side:
    paths = tuple(f"{name}/{i}.jpg" for i in range(len(identities)))
    return Side(name, np.array(identities), np.array(cameras), paths)


def vectors(*angles) -> Embedding:
    radians = torch.deg2rad(torch.tensor(angles, dtype=torch.float32))
    return Embedding(torch.stack([radians.cos(), radians.sin()], 1)[:, None])


# by angle from query 0: identity 2, 1 (same camera), 1, junk, 0, 1
QUERY, QUERY_SIDE = vectors(0, 90, 45), side("query", [1, 2, 8], [0, 0, 0])
GALLERY = vectors(10, 20, 30, 40, 50, 60)
GALLERY_SIDE = side("gallery", [2, 1, 1, -1, 0, 1], [1, 0, 1, 1, 2, 2])
INPUT = (QUERY, GALLERY, QUERY_SIDE, GALLERY_SIDE, MATCHER)

REPORT = """\
toy query/gallery: protocol market-v1, CosineMatcher, 2 of 3 queries valid, gallery 5 (+ 1 junk)
           mAP      R1      R5     R10    mINP  mAP_official
points   35.00    0.00  100.00  100.00   35.00         18.75
1 invalid queries (not in the means):
  query 2: no gallery image of identity 8"""


def test_numbers_by_hand_and_their_report():
    result = MarketEvaluator().evaluate(*INPUT)
    # query 0: bad, good, bad, good -> 2 and 4 of 4; query 1: its only good image is last of 5
    step, official = (1 / 2 + 2 / 4) / 2, (1 / 4 + (1 / 3 + 2 / 4) / 2) / 2
    assert result.per_query["AP"][:2].tolist() == pytest.approx([step, 1 / 5])
    assert result.metrics["mAP"] == pytest.approx((step + 1 / 5) / 2)
    assert result.metrics["mAP_official"] == pytest.approx((official + 1 / 10) / 2)
    assert result.metrics["mINP"] == pytest.approx((2 / 4 + 1 / 5) / 2)
    assert result.per_query["first_rank"][:2].tolist() == [2, 5]
    assert np.isnan(result.per_query["AP"][2]) and result.per_query["n_good"].tolist() == [2, 1, 0]
    official_points = f"{100 * result.metrics['mAP_official']:.2f}"
    assert result.report() == REPORT.replace("18.75", official_points)


def test_invalid_queries_can_count_as_zero():
    dropped = MarketEvaluator().evaluate(*INPUT)
    zero = MarketEvaluator(invalid="zero").evaluate(*INPUT)
    for name, value in dropped.metrics.items():
        assert zero.metrics[name] == pytest.approx(value * 2 / 3)
    assert "1 invalid queries (count as 0):" in zero.report()


def test_ties_are_shown_only_when_they_matter():
    assert "ties" not in MarketEvaluator().evaluate(*INPUT).report()
    tied = vectors(30, 20, 30, 40, 50, 60)
    result = MarketEvaluator(topk=(1,)).evaluate(QUERY, tied, QUERY_SIDE, GALLERY_SIDE, MATCHER)
    lines = result.report().splitlines()
    # query 0: a right and a wrong image tied for rank 1; query 1: for rank 3
    assert lines[1].split() == ["mAP", "R1", "mINP", "mAP_official"]
    assert lines[3].split()[:5] == ["ties,", "worst", "37.50", "0.00", "37.50"]
    assert lines[4].split()[:5] == ["ties,", "best", "54.17", "50.00", "41.67"]


def test_the_json_holds_all_but_the_per_query_values(tmp_path):
    result = MarketEvaluator().evaluate(*INPUT)
    text = result.to_json(tmp_path / "result.json")
    assert (tmp_path / "result.json").read_text() == text
    content = json.loads(text)
    assert content["metrics"] == result.metrics and "per_query" not in content
    assert content["protocol"] == "market-v1" and content["n_valid"] == 2
    assert content["invalid"] == [[2, "no gallery image of identity 8"]]


def test_one_camera_is_refused_with_the_way_out():
    query, gallery = (
        side("query", [1, 2, 8], [0] * 3),
        side("gallery", [2, 1, 1, -1, 0, 1], [0] * 6),
    )
    with pytest.raises(UserError) as caught:
        MarketEvaluator().evaluate(QUERY, GALLERY, query, gallery, MATCHER)
    assert str(caught.value) == (
        "all 9 images have camera 0, and protocol market only counts matches between cameras: use "
        "protocol single-camera (evaluation.protocol=single-camera), or read the cameras from the "
        "file names"
    )
    result = MarketEvaluator(protocol="single-camera").evaluate(
        QUERY, GALLERY, query, gallery, MATCHER
    )
    assert result.protocol == "single-camera-v1"
    assert result.metrics["mAP"] == pytest.approx(((1 / 2 + 2 / 3 + 3 / 5) / 3 + 1 / 5) / 2)


def test_no_valid_query_is_refused_with_the_first_reason():
    with pytest.raises(UserError) as caught:
        MarketEvaluator().evaluate(
            QUERY, GALLERY, side("query", [8, 9, 10], [0, 1, 2]), GALLERY_SIDE, MATCHER
        )
    assert str(caught.value) == (
        "none of the 3 queries has a right image among the 6 of the gallery under protocol market; "
        "first: root/query/0.jpg: no gallery image of identity 8"
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_embeddings_that_are_no_numbers_are_refused(value):
    broken = vectors(10, 20, 30, 40, 50, 60)
    broken.vectors[2:4, 0, 1] = value
    with pytest.raises(UserError) as caught:
        MarketEvaluator().evaluate(QUERY, broken, QUERY_SIDE, GALLERY_SIDE, MATCHER)
    assert str(caught.value) == (
        "2 of 6 gallery embeddings hold NaN or infinite values; first: root/gallery/2.jpg. "
        "Training has probably diverged: lower the learning rate, or look for the first NaN in the "
        "loss curve"
    )


@pytest.mark.parametrize("scale", [1.0, 0.0])
def test_collapsed_embeddings_are_refused(scale):
    same = Embedding(vectors(30).vectors.repeat(6, 1, 1) * scale)
    with pytest.raises(UserError) as caught:
        MarketEvaluator().evaluate(QUERY, same, QUERY_SIDE, GALLERY_SIDE, MATCHER)
    assert str(caught.value) == (
        "all 6 gallery embeddings are equal (first: root/gallery/0.jpg), so the order of the "
        "gallery's files would decide the result: the model has collapsed, or the same image was "
        "loaded each time"
    )


def test_a_gallery_of_one_image_is_no_collapse():
    result = rank(vectors(0), vectors(10), [1], [0], [1], [1], MATCHER)
    assert result.metrics["mAP"] == 1.0


def test_lengths_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="gallery: 6 embeddings for 5 identities and cameras"):
        rank(QUERY, GALLERY, [1, 2, 8], [0, 0, 0], [1] * 5, [1] * 5, MATCHER)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (dict(invalid="skip"), "invalid must be one of ('drop', 'zero'), got 'skip'"),
        (dict(topk=(0, 1)), "topk must be depths of at least 1, got (0, 1)"),
        (dict(block_mb=0), "block_mb must be above 0 megabytes, got 0"),
        (dict(protocol="mars"), "no protocol named 'mars'; available: market, single-camera"),
    ],
)
def test_bad_options_are_refused(options, text):
    with pytest.raises(ValueError) as caught:
        EVALUATORS.build(dict(type="MarketEvaluator", **options))
    assert str(caught.value) == text


def test_labels_may_be_tensors():
    ids, cameras = torch.tensor([2, 1, 1, -1, 0, 1]), torch.tensor([1, 0, 1, 1, 2, 2])
    result = rank(QUERY, GALLERY, [1, 2, 8], [0, 0, 0], ids, cameras, MATCHER)
    assert result.metrics == MarketEvaluator().evaluate(*INPUT).metrics
