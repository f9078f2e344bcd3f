"""What every matcher is: the base class, and matchers by name."""

import math

import pytest
import torch

from reidkit.evaluation import CosineMatcher, Matcher
from reidkit.registry import MATCHERS
from reidkit.structures import Embedding


def test_the_base_class_asks_for_compare():
    class Nothing(Matcher):
        pass

    assert Nothing().bounds == (-math.inf, math.inf)
    with pytest.raises(NotImplementedError, match="Nothing must define compare"):
        Nothing()(*[Embedding(torch.ones(2, 1, 3))] * 2)


def test_matchers_are_built_by_name():
    assert MATCHERS.build(dict(type="EuclideanMatcher", normalize=True)).normalize
    assert isinstance(MATCHERS.build(dict(type="CosineMatcher")), CosineMatcher)
