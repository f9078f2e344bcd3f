"""Keypoints -> region masks, against the vectors of the specification and a slow loop."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidkit_plugins.eanet.regions import REGIONS, region_masks, stripe_masks

H, W = 24, 8
NAMES = ("lS", "rS", "lH", "rH", "lK", "rK", "lA", "rA")
JOINTS = dict(zip(NAMES, (5, 6, 11, 12, 13, 14, 15, 16), strict=True))
ALL = (0, H - 1)

POSE_A = dict(
    lS=(42, 25, 0.92),
    rS=(22, 27, 0.90),
    lH=(39, 62, 0.85),
    rH=(26, 63, 0.85),
    lK=(38, 90, 0.8),
    rK=(27, 91, 0.8),
    lA=(37, 117, 0.75),
    rA=(28, 119, 0.7),
)
SHOES_A = {20: (4, 5), 21: (3, 4, 5, 6), 22: (2, 3, 4, 5, 6, 7), 23: (3, 4, 5, 6)}
POSE_B = POSE_A | dict(lA=(37, 117, 0.05), rA=(28, 119, 0.10), rK=(27, 91, 0.10))
POSE_C = dict(
    lS=(50, 41.5, 0.6),
    rS=(30, 43, 0.05),
    lH=(47, 99.9, 0.03),
    rH=(33, 100.2, 0.09),
    lK=(46, 141, 0.5),
    rK=(33, 150, 0.5),
    lA=(45, 188, 0.5),
    rA=(30, 2, 0.01),
)
POSE_D = dict(
    lS=(30, 90, 0.9),
    rS=(34, 94, 0.9),
    lH=(31, 60, 0.9),
    rH=(33, 60, 0.9),
    lK=(31, 130, 0.9),
    lA=(-5, 131, 0.9),
    rA=(70, 127, 0.9),
)
POSE_E = dict(
    lS=(32, 4, 0.9), rS=(32, 4, 0.9), lH=(32, 10, 0.9), rH=(32, 10, 0.9), lA=(32, 60, 0.9)
)
POSE_F = dict(
    lS=(32, 50, 0.9),
    lH=(20, 52, 0.9),
    rH=(20, 52, 0.9),
    lK=(20, 200, 0.9),
    lA=(-30, 10, 0.9),
)
POSE_G = dict(lS=(30, 30, 2), rS=(34, 30, 2), lH=(30, 70, 2), rH=(34, 70, 2))

# image (height, width), pose, confidence, first and last row of the stripes R1 .. R9 (R6: cells)
VECTORS = {
    "A": (
        (128, 64),
        POSE_A,
        0.1,
        [(0, 4), (5, 7), (8, 11), (12, 16), (17, 21), SHOES_A, (0, 11), (12, 23), ALL],
    ),
    "B": (
        (128, 64),
        POSE_B,
        0.1,
        [(0, 4), (5, 7), (8, 11), (12, 16), (17, 22), {}, (0, 11), (12, 23), ALL],
    ),
    "C": (
        (200, 80),
        POSE_C,
        0.1,
        [
            (0, 4),
            None,
            None,
            None,
            (17, 22),
            {21: (5,), 22: (4, 5, 6), 23: (3, 4, 5, 6, 7)},
            None,
            None,
            ALL,
        ],
    ),
    "D": (
        (128, 64),
        POSE_D,
        0.1,
        [
            (11, 16),
            None,
            None,
            (11, 23),
            None,
            {22: (0,), 23: (0, 1, 7)},
            (0, 10),
            (11, 23),
            ALL,
        ],
    ),
    "E": (
        (128, 64),
        POSE_E,
        0.1,
        [
            (0, 0),
            None,
            (1, 1),
            None,
            None,
            {9: (4,), 10: (3, 4, 5), 11: (2, 3, 4, 5, 6), 12: (3, 4, 5), 13: (4,)},
            (0, 1),
            (2, 23),
            ALL,
        ],
    ),
    "F": (
        (128, 64),
        POSE_F,
        0.1,
        [
            (3, 8),
            (9, 9),
            None,
            (10, 23),
            None,
            {0: (0,), 1: (0, 1), 2: (0, 1, 2), 3: (0, 1), 4: (0,)},
            (0, 9),
            (10, 23),
            ALL,
        ],
    ),
    "G, flags as they are": ((128, 64), POSE_G, None, [None] * 5 + [{}, None, None, ALL]),
    "G": (
        (128, 64),
        POSE_G,
        0.1,
        [(0, 5), (6, 8), (9, 12), None, None, {}, (0, 12), None, ALL],
    ),
}


def pose(joints):
    keypoints = torch.zeros(1, 17, 3, dtype=torch.float64)
    for name, values in joints.items():
        keypoints[0, JOINTS[name]] = torch.tensor(values, dtype=torch.float64)
    return keypoints


def drawn(regions):
    masks = torch.zeros(len(REGIONS), H, W, dtype=torch.bool)
    for mask, region in zip(masks, regions, strict=True):
        if isinstance(region, dict):
            for row, columns in region.items():
                mask[row, list(columns)] = True
        elif region is not None:
            mask[region[0] : region[1] + 1] = True
    return masks


@pytest.mark.parametrize("case", VECTORS)
def test_spec_vector(case):
    size, joints, confidence, regions = VECTORS[case]
    masks, visibility = region_masks(pose(joints), torch.tensor([size]), (H, W), confidence)
    wanted = drawn(regions)
    assert masks.dtype == torch.bool and visibility.dtype == torch.float32
    for name, mask, right in zip(REGIONS, masks[0], wanted, strict=True):
        assert torch.equal(mask, right), name
    assert visibility[0].tolist() == wanted.flatten(1).any(1).float().tolist()


def test_spec_cell_sums_and_visibility():
    masks, visibility = region_masks(pose(POSE_A), torch.tensor([[128, 64]]))
    assert masks[0].flatten(1).sum(1).tolist() == [40, 24, 32, 40, 40, 16, 96, 96, 192]
    assert visibility.tolist() == [[1.0] * 9]
    assert region_masks(pose(POSE_C), torch.tensor([[200, 80]]))[1].tolist() == [
        [1, 0, 0, 0, 1, 1, 0, 0, 1]
    ]


ROUNDING = {
    2.666: 0,
    2.67: 1,
    8: 2,
    13.33: 2,
    13.34: 3,
    61.33: 11,
    61.34: 12,
    125.33: 23,
    125.4: 24,
    128: 24,
    140: 24,
    -3: 0,
}


@pytest.mark.parametrize(("y", "row"), ROUNDING.items())
def test_row_rounding(y, row):
    """The upper half ends at the hip's row."""
    hips = pose(dict(lH=(5, y, 1), rH=(9, y, 1)))
    upper_half = region_masks(hips, torch.tensor([[128, 64]]))[0][0, REGIONS.index("upper_half")]
    assert upper_half.all(1).sum() == row


@pytest.mark.parametrize(("value", "visible"), [(0.1, 0.0), (0.1000001, 1.0), (float("nan"), 0.0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_confidence_is_strict_in_both_precisions(value, visible, dtype):
    shoulders = pose(dict(lS=(5, 30, value))).to(dtype)
    assert region_masks(shoulders, torch.tensor([[128, 64]]))[1][0, 0] == visible


def test_a_joint_without_a_number_is_missing():
    broken = pose(POSE_A | dict(lS=(float("nan"), float("nan"), 0.9), rS=(22, float("nan"), 0.9)))
    missing = pose(POSE_A | dict(lS=(0, 0, 0), rS=(0, 0, 0)))
    size = torch.tensor([[128, 64]])
    assert torch.equal(region_masks(broken, size)[0], region_masks(missing, size)[0])


def test_only_the_whole_stays_without_joints():
    masks, visibility = region_masks(torch.zeros(2, 17, 3), torch.tensor([[128, 64]] * 2))
    assert visibility.tolist() == [[0.0] * 8 + [1.0]] * 2
    assert masks[:, -1].all() and not masks[:, :-1].any()


def test_head_and_arms_change_nothing():
    plain, moved = pose(POSE_A), pose(POSE_A)
    others = [i for i in range(17) if i not in JOINTS.values()]
    moved[0, others] = torch.rand(len(others), 3, dtype=torch.float64) * 100
    size = torch.tensor([[128, 64]])
    assert torch.equal(region_masks(plain, size)[0], region_masks(moved, size)[0])


def test_flipped_masks_are_not_masks_of_flipped_keypoints():
    """At width 64, x = 37 is column 5, reversed 2; its mirror image x = 27 is column 3."""
    size = torch.tensor([[128, 64]])
    shoes = REGIONS.index("shoes")
    flipped = region_masks(pose(dict(lA=(37, 64, 1))), size)[0][0, shoes].flip(-1)
    mirrored = region_masks(pose(dict(lA=(27, 64, 1))), size)[0][0, shoes]
    assert flipped[10].nonzero().flatten().tolist() == [2]
    assert mirrored[10].nonzero().flatten().tolist() == [3]


def row(y, height):
    return min(max(math.trunc(H * y / height + 0.5), 0), H)


def slow_masks(keypoints, height, width):
    """The rules of the specification, one joint and one cell at a time."""

    def fused(left, right):
        seen = [keypoints[j][1] for j in (left, right) if keypoints[j][2] > 0.1]
        return (sum(seen) / len(seen), True) if seen else (0.0, False)

    (s, vs), (hp, vh), (kn, vk), (an, va) = fused(5, 6), fused(11, 12), fused(13, 14), fused(15, 16)
    rs, rm, rh, rk, ra = (row(y, height) for y in (s, (s + hp) / 2, hp, kn, an))
    stripes = {
        0: (max(0, rs - 6), rs, vs),
        1: (rs, rm, vs and vh),
        2: (rm, rh, vs and vh),
        3: (rh, rk, vh and vk),
        4: (rk, ra if va else min(H, rk + 6), vk),
        6: (0, rh, vh),
        7: (rh, H, vh and (vk or va)),
        8: (0, H, True),
    }
    masks = np.zeros((9, H, W), bool)
    for region, (start, stop, flag) in stripes.items():
        if flag:
            masks[region, start:stop] = True
    for joint in (15, 16):
        x, y, confidence = keypoints[joint]
        if confidence > 0.1:
            column = min(max(math.trunc(W * x / width + 0.5), 0), W)
            for i in range(H):
                for j in range(W):
                    if (j - column) ** 2 + (i - row(y, height)) ** 2 <= 4:
                        masks[5, i, j] = True
    return masks


@pytest.mark.slow
def test_slow_reference_on_random_poses():
    random = np.random.default_rng(0)
    count = 4000
    sizes = random.integers(40, 300, (count, 2))
    points = random.random((count, 17, 2))
    outside = random.random(count) < 0.5
    points[outside] = points[outside] * 1.6 - 0.3
    points *= sizes[:, None, ::-1]
    confidence = np.where(random.random((count, 17)) < 0.3, 0.0, random.random((count, 17)))
    keypoints = np.concatenate([points, confidence[..., None]], 2)
    masks, visibility = region_masks(torch.from_numpy(keypoints), torch.from_numpy(sizes))
    slow = np.stack([slow_masks(k, h, w) for k, (h, w) in zip(keypoints, sizes, strict=True)])
    assert np.array_equal(masks.numpy(), slow)
    assert np.array_equal(visibility.numpy(), slow.any((2, 3)))


@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.integers(1, 400))
@settings(deadline=None, max_examples=40)
def test_halves_tile_and_masks_agree_with_visibility(seed, height, width):
    rng = np.random.default_rng(seed)
    joints = rng.uniform(-200, 400, (32, 17, 3))
    joints[..., 2] = rng.choice([0.0, 0.1, 0.5, 1.0], (32, 17))
    sizes = torch.tensor([[height, width]]).expand(32, 2)
    masks, visibility = region_masks(torch.from_numpy(joints), sizes)
    both = visibility[:, 6].bool() & visibility[:, 7].bool()
    assert (masks[both, 6] + masks[both, 7] == 1).all()
    assert torch.equal(visibility, masks.flatten(2).any(2).float())
    stripes = [i for i in range(9) if i != REGIONS.index("shoes")]
    assert torch.equal(masks[:, stripes].any(3), masks[:, stripes].all(3))


def test_other_mask_sizes_scale():
    """A mask twice as fine holds the same stripes where no rounding interferes."""
    joints = pose(dict(lS=(5, 32, 1), lH=(5, 64, 1), lK=(5, 96, 1)))
    size = torch.tensor([[128, 64]])
    coarse, fine = region_masks(joints, size)[0], region_masks(joints, size, (48, 16))[0]
    doubled = coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.equal(doubled, fine)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"^keypoints must be \(N, 17, 3\), got \(1, 16, 3\)$"):
        region_masks(torch.zeros(1, 16, 3), torch.ones(1, 2))
    with pytest.raises(
        ValueError, match=r"^image_sizes must be \(N, 2\) = \(1, 2\), got \(2, 2\)$"
    ):
        region_masks(torch.zeros(1, 17, 3), torch.ones(2, 2))


def test_stripes_tile_the_image():
    masks, visibility = stripe_masks(2, 6, (24, 8))
    assert (masks.sum(1) == 1).all() and (visibility == 1).all()
    assert masks[0].flatten(1).sum(1).tolist() == [32] * 6
    with pytest.raises(ValueError, match="^24 rows cannot be cut into 7 equal stripes$"):
        stripe_masks(1, 7, (24, 8))
