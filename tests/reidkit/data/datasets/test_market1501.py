"""Market-1501: names, junk, styled copies, boxes of the multi-query protocol."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from reidkit.data import Market1501
from reidkit.errors import UserError
from reidkit.evaluation import EuclideanMatcher, LabelledEmbeddings, RankingEvaluator


def ids(split):
    return split.identities.tolist()


def cams(split):
    return split.cameras.tolist()


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))


def write_market_boxes(root, crops, names):
    for name in names:
        save(root / "gt_bbox" / name, crops[next(iter(crops))][0])


def test_market_lists_crops_and_leaves_junk_and_clutter_out(market):
    splits = Market1501(str(market)).splits()
    train, query, gallery = (splits[name] for name in ("train", "query", "gallery"))
    assert list(splits) == ["train", "query", "gallery"]
    assert train.paths[0] == "bounding_box_train/0002_c1s1_000451_03.jpg"
    assert (ids(train), cams(train)) == ([2, 2, 7], [1, 2, 3])
    assert (ids(query), cams(query)) == ([1, 3], [1, 4])
    assert (ids(gallery), cams(gallery)) == ([0, 1, 3], [1, 2, 6])  # the distractor 0 stays
    assert gallery.label_key == "market1501/gallery" and gallery.file(0).is_file()


def test_market_keeps_junk_on_request(market):
    reader = Market1501(str(market), keep_junk=True)
    assert ids(reader.splits()["gallery"]) == [-1, 0, 1, 3]
    assert reader.counts["gallery"] == (19732, 751)
    assert Market1501(str(market)).counts["gallery"] == (15913, 751)


def test_a_negative_identity_is_junk(market, write_images):
    write_images(market / "market1501", ["bounding_box_test/-0003_c1s1_000401_03.jpg"])
    assert ids(Market1501(str(market)).splits()["gallery"]) == [0, 1, 3]


@pytest.mark.parametrize(
    "name", ["holiday", "0003_C3S1_000401_03", "x0003_c3s1_000401_03", "0003a_c3s1_000401_03"]
)
def test_a_name_without_identity_is_refused(market, write_images, name):
    write_images(market / "market1501", [f"query/{name}.jpg"])
    with pytest.raises(UserError) as error:
        Market1501(str(market)).prepare()
    assert str(error.value) == (
        f"query/{name}.jpg: the name does not tell identity and camera; expected something like "
        "0002_c1s1_000451_03.jpg. Rename or remove the file"
    )


def test_style_transferred_training_images_know_their_originals(market, write_images):
    root = market / "market1501"
    names = [p.name for p in (root / "bounding_box_train").glob("0*.jpg")]
    write_images(root / "bounding_box_train_duke_style", names)
    reader = Market1501(str(market), train_dir="bounding_box_train_duke_style")
    train = reader.splits()["train"]
    assert train.paths[0] == "bounding_box_train_duke_style/0002_c1s1_000451_03.jpg"
    assert train.originals.label_key == "market1501/train" and len(train) == 3
    assert train.originals.paths == Market1501(str(market)).splits()["train"].paths
    assert train.select([2, 0]).original_rows().tolist() == [2, 0]
    assert reader.describe()[0].endswith(", from bounding_box_train_duke_style")


def test_a_styled_image_without_original_is_refused(market, write_images):
    write_images(market / "market1501/styled", ["0009_c1s1_000451_03.jpg"])
    with pytest.raises(UserError, match=r"styled/0009_c1s1_000451_03.jpg has no original"):
        Market1501(str(market), train_dir="styled").prepare()
    with pytest.raises(UserError, match="train_dir 'nope' is no folder of"):
        Market1501(str(market), train_dir="nope").prepare()


def test_market_multi_query_takes_the_querys_person_and_camera(market, people):
    root = market / "market1501"
    kept = ["0001_c1s1_001051_00.jpg", "0001_c1s2_000100_01.jpg", "0003_c4s6_015641_00.jpg"]
    others = ["0001_c2s1_000401_00.jpg", "0002_c1s1_000451_00.jpg"]  # other camera, training person
    write_market_boxes(root, people, kept + others)
    (root / "gt_bbox/Thumbs.db").write_bytes(b"x")
    splits = Market1501(str(market)).splits()
    assert splits["multi_query"].paths == tuple(f"gt_bbox/{name}" for name in kept)
    assert len(splits["query"]) == 2  # as many queries as without
    pooled, single = (
        RankingEvaluator(protocol).extra_splits() for protocol in ("multi-query", "market")
    )
    assert pooled == ("multi_query",) and single == ()


def test_one_box_equal_to_the_query_gives_the_single_query_result(market, people, random_sides):
    write_market_boxes(
        market / "market1501", people, ["0001_c1s1_001051_00.jpg", "0003_c4s6_015641_00.jpg"]
    )
    splits = Market1501(str(market)).splits()
    query, gallery, boxes = (splits[name] for name in ("query", "gallery", "multi_query"))
    sides = random_sides(query, gallery)
    single = RankingEvaluator("market").evaluate(*sides, EuclideanMatcher(True))
    pooled = LabelledEmbeddings.of(sides[0].embedding, boxes, "multi_query")
    multi = RankingEvaluator("multi-query").evaluate(
        *sides, EuclideanMatcher(True), multi_query=pooled
    )
    assert multi.metrics == pytest.approx(single.metrics) and multi.n_query == single.n_query
