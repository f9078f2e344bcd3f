"""Random chunks: the table of the specification, every length, uniform draws."""

import numpy as np
import pytest

from reidkit.registry import FRAME_SAMPLERS
from reidkit_plugins.drsa.sampler import RULES, RandomChunk

FIRST = [
    (16, 6, "balanced", [0, 2, 5, 8, 10, 13]),
    (16, 6, "ceil_pad", [0, 3, 6, 9, 12, 15]),
    (79, 6, "balanced", [0, 13, 26, 39, 52, 65]),
    (79, 6, "ceil_pad", [0, 14, 28, 42, 56, 70]),
    (4, 6, "balanced", [0, 1, 2, 3, 3, 3]),
    (4, 6, "ceil_pad", [0, 1, 2, 3, 3, 3]),
    (7, 6, "balanced", [0, 1, 2, 3, 4, 5]),
    (7, 6, "ceil_pad", [0, 2, 4, 6, 6, 6]),
    (9, 8, "ceil_pad", [0, 2, 4, 6, 8, 8, 8, 8]),
    (16, 6, "trunc", [0, 2, 4, 6, 8, 10]),
]


@pytest.mark.parametrize("length, frames, rule, first", FIRST)
def test_frames_of_the_test(length, frames, rule, first):
    assert RandomChunk(frames, rule)(length).tolist() == [first]


@pytest.mark.parametrize("rule", RULES)
def test_every_length_and_number_of_frames(rule):
    for frames in range(1, 13):
        sampler = RandomChunk(frames, rule)
        for length in range(1, 201):
            rng = np.random.default_rng([length, frames])
            for taken in (sampler(length), sampler(length, rng)):
                assert taken.shape == (1, frames) and taken.dtype == np.int64
                assert taken.min() >= 0 and taken.max() < length
                assert (np.diff(taken) >= 0).all()
            edges = sampler.edges(length)
            sizes = np.diff(edges)
            assert (sizes >= 1).all()
            if rule == "balanced" and length >= frames:
                assert edges[0] == 0 and edges[-1] == length and sizes.max() - sizes.min() <= 1
            if length < frames:  # no randomness
                wanted = np.minimum(np.arange(frames), length - 1)
                assert (sampler(length, rng)[0] == wanted).all()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("length", [23, 24])
def test_draws_lie_in_their_chunk_and_are_uniform(rule, length):
    sampler, rng, draws = RandomChunk(6, rule), np.random.default_rng(0), 3000
    taken = np.concatenate([sampler(length, rng) for _ in range(draws)])
    edges = sampler.edges(length)
    for i in range(6):
        inside = np.minimum(np.arange(edges[i], edges[i + 1]), length - 1)
        cells, expected = np.unique(inside, return_counts=True)
        counts = np.array([(taken[:, i] == cell).sum() for cell in cells])
        assert counts.sum() == draws, "a draw outside its chunk"
        expected = expected / expected.sum() * draws
        chi_square = ((counts - expected) ** 2 / expected).sum()
        assert chi_square < 25  # 0.9999 quantile of 4 degrees of freedom is 23.5
    if rule == "balanced":
        assert set(taken.ravel().tolist()) == set(range(length)), "a frame that is never drawn"


def test_offsets_are_further_clips_within_the_chunks():
    clips = RandomChunk(4, offsets=2)(16)
    assert clips.tolist() == [[0, 4, 8, 12], [2, 6, 10, 14]]
    with pytest.raises(ValueError, match="offsets"):
        RandomChunk(4, offsets=0)


def test_wrong_options_and_empty_tracklets_are_refused():
    with pytest.raises(ValueError, match="rule must be one of"):
        FRAME_SAMPLERS.build(dict(type="drsa/RandomChunk", rule="even"))
    with pytest.raises(ValueError, match="no chunks"):
        RandomChunk(6)(0)
