"""Which gallery images count, and why a query cannot be answered."""

from typing import get_args

import numpy as np
import pytest

from reidkit.errors import UserError
from reidkit.evaluation import PROTOCOLS, Labels, match_labels
from reidkit.evaluation.protocols import ProtocolName, find_protocol


def labels(identities, cameras, paths=None) -> Labels:
    return Labels(np.asarray(identities), np.asarray(cameras), paths)


GALLERY = labels([7, -1, 0, 7, 5, 7, 9], [1, 3, 2, 2, 1, 1, 1], [f"g{i}.jpg" for i in range(7)])


def test_every_reason_is_given():
    query = labels([7, 8, 9, 0, -1, -3], [1] * 6)
    found = match_labels(PROTOCOLS["market"], query, GALLERY)
    assert found.invalid == [
        (1, "no gallery image of identity 8"),
        (2, "identity 9 is in the gallery only under the query's own camera 1"),
        (3, "identity 0 marks distractors; people are numbered from 1"),
        (4, "identity -1 marks junk; people are numbered from 1"),
        (5, "identity -3 marks no person; people are numbered from 1"),
    ]
    assert found.valid.tolist() == [0] and found.n_positives.tolist() == [1, 0, 0, 0, 0, 0]


def test_single_camera_leaves_out_only_the_query_file():
    query = labels([7, 9, 5], [1, 1, 1], ["g0.jpg", "g6.jpg", "other.jpg"])
    found = match_labels(PROTOCOLS["single-camera"], query, GALLERY)
    own, good = found.of(0)
    assert (own.tolist(), good.tolist()) == ([0, 3, 5], [False, True, True])
    assert found.invalid == [(1, "the gallery's only image of identity 9 is the query itself")]
    assert found.n_positives.tolist() == [2, 0, 1]


def test_single_camera_needs_file_names():
    with pytest.raises(UserError, match="protocol single-camera needs .* on both .* column `file`"):
        match_labels(PROTOCOLS["single-camera"], labels([7], [1]), GALLERY)


@pytest.mark.parametrize("side", ["query", "gallery"])
def test_empty_sides_are_refused(side):
    none, one = labels(np.zeros(0, int), np.zeros(0, int)), labels([1], [0])
    sides = (none, one) if side == "query" else (one, none)
    with pytest.raises(UserError, match=f"the {side} is empty: there is nothing to rank"):
        match_labels(PROTOCOLS["market"], *sides)


def test_labels_must_fit():
    with pytest.raises(ValueError, match="labels of one side differ in length.*'cameras': 2"):
        labels([1], [0, 0])
    with pytest.raises(ValueError, match=r"identities must be one integer per image, got float64"):
        labels([1.5], [0])


def test_unknown_protocols_are_refused():
    with pytest.raises(
        ValueError, match="no protocol named 'mars'; available: market, cuhk03-np, "
    ):
        find_protocol("mars")


def test_protocol_labels_carry_a_version():
    assert [p.label for p in PROTOCOLS.values()] == [
        "market-v1", "cuhk03-np-v1", "cuhk03-single-shot-v1", "mars-official-v1",
        "mars-minus-queries-v1", "two-camera-v1", "multi-query-v1", "single-camera-v1",
    ]  # fmt: skip
    assert get_args(ProtocolName) == tuple(PROTOCOLS)
