"""E_s sees no brightness of a person and nothing of the scene; composites keep the scene."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from reidkit.cli.generate import main as generate
from reidkit.cli.train import main as train
from reidkit.structures import ReIDBatch
from reidkit.testing.fixtures import tiny_synthped  # noqa: F401
from reidkit_plugins.dgnet.iteration import swap
from reidkit_plugins.dgnet.losses import PUBLISHED
from reidkit_plugins.dgnet.scene import BodyParts, Scene, blend

SHAPE = (3, 16, 8)


def scenes(seed, count=SHAPE[0]):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(count, 3, *SHAPE[1:], generator=generator)
    parts = torch.randint(0, 8, (count, *SHAPE[1:]), generator=generator)
    contrast = 2 * torch.rand(count, 8, generator=generator) - 1
    return images, Scene(parts, contrast)


def reference(images, scene):
    """Part by part, image by image: the grey person, then a map of each part."""
    out = torch.zeros(len(images), 8, *images.shape[2:])
    for i, parts in enumerate(scene.parts):
        grey = images[i].mean(0)
        for part in range(1, 8):
            inside = parts == part
            out[i, part][inside] = 1
            if inside.any():
                out[i, 0][inside] = scene.contrast[i, part] * (grey[inside] - grey[inside].mean())
    return out


@given(st.integers(0, 10**6))
def test_what_e_s_sees_equals_a_loop_over_parts(seed):
    images, scene = scenes(seed)
    assert scene.body(images).shape[1] == Scene.CHANNELS
    torch.testing.assert_close(scene.body(images), reference(images, scene), atol=1e-5, rtol=1e-5)


@given(st.integers(0, 10**6), st.integers(0, 7))
def test_no_brightness_and_no_hue_gets_through(seed, part):
    """Of no part; of the background nothing at all."""
    images, scene = scenes(seed)
    colour = 4 * torch.randn(len(images), 3, 1, 1, generator=torch.Generator().manual_seed(seed))
    other = torch.where(scene.parts[:, None] == part, images + colour, images)
    torch.testing.assert_close(scene.body(other), scene.body(images), atol=1e-4, rtol=1e-4)


def test_composites_in_bfloat16_have_the_means_of_float32():
    """A sum of some thousand pixels does not fit into eight bits."""
    images = 1 + torch.rand(2, 3, 128, 64, generator=torch.Generator().manual_seed(0))
    images = images.bfloat16()
    scene = Scene(torch.full((2, 128, 64), 2), torch.ones(2, 8))
    body = scene.body(images)
    assert body.dtype == torch.float32
    torch.testing.assert_close(body, reference(images.float(), scene), atol=1e-4, rtol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(scene.body(images), body)


@given(st.integers(0, 10**6))
def test_the_person_is_laid_over_what_is_around(seed):
    """As a loop over pixels: each has the share of its neighbours, and itself, that are person."""
    images, scene = scenes(seed)
    scene.parts[:, :8] = 0  # far from the person the image stays to the bit
    person = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed + 1))
    composite = blend(scene.surroundings(images), person)
    assert torch.equal(composite[:, :, :7], images[:, :, :7])
    inside = scene.parts > 0
    for i, y, x in [(0, 8, 0), (1, 9, 4), (2, 15, 7)]:
        near = inside[i, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
        share = near.float().mean()
        expected = share * person[i, :, y, x] + (1 - share) * images[i, :, y, x]
        torch.testing.assert_close(composite[i, :, y, x], expected)


def standing(count=2, size=(64, 32)):
    """Joints of someone who fills the middle of a crop, and a batch of noise around it."""
    joints = np.zeros((17, 3))
    joints[[5, 6, 11, 12, 13, 14, 15, 16]] = [
        [20, 16, 1], [12, 16, 1], [19, 32, 1], [13, 32, 1],
        [19, 45, 1], [13, 45, 1], [19, 58, 1], [13, 58, 1],
    ]  # fmt: skip
    fields = dict(
        keypoints=torch.from_numpy(joints).expand(count, -1, -1).clone(),
        image_sizes=torch.tensor([size] * count),
    )
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, generator=generator)
    return ReIDBatch(images).with_fields(**fields)


def test_the_parts_are_of_the_joints_and_wider_than_limbs():
    parts = BodyParts()(standing())["body_parts"]
    assert parts.shape == (2, 64, 32) and parts[0, 24, 16] == 2  # torso
    assert parts[0, 50, 13] == 6 and parts[0, 2, 2] == 0  # lower leg; a corner
    with pytest.raises(KeyError, match="no 'keypoints'"):
        BodyParts()(ReIDBatch(torch.zeros(1, 3, 64, 32)))


def test_contrasts_are_drawn_in_training_alone():
    batch = BodyParts()(standing(4))
    assert Scene.of(batch, 4).contrast.unique().tolist() == [0.5]
    drawn = []
    for _ in range(2):
        batch.generator = torch.Generator().manual_seed(3)
        drawn.append(Scene.of(batch, 3).contrast)
    assert torch.equal(*drawn) and drawn[0].shape == (3, 8)
    assert drawn[0].min() < 0 < drawn[0].max() and drawn[0].abs().max() <= 1


@pytest.fixture
def hiding(net):
    terms = {name: dict(weight=1.0, start=0, ramp=0) for name in PUBLISHED}
    model = net.tiny(terms=terms, networks=dict(structure="scene")).train()
    model.objective.teacher = net.FakeTeacher()
    return model


def test_the_structure_code_does_not_know_the_clothes(hiding):
    batch = standing()
    parts = BodyParts()(batch)["body_parts"]
    batch.images[(parts == 2)[:, None].expand_as(batch.images)] = 0
    black = hiding.structure(batch)
    batch.images[(parts == 2)[:, None].expand_as(batch.images)] = 255
    encoder_channels = hiding.networks.encoder_channels
    torch.testing.assert_close(encoder_channels(hiding.structure(batch)), encoder_channels(black))
    torso = (parts == 2)[:, None].expand_as(batch.images)
    batch.images[torso] = (torch.arange(int(torso.sum())) % 2 * 255).byte()  # folds
    assert not torch.allclose(encoder_channels(hiding.structure(batch)), encoder_channels(black))


def test_composites_have_the_pixels_of_the_structures_crop_where_nobody_is(hiding):
    batch = standing()
    batch.images[1] = 255 - batch.images[1]
    composite = hiding.generate(hiding.appearance(batch).flip(0), hiding.structure(batch))
    parts = BodyParts()(batch)["body_parts"]
    near = F.max_pool2d((parts[:, None] > 0).float(), 3, 1, 1).bool().expand_as(composite)
    assert torch.equal(composite[~near], batch.images[~near])
    assert not torch.equal(composite[near], batch.images[near])


def test_keypoints_are_loaded_for_training_and_for_nothing_else(net, hiding):
    assert hiding.inputs("source") == {"keypoints"} and hiding.inputs(None) == set()
    assert net.tiny().inputs("source") == set()


def quarters(net, seed=0):
    batch = net.quarters(2, seed)
    fields = standing(len(batch)).fields
    return batch.with_fields(**fields)


@pytest.mark.parametrize("seed", range(6))
def test_an_iteration_hides_composites_as_the_crops_that_gave_their_structure(net, hiding, seed):
    prepared = hiding.data_preprocessor({"source": quarters(net, seed)}, True)["source"]
    step = hiding.iterate(prepared, 0)
    terms = {**step.generative_terms(), **step.reid_terms()}
    assert set(terms) == set(PUBLISHED) and all(t.isfinite() for t in terms.values())
    twin = step.scene.map(swap)
    assert torch.equal(twin.parts, swap(step.scene.parts))
    assert torch.equal(twin.contrast, swap(step.scene.contrast))
    again = swap(hiding.networks.encode_structure(step.composite, twin))
    encoder_channels = hiding.networks.encoder_channels
    expected = 2 * (encoder_channels(again) - encoder_channels(step.structure)).abs().mean()
    torch.testing.assert_close(terms["structure_code"], expected)


def test_unknown_structures_are_refused(net):
    with pytest.raises(ValueError, match="structure must be one of .*'gray'"):
        net.tiny(networks=dict(structure="gray"))


@pytest.mark.slow
def test_a_run_and_its_images(tiny_synthped, tmp_path):  # noqa: F811
    run = tmp_path / "run"
    small = (
        "data=synthped_tiny", f"settings.data_root={tiny_synthped}", "settings.workers=0",
        "settings.pictures=False", "settings.device=cpu", "input.size=(64,32)",
        "train.batch_size=8", "train.sampler.steps=2", "train.epochs=1", "model.backbone.width=8",
        "model.networks.structure_dim=2", "model.networks.mlp_dim=8", "model.networks.dim=8",
        "model.networks.discriminator_dim=4", "model.networks.dilations=(1,2,3)",
    )  # fmt: skip
    assert train(["configs/dgnet/generator_scene.py", *small, "--work-dir", str(run)]) == 0
    assert len(list((run / "samples").iterdir())) == 1
    grid = tmp_path / "grid.png"
    assert generate([str(run), "--grid", str(grid)]) == 0 and grid.stat().st_size > 1000
    out = tmp_path / "quality.json"
    assert generate([str(run), "--quality", "--out", str(out)]) == 0
    numbers = json.loads(out.read_text())
    assert (
        numbers["error of people, composites"] > numbers["error of background, structure as it is"]
    )
