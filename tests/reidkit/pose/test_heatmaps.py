"""Batched decoding against mmpose's own codecs, image by image."""

import numpy as np
import pytest
import torch

from reidkit.pose.compat import load_mmpose
from reidkit.pose.heatmaps import decode_one_by_one, decoder_for

SIZES = dict(input_size=(64, 128), heatmap_size=(16, 32))


def codec_of(kind, **options):
    load_mmpose()
    from mmpose import codecs

    return getattr(codecs, kind)(**options)


def heat(codec, seed, count=6):
    """Encoded joints, some at the border, with noise and one joint without heat."""
    rng = np.random.default_rng(seed)
    maps = []
    for _ in range(count):
        points = rng.uniform([-3, -3], [67, 131], (1, 17, 2)).astype(np.float32)
        encoded = codec.encode(points, np.ones((1, 17), np.float32))
        if "heatmaps" in encoded:
            maps.append((encoded["heatmaps"],))
        else:
            maps.append((encoded["keypoint_x_labels"][0], encoded["keypoint_y_labels"][0]))
    fields = [np.stack(field) * 0.8 for field in zip(*maps, strict=True)]
    fields = [f + rng.uniform(0.001, 0.1, f.shape).astype(np.float32) for f in fields]
    for field in fields:
        field[0, 0] = -0.5
    return [torch.from_numpy(f.astype(np.float32)) for f in fields]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("MSRAHeatmap", dict(**SIZES, sigma=1.5)),
        ("MSRAHeatmap", dict(**SIZES, sigma=1.5, unbiased=True)),
        ("MSRAHeatmap", dict(**SIZES, sigma=2.0, unbiased=True, blur_kernel_size=17)),
        ("UDPHeatmap", dict(**SIZES, heatmap_type="gaussian", sigma=2.0)),
        ("SimCCLabel", dict(input_size=(64, 128), sigma=4.0, simcc_split_ratio=2.0)),
    ],
)
def test_batched_decoding_is_mmposes(kind, options):
    codec = codec_of(kind, **options)
    fields = heat(codec, seed=3)
    encoded = fields[0] if len(fields) == 1 else tuple(fields)
    found, confidence = decoder_for(codec)(encoded)
    wanted, scores = decode_one_by_one(encoded, codec)
    assert torch.allclose(confidence, scores)
    if kind == "UDPHeatmap":  # no heat anywhere: mmpose reads outside the map, we do not
        found, wanted = found[1:], wanted[1:]
    moved = (found - wanted).abs().amax(-1)
    near = moved < 0.02
    assert near.float().mean() > 0.95
    # the rest: mmpose's Newton steps of more than a cell, where maps are flat
    cell = torch.tensor([64 / 15, 128 / 31])
    limit = torch.tensor([64, 128]) + cell
    assert ((found > -1.01 * cell) & (found < 1.01 * limit)).all()


def test_decoding_finds_the_joint_itself():
    codec = codec_of("MSRAHeatmap", **SIZES, sigma=1.5, unbiased=True)
    points = np.random.default_rng(0).uniform([16, 16], [48, 112], (1, 17, 2)).astype(np.float32)
    heatmaps = torch.from_numpy(codec.encode(points)["heatmaps"])[None]
    found, confidence = decoder_for(codec)(heatmaps)
    assert np.abs(found[0].numpy() - points[0]).max() < 0.2
    assert (confidence > 0.8).all()


def test_other_codecs_are_left_to_mmpose():
    codec = codec_of("UDPHeatmap", **SIZES, heatmap_type="combined")
    maps = torch.rand(3, 51, 32, 16, generator=torch.Generator().manual_seed(0))
    found, confidence = decoder_for(codec)(maps)
    wanted, scores = codec.decode(maps[2].numpy())
    assert np.allclose(found[2].numpy(), wanted[0], atol=1e-4)
    assert np.allclose(confidence[2].numpy(), scores[0])


def test_simcc_with_dark_is_decoded():
    options = dict(sigma=(4.9, 5.66), simcc_split_ratio=2.0, use_dark=True)
    codec = codec_of("SimCCLabel", input_size=(64, 128), **options)
    points = np.random.default_rng(0).uniform([16, 16], [48, 112], (1, 17, 2)).astype(np.float32)
    encoded = codec.encode(points)
    fields = [torch.from_numpy(encoded[f"keypoint_{axis}_labels"]) for axis in "xy"]
    found, _ = decoder_for(codec)((fields[0], fields[1]))
    assert np.abs(found[0].numpy() - points[0]).max() < 1


@pytest.mark.parametrize(
    "kind, options", [("UDPHeatmap", {}), ("MSRAHeatmap", dict(unbiased=True))]
)
def test_maps_without_a_joint_move_it_no_further_than_a_cell(kind, options):
    codec = codec_of(kind, **SIZES, sigma=2.0, **options)
    rng = np.random.default_rng(0)
    maps = torch.from_numpy((0.01 * rng.random((64, 17, 32, 16)) ** 4).astype(np.float32))
    points, _ = decoder_for(codec)(maps)
    cell = torch.tensor([64 / 15, 128 / 31])
    assert (points > -1.01 * cell).all() and (points < torch.tensor([64, 128]) + 1.01 * cell).all()
