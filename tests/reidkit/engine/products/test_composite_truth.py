"""Errors of composites: none for the rendered composite itself, known ones for known images."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from reidkit.data.crops import CropDataset
from reidkit.data.decode import resize_into
from reidkit.engine.products.composite_truth import errors_against_truth
from reidkit.synthped.reader import SynthPed
from reidkit.testing.fixtures import tiny_synthped  # noqa: F401

SIZE = (64, 32)


@pytest.fixture(scope="module")
def crops(tiny_synthped):  # noqa: F811
    reader = SynthPed(str(tiny_synthped), preset="tiny")
    reader.prepare()
    dataset = CropDataset(reader.splits()["train"], SIZE)
    composer = SimpleNamespace(
        split=dataset.split, load=lambda rows: dataset.__getitems__(list(rows))
    )
    return composer, reader


def rendered(composer, reader, pairs):
    images = np.empty((len(pairs), *SIZE, 3), np.uint8)
    for out, (own, lent) in zip(images, pairs, strict=True):
        paths = composer.split.paths
        resize_into(out, reader.wearing(paths[own], paths[lent]).image)
    return torch.from_numpy(images).permute(0, 3, 1, 2)


PAIRS = np.array([[0, 20], [20, 0], [40, 41]])


def test_the_true_composite_has_no_error_and_a_brighter_one_what_it_is_brighter(crops):
    true = rendered(*crops, PAIRS)
    numbers = errors_against_truth(*crops, PAIRS, true)
    assert numbers["error of people, composites"] == numbers["error of background, composites"] == 0
    darker = (true.float() - 10).clamp(0).to(torch.uint8)
    off = errors_against_truth(*crops, PAIRS, darker)
    assert off["error of background, composites"] == pytest.approx(10, abs=0.5)
    assert off["error of people, composites"] == pytest.approx(10, abs=1.0)


def test_the_structure_as_it_is_knows_the_background_and_no_clothes(crops):
    numbers = errors_against_truth(*crops, PAIRS, rendered(*crops, PAIRS))
    people, background = (
        numbers[f"error of {what}, structure as it is"] for what in ("people", "background")
    )
    assert people > 20 > 8 > background  # the camera's JPEG, and no more


def test_a_data_set_that_renders_nothing_has_no_such_numbers(crops):
    assert errors_against_truth(crops[0], object(), PAIRS, torch.zeros(3, 3, *SIZE)) == {}
