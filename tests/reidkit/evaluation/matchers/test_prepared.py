"""Tensors by name that are sliced together."""

import copy
import pickle

import pytest
import torch

from reidkit.evaluation import Prepared


def test_rows_are_sliced_together():
    ready = Prepared(vectors=torch.arange(12.0).view(4, 3), scale=torch.arange(4.0))
    for rows in (slice(1, 3), torch.tensor([1, 2]), [1, 2]):
        part = ready[rows]
        assert len(part) == 2 and part.scale.tolist() == [1, 2]
        assert torch.equal(part.vectors, ready.vectors[1:3])
    assert ready.device == torch.device("cpu")


def test_copies_keep_names():
    ready = Prepared(scale=torch.ones(2))
    for other in (copy.deepcopy(ready), pickle.loads(pickle.dumps(ready))):
        assert torch.equal(other.scale, ready.scale)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="one row per image.*{'a': 2, 'b': 3}"):
        Prepared(a=torch.ones(2), b=torch.ones(3))
    with pytest.raises(ValueError, match="there must be some"):
        Prepared()
    with pytest.raises(AttributeError, match="no prepared tensor named 'half'; prepare gave scale"):
        _ = Prepared(scale=torch.ones(2)).half
