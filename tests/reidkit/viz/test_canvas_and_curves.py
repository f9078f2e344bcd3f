"""Canvas and curves: letters that exist, whole files, gaps and refusals."""

import cv2
import numpy as np
import pytest

from reidkit.viz import Canvas, curve
from reidkit.viz.canvas import fit, printable, shorten, text_width
from reidkit.viz.curves import running_mean


def test_characters_without_a_glyph_become_question_marks():
    assert printable("Zoë ✓ ✗ … 行人") == "Zoë ✓ ✗ … ??"


def test_shortened_text_fits():
    for width in (15, 30, 60, 200):
        assert text_width(shorten("identity 1501 camera 6", 11, width), 11) <= width


def test_a_frame_lies_around_its_picture():
    sheet = Canvas(40, 40)
    sheet.image(10, 10, np.zeros((20, 20, 3), np.uint8))
    sheet.frame(10, 10, 20, 20, (0, 200, 0), line=3)
    inside, around = sheet.pixels[10:30, 10:30], sheet.pixels[7:33, 7:33]
    assert (inside == 0).all()
    assert (around == (0, 200, 0)).all(2).sum() == 26 * 26 - 20 * 20
    outside = sheet.pixels.copy()
    outside[7:33, 7:33] = 255
    assert (outside == 255).all()


def test_saved_colours_are_those_drawn(tmp_path):
    sheet = Canvas(8, 8)
    sheet.image(0, 0, np.full((8, 8, 3), (10, 20, 30), np.uint8))
    sheet.save(tmp_path / "a.png")
    assert cv2.imread(str(tmp_path / "a.png"))[0, 0].tolist() == [30, 20, 10]
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("shape", [(128, 64), (64, 128), (10, 300), (1, 1)])
def test_fit_keeps_proportions(shape):
    out = fit(np.zeros((*shape, 3), np.uint8), 160, 80)
    inside = (out == 0).all(2)
    height, width = inside.any(1).sum(), inside.any(0).sum()
    assert out.shape == (160, 80, 3) and (height == 160 or width == 80)
    assert abs(height / width - shape[0] / shape[1]) <= 1 / min(height, width) * shape[0] / shape[1]


@pytest.mark.parametrize(
    "values", [[1.0], [3.0, np.nan, 1.0], [np.nan] * 3, [1e-3, 1.0, 1e3], [-1.0, 0.0, 1.0]]
)
def test_every_series_can_be_drawn(tmp_path, values):
    curve(tmp_path / "loss.png", {"id": values, "loss": values})
    picture = cv2.imread(str(tmp_path / "loss.png"))
    assert picture.shape == (540, 960, 3) and picture.min() < 100


def test_the_running_mean_is_that_of_the_last_values():
    values = np.random.default_rng(0).normal(size=50)
    values[[3, 4, 20]] = np.nan
    wanted = [np.nanmean(values[max(0, i - 6) : i + 1]) for i in range(50)]
    np.testing.assert_allclose(running_mean(values, 7), wanted)
    assert np.isnan(running_mean(np.array([np.nan, 1.0]), 3)[0])


@pytest.mark.parametrize(
    ("scalars", "text"),
    [
        ({}, "curve needs at least one series"),
        ({"id": []}, r"curve: id must be one value per iteration, got \(0,\)"),
        ({"id": [[1.0]]}, r"curve: id must be one value per iteration, got \(1, 1\)"),
    ],
)
def test_series_that_are_none_are_refused(tmp_path, scalars, text):
    with pytest.raises(ValueError, match=text):
        curve(tmp_path / "loss.png", scalars)
    assert not list(tmp_path.iterdir())
