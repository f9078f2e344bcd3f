import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit.pose.compat import load_mmpose, quiet
from reidkit.pose.warp import Geometry, pad_crops, to_crop_pixels, warp_crops

GEOMETRIES = [
    Geometry((128, 64), 1.0),
    Geometry((192, 64), 1.25),
    Geometry((96, 72), 1.25, udp=True),
]


def mmpose_warp(image, geometry):
    load_mmpose()
    from mmpose.datasets.transforms import GetBBoxCenterScale, TopdownAffine

    height, width = image.shape[:2]
    results = dict(img=image, bbox=np.array([[0, 0, width, height]], dtype=np.float32))
    size = geometry.input_size[::-1]
    with quiet():
        results = GetBBoxCenterScale(padding=geometry.padding)(results)
        return TopdownAffine(size, use_udp=geometry.udp)(results)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_the_batch_is_warped_as_mmpose_warps_each_crop(geometry, crop):
    images = [crop(i, h, w) for i, (h, w) in enumerate([(128, 64), (90, 50), (176, 40), (60, 60)])]
    found = warp_crops(*pad_crops(images), geometry)
    for image, row in zip(images, found, strict=True):
        wanted = mmpose_warp(image, geometry)["img"].astype(np.float32)
        difference = np.abs(row.permute(1, 2, 0).numpy() - wanted)
        # OpenCV rounds places to 1/32 pixel and values to whole grey
        assert difference.mean() < 0.5
        assert np.quantile(difference, 0.99) < 6


def test_a_crop_of_the_input_size_is_not_touched(crop):
    batch, sizes = pad_crops([crop(0, 128, 64), crop(1, 128, 64)])
    found = warp_crops(batch, sizes, Geometry((128, 64), 1.0))
    assert torch.equal(found, batch.permute(0, 3, 1, 2).float())


@settings(max_examples=30, deadline=None)
@given(st.integers(20, 200), st.integers(10, 120), st.sampled_from(GEOMETRIES))
def test_joints_return_to_the_pixels_they_came_from(height, width, geometry):
    box = geometry.boxes(torch.tensor([[height, width]]))[0]
    assert box[2] / box[3] == pytest.approx(geometry.input_size[1] / geometry.input_size[0])
    h, w = geometry.input_size
    corners = torch.tensor([[[0.0, 0.0], [w, h], [w / 2, h / 2]]])
    back = to_crop_pixels(corners, torch.tensor([[height, width]]), geometry)[0] - 0.5
    assert torch.allclose(back[0], box[:2], atol=1e-4)
    assert torch.allclose(back[1], box[:2] + box[2:], atol=1e-3)
    assert torch.allclose(back[2], torch.tensor([width / 2, height / 2]), atol=1e-3)


def test_padding_does_not_leak_between_crops(crop):
    small, large = crop(0, 40, 20), crop(1, 100, 90)
    geometry = Geometry((64, 32), 1.25)
    alone = warp_crops(*pad_crops([small]), geometry)
    together = warp_crops(*pad_crops([small, large]), geometry)
    assert torch.allclose(alone[0], together[0], atol=1e-2)


def test_what_is_no_crop_is_refused():
    with pytest.raises(ValueError, match="at least one crop"):
        pad_crops([])
    with pytest.raises(ValueError, match=r"must be \(H, W, 3\) uint8, got \(4, 4\) uint8"):
        pad_crops([np.zeros((4, 4), np.uint8)])
    with pytest.raises(ValueError, match="no TopdownAffine: LoadImage"):
        Geometry.of_pipeline([dict(type="LoadImage")])
