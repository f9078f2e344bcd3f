import numpy as np
import pytest
import torch

from reidkit.errors import UserError
from reidkit.pose.compat import quiet
from reidkit.pose.labeller import TopdownLabeller, pick_dtype
from reidkit.pose.models import build_model, resolve


@pytest.fixture(scope="module")
def people():
    """Rendered people, so that the shipped model's heat has clear peaks."""
    from reidkit.synthped.world import Shot, render

    return [render(Shot("A", identity=i, camera=1 + i % 4, preset="easy")) for i in range(24)]


def one_by_one(images, flip):
    model, _ = build_model(resolve("synthped", None))
    model.test_cfg["flip_test"] = flip
    from mmpose.apis import inference_topdown

    rows = []
    with quiet():
        for image in images:
            found = inference_topdown(model, np.ascontiguousarray(image[..., ::-1]))
            found = found[0].pred_instances
            rows.append(np.column_stack([found.keypoints[0] + 0.5, found.keypoint_scores[0]]))
    return np.stack(rows)


@pytest.mark.slow
@pytest.mark.parametrize("flip", [False, True])
def test_batches_give_what_inference_topdown_gives(people, flip):
    images = [crop.image for crop in people]
    labeller = TopdownLabeller(
        "synthped", device="cpu", precision="fp32", batch_size=10, flip_test=flip, part_pairs=False
    )
    found, wanted = labeller.label(images), one_by_one(images, flip)
    confidence = np.clip(wanted[..., 2], 0, 1) ** labeller.gamma
    assert np.abs(found[..., 2] - confidence).max() < 0.03
    clear = confidence > 0.1
    distance = np.linalg.norm(found[..., :2] - wanted[..., :2], axis=-1)[clear]
    assert clear.sum() > 100
    assert np.quantile(distance, 0.99) < 1.0  # pixels; a tie between two peaks may differ
    assert np.median(distance) < 0.1


def test_the_shipped_model_finds_joints_of_people_it_never_saw(people):
    from reidkit.pose.score import pck
    from reidkit.pose.truth import joints_in_picture

    found = TopdownLabeller("synthped", device="cpu").label([crop.image for crop in people])
    truth = np.stack([crop.joints for crop in people])
    sizes = np.array([crop.image.shape[:2] for crop in people])
    there = joints_in_picture(truth, sizes, np.stack([crop.part_map for crop in people]))
    assert np.nanmean(pck(found, truth)) >= 0.94  # measured 0.969
    assert ((found[..., 2] > 0.1) == there).mean() >= 0.94  # measured 0.969


def test_batch_size_and_order_do_not_matter(crop):
    images = [crop(i, 100 + 3 * i, 50 + i) for i in range(5)]
    one = TopdownLabeller("synthped", device="cpu", precision="fp32", batch_size=5).label(images)
    two = TopdownLabeller("synthped", device="cpu", precision="fp32", batch_size=2).label(
        images[::-1]
    )[::-1]
    assert np.abs(one[..., 2] - two[..., 2]).max() < 1e-3


def test_no_crops_and_wrong_options():
    labeller = TopdownLabeller("synthped", "random", device="cpu")
    assert labeller.label([]).shape == (0, 17, 3)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        TopdownLabeller("synthped", "random", batch_size=0)
    with pytest.raises(ValueError, match="precision must be auto, fp32, bf16 or fp16, got 'int8'"):
        TopdownLabeller("synthped", "random", precision="int8")


def test_provenance_tells_models_apart_and_ignores_speed():
    plain = TopdownLabeller("synthped", device="cpu").provenance
    assert plain == TopdownLabeller("synthped", device="cpu", batch_size=7).provenance
    assert plain != TopdownLabeller("synthped", device="cpu", flip_test=True).provenance
    assert plain != TopdownLabeller("synthped", device="cpu", part_pairs=False).provenance
    assert len(plain["weights_sha256"]) == 64


def test_precision_follows_the_device(monkeypatch):
    cpu = torch.device("cpu")
    assert pick_dtype("auto", torch.device("cuda")) == torch.float16
    with pytest.raises(UserError, match="precision fp16 needs a CUDA device"):
        pick_dtype("fp16", cpu)
    monkeypatch.setattr("reidkit.utils.processor.has_bf16_units", lambda: True)
    assert pick_dtype("bf16", cpu) == torch.bfloat16
    monkeypatch.setattr("reidkit.utils.processor.has_bf16_units", lambda: False)
    with pytest.raises(UserError, match="precision bf16: this processor has no bf16 units"):
        pick_dtype("bf16", cpu)


@pytest.mark.gpu
def test_a_gpu_gives_the_same_labels(people):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    images = [crop.image for crop in people]
    cpu = TopdownLabeller("synthped", device="cpu", precision="fp32").label(images)
    gpu = TopdownLabeller("synthped", device="cuda").label(images)
    clear = cpu[..., 2] > 0.1
    distance = np.linalg.norm(cpu[..., :2] - gpu[..., :2], axis=-1)[clear]
    assert np.quantile(distance, 0.99) < 1.0
    assert np.abs(cpu[..., 2] - gpu[..., 2]).max() < 0.05
