from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from reidkit.data import ColorJitter, Normalize, RandomCrop, RandomErasing, RandomFlip
from reidkit.registry import TRANSFORMS
from reidkit.structures import Field, ReIDBatch

N, H, W = 6, 24, 16


def batch(seed=0, dtype=torch.uint8, device="cpu", maps=True):
    rng = torch.Generator().manual_seed(99)
    images = torch.randint(0, 256, (N, 3, H, W), generator=rng, dtype=torch.uint8).to(dtype)
    made = ReIDBatch(images.contiguous(memory_format=torch.channels_last))
    if maps:
        masks = torch.rand(N, 5, 6, 4, generator=rng) > 0.5
        made = made.with_fields(
            masks=Field(masks, grid=True),
            part_map=Field(torch.randint(0, 8, (N, 12, 8), generator=rng), grid=True),
            visibility=masks.flatten(2).any(2).float(),
        )
    made = made.to(device)
    made.generator = torch.Generator().manual_seed(seed)
    return made


def again(result, seed):
    return replace(result, generator=torch.Generator().manual_seed(seed))


RANDOM = [
    dict(type="RandomFlip"),
    dict(type="ColorJitter", brightness=0.3, contrast=0.3, saturation=0.3, gain=0.1, p=0.7),
    dict(type="RandomCrop", pad=4),
    dict(type="RandomErasing", fill="noise"),
]


@pytest.mark.parametrize("cfg", RANDOM, ids=lambda cfg: cfg["type"])
def test_random_transforms_are_functions_of_the_generator_and_leave_their_input(cfg):
    transform = TRANSFORMS.build(cfg)
    dtype = torch.float32 if cfg["type"] == "RandomErasing" else torch.uint8
    source = batch(1, dtype)
    before = {name: source[name].clone() for name in ("images", "masks", "part_map")}
    first = transform(source)
    assert all(torch.equal(source[name], value) for name, value in before.items())
    assert torch.equal(first.images, transform(batch(1, dtype)).images)
    others = [transform(batch(seed, dtype)).images for seed in range(2, 6)]
    assert any(not torch.equal(first.images, other) for other in others)
    with pytest.raises(ValueError, match="a random transform needs batch.generator"):
        transform(replace(batch(dtype=dtype), generator=None))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("cfg", [*RANDOM, dict(type="Normalize")], ids=lambda cfg: cfg["type"])
def test_a_gpu_augments_like_the_cpu(cfg):
    transform = TRANSFORMS.build(cfg)
    dtype = torch.float32 if cfg["type"] == "RandomErasing" else torch.uint8
    here, there = transform(batch(1, dtype)), transform(batch(1, dtype, "cuda"))
    assert torch.allclose(here.images.float(), there.images.cpu().float(), atol=1e-3)
    assert torch.equal(here["masks"], there["masks"].cpu())
    assert torch.equal(here["part_map"], there["part_map"].cpu())


def test_flipping_twice_is_the_identity_on_image_masks_and_labels():
    once = RandomFlip(0.5)(batch(7))
    twice = RandomFlip(0.5)(again(once, 7))
    source = batch()
    flipped = (once.images != source.images).flatten(1).any(1)
    assert 0 < int(flipped.sum()) < N
    for name in ("images", "masks", "part_map"):
        plain, one, two = (b[name] for b in (source, once, twice))
        assert torch.equal(two, plain)
        assert torch.equal(one[flipped], plain[flipped].flip(-1))
        assert torch.equal(one[~flipped], plain[~flipped])
    assert torch.equal(once["masks"].sum(-1), source["masks"].sum(-1))  # row sums never change
    assert torch.equal(once["visibility"], source["visibility"])
    assert once.images.is_contiguous(memory_format=torch.channels_last)


def test_flip_probabilities():
    assert torch.equal(RandomFlip(0)(batch()).images, batch().images)
    assert torch.equal(RandomFlip(1)(batch()).images, batch().images.flip(-1))
    many = ReIDBatch(torch.arange(2.0).expand(4000, 1, 1, 2), generator=torch.Generator())
    share = RandomFlip(0.3)(many).images[:, 0, 0, 0].mean()
    assert abs(float(share) - 0.3) < 0.03
    with pytest.raises(ValueError, match=r"p must be in \[0, 1\], got 1.5"):
        RandomFlip(1.5)


def test_normalize_is_torchvisions():
    mean, std = (0.486, 0.459, 0.408), (0.229, 0.224, 0.225)
    source = batch()
    found = Normalize(mean, std)(source)
    assert found.images.dtype == torch.float32
    assert torch.allclose(found.images, tv.normalize(source.images / 255, mean, std), atol=1e-6)
    as_float = Normalize(mean, std)(batch(dtype=torch.float32))
    assert torch.equal(as_float.images, found.images)
    assert found.images.is_contiguous(memory_format=torch.channels_last)
    with pytest.raises(ValueError, match="mean and std need three numbers"):
        Normalize(mean=(0.5,))


@pytest.mark.parametrize(
    ("option", "function"),
    [
        ("brightness", tv.adjust_brightness),
        ("contrast", tv.adjust_contrast),
        ("saturation", tv.adjust_saturation),
    ],
)
def test_jitter_is_torchvisions_with_a_factor_of_each_image(option, function):
    column = ("brightness", "contrast", "saturation").index(option)
    uniform = torch.rand(N, 7, generator=torch.Generator().manual_seed(3))
    found = ColorJitter(**{option: 0.6})(batch(3)).images
    for image, plain, number in zip(found, batch().images, uniform[:, column], strict=True):
        factor = 1 + 0.6 * (2 * float(number) - 1)
        wanted = function(plain / 255, factor) * 255
        assert torch.allclose(image, wanted, atol=0.3)  # torchvision's grey has other digits


def test_gain_changes_channels_apart_and_p_chooses_images():
    gained = ColorJitter(gain=0.4)(batch(3)).images / batch().images.float().clamp(min=1)
    ratio = gained.amax((2, 3))
    assert float((ratio.amax(1) - ratio.amin(1)).min()) > 0
    some = ColorJitter(brightness=0.9, p=0.5)(batch(3)).images
    same = (some == batch().images.float()).flatten(1).all(1)
    assert 0 < int(same.sum()) < N
    assert torch.equal(ColorJitter(brightness=0.9, p=0)(batch()).images, batch().images.float())
    strong = ColorJitter(brightness=3.0, contrast=3.0, saturation=3.0)(batch()).images
    assert float(strong.min()) >= 0 and float(strong.max()) <= 255
    with pytest.raises(ValueError, match="must be at least 0"):
        ColorJitter(contrast=-0.1)


def shifted(array, dy, dx, fill=0):
    """Slow reference: pad, then cut."""
    height, width = array.shape[-2:]
    out = np.full_like(array, fill)
    for y in range(height):
        for x in range(width):
            if 0 <= y + dy < height and 0 <= x + dx < width:
                out[..., y, x] = array[..., y + dy, x + dx]
    return out


def cells(shift, stride):
    """Nearest whole cells, half away from zero."""
    return int(np.sign(shift) * ((abs(shift) + stride / 2) // stride))


def test_crop_moves_image_masks_and_part_map_together():
    found, source = RandomCrop(pad=5, fill=7)(batch(2)), batch()
    uniform = torch.rand(N, 2, generator=torch.Generator().manual_seed(2))
    shifts = (uniform * 11).floor().long() - 5
    assert shifts.abs().max() > 3
    for n, (dy, dx) in enumerate(shifts.tolist()):
        wanted = shifted(source.images[n].numpy(), dy, dx, 7)
        assert np.array_equal(found.images[n].numpy(), wanted)
        masks = shifted(source["masks"][n].numpy(), cells(dy, 4), cells(dx, 4))
        assert np.array_equal(found["masks"][n].numpy(), masks)
        parts = shifted(source["part_map"][n].numpy(), cells(dy, 2), cells(dx, 2))
        assert np.array_equal(found["part_map"][n].numpy(), parts)
        assert np.array_equal(found["visibility"][n].numpy(), masks.any((1, 2)))
    assert found.images.dtype == torch.uint8 and found["masks"].dtype == torch.bool
    assert found.images.is_contiguous(memory_format=torch.channels_last)


def test_crop_hides_regions_that_leave_the_image_and_never_reveals_one():
    source = batch(3, maps=False)
    masks = torch.zeros(N, 2, 6, 4, dtype=torch.bool)
    masks[:, 0, 0], masks[:, 1, 2:4] = True, True
    visibility = torch.tensor([1.0, 0.0]).expand(N, 2)
    source = source.with_fields(masks=Field(masks, grid=True), visibility=visibility)
    found = RandomCrop(pad=12)(source)
    gone = ~found["masks"][:, 0].flatten(1).any(1)
    assert 0 < int(gone.sum()) < N
    assert torch.equal(found["visibility"][:, 0], (~gone).float())
    assert not found["visibility"][:, 1].any()


def test_crop_refuses_cells_that_do_not_divide_the_image():
    tall = Field(torch.zeros(N, 7, 4), grid=True)
    with pytest.raises(ValueError, match="cannot move heat of 7x4 cells with images of 24x16"):
        RandomCrop(2)(batch(maps=False).with_fields(heat=tall))
    with pytest.raises(ValueError, match="pad must be at least 0 pixels, got -1"):
        RandomCrop(-1)


def test_erasing_overwrites_one_rectangle_of_the_asked_size():
    source = ReIDBatch(torch.full((400, 3, 64, 32), 5.0), generator=torch.Generator())
    found = RandomErasing(p=0.5, area=(0.1, 0.3), aspect=(0.5, 2.0))(source).images
    gone = (found == 0).all(1)
    erased = gone.flatten(1).any(1)
    assert 150 < int(erased.sum()) < 250
    kept = found.permute(0, 2, 3, 1)[~gone]
    assert bool((kept == 5).all())
    for area in gone[erased]:
        rows, columns = area.any(1).nonzero().flatten(), area.any(0).nonzero().flatten()
        tall, wide = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
        assert int(area.sum()) == tall * wide  # a full rectangle
        assert 0.08 < tall * wide / (64 * 32) < 0.33
        assert 0.45 < tall / wide < 2.2


def test_erasing_with_noise_touches_only_the_rectangle():
    source = batch(4, torch.float32)
    found = RandomErasing(p=1.0, fill="noise")(source).images
    hole = RandomErasing(p=1.0)(batch(4, torch.float32)).images == 0
    hole &= batch().images != 0
    assert bool((found[hole] != source.images[hole]).all())
    assert abs(float(found[hole].mean())) < 0.3 and 0.7 < float(found[hole].std()) < 1.3
    same = found == source.images
    assert bool((same | (found.abs() < 6)).all())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (dict(area=(0.5, 0.2)), "area must be in"),
        (dict(aspect=(0.0, 1.0)), "area must be in"),
        (dict(fill="grey"), "fill must be 'mean' or 'noise', got 'grey'"),
        (dict(p=-1), "p must be in"),
    ],
)
def test_erasing_checks_its_options(options, text):
    with pytest.raises(ValueError, match=text):
        RandomErasing(**options)


def test_erasing_refuses_bytes():
    with pytest.raises(ValueError, match="RandomErasing must stand after Normalize"):
        RandomErasing()(batch())


def test_crop_repeats_the_edge_where_asked():
    images = torch.arange(12.0).view(1, 1, 3, 4).expand(5, 3, 3, 4)
    for seed in range(5):
        batch = ReIDBatch(images, generator=torch.Generator().manual_seed(seed))
        padded = torch.nn.functional.pad(images, (2, 2, 2, 2), mode="replicate")
        cropped = RandomCrop(pad=2, edge=True)(batch).images
        for before, after in zip(padded, cropped, strict=True):
            places = [before[:, y : y + 3, x : x + 4] for y in range(5) for x in range(5)]
            assert any(torch.equal(after, place) for place in places)


def test_normalize_can_be_undone():
    pixels = torch.randint(0, 256, (2, 3, 8, 4), dtype=torch.uint8)
    step = Normalize()
    normal = step(ReIDBatch(pixels)).images
    assert torch.equal(step.inverse(normal), pixels)
    assert step.inverse(normal + 100).unique().tolist() == [255]
