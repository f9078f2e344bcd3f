"""Fixed and started stripes, given visibility, and a rate for temporal attention."""

import numpy as np
import pytest
import torch

from reidkit.config import load_config, stage_configs
from reidkit.engine.optim import build_schedule
from reidkit.structures import FeatureSpec, ReIDBatch
from reidkit.synthped.video_plan import video_folder
from reidkit_plugins.drsa import spatial
from reidkit_plugins.drsa.head import DRSAHead
from reidkit_plugins.drsa.losses import DiversityLoss
from reidkit_plugins.drsa.temporal import TemporalPool
from reidkit_plugins.drsa.transforms import TrueVisibility

SPECS = {"map": FeatureSpec(16, 16)}


def features():
    return torch.rand(6, 16, 8, 4, generator=torch.Generator().manual_seed(0))


def test_fixed_stripes_are_the_mean_over_each_band():
    maps = spatial.log_maps(spatial.FixedStripes(16, 4)(features())).exp()
    gated = spatial.gate(maps, features())
    bands = features().view(6, 16, 4, 2 * 4).mean(3).transpose(1, 2)
    torch.testing.assert_close(gated, bands, atol=1e-5, rtol=1e-5)
    head = DRSAHead(SPECS, parts=4, attention="stripes", pool="mean")
    assert not list(head.spatial.parameters())
    assert DiversityLoss()(maps.log()).item() < 1e-6


def test_started_maps_lie_on_their_bands_and_can_leave_them():
    torch.manual_seed(0)
    head = DRSAHead(SPECS, parts=4, hidden=8, init="stripes")
    maps = spatial.log_maps(head.spatial(features())).exp().view(6, 4, 4, 8)
    inside = maps.diagonal(dim1=1, dim2=2).sum(1)  # (6, 4): a band's share of its map
    assert inside.min() > 0.8
    plain = spatial.log_maps(DRSAHead(SPECS, parts=4, hidden=8).spatial(features())).exp()
    assert plain.view(6, 4, 4, 8).diagonal(dim1=1, dim2=2).sum(1).max() < 0.7
    maps.square().sum().backward()
    assert head.spatial.place.grad.abs().min() > 0


def test_given_visibility_weighs_the_frames_of_each_part():
    pool = TemporalPool(2, 1, "visibility")
    vectors = torch.tensor([[[[1.0], [1.0]], [[3.0], [3.0]]]])  # 2 frames, 2 parts
    seen = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    first, second = pool(vectors, seen).flatten().tolist()
    assert first == pytest.approx(1.005, abs=0.001) and second == 2.0
    with pytest.raises(ValueError, match="pool 'visibility' wants it as"):
        pool(vectors)
    head = DRSAHead(SPECS, parts=4, attention="stripes", pool="visibility").eval()
    assert head.asks == ("visibility",)
    batch = ReIDBatch(torch.zeros(6, 3, 128, 64), frames=3)
    one, other = (
        head({"map": features()}, batch.with_fields(visibility=v)).embedding.vectors
        for v in (torch.ones(6, 4), torch.eye(6)[:, :4])
    )
    assert (one - other).abs().max() > 1e-4


def test_true_visibility_is_that_of_the_frames(tmp_path):
    folder = video_folder(tmp_path, "easy", "A")
    folder.mkdir(parents=True)
    shares = np.arange(16, dtype=np.float32).reshape(2, 8) / 16
    np.savez(folder / "truth.npz", paths=np.array(["t/a.jpg", "t/b.jpg"]), visible=shares)
    step = TrueVisibility(preset="easy", settings={"data_root": str(tmp_path)})
    batch = ReIDBatch(torch.zeros(2, 3, 8, 4), paths=["t/b.jpg", "t/a.jpg"], frames=2)
    np.testing.assert_array_equal(step(batch)["visibility"].numpy(), shares[::-1][:, [1, 2, 5, 6]])
    with pytest.raises(ValueError, match="has no t/c.jpg"):
        step(ReIDBatch(torch.zeros(1, 3, 8, 4), paths=["t/c.jpg"]))
    assert (step(ReIDBatch(torch.zeros(2, 3, 8, 4), paths=["0.jpg"]))["visibility"] == 1).all()
    with pytest.raises(ValueError, match="needs the path of every frame"):
        step(ReIDBatch(torch.zeros(2, 3, 8, 4), paths=["t/a.jpg"]))


def test_unknown_starts():
    with pytest.raises(ValueError, match="init must be one of"):
        DRSAHead(SPECS, init="bands")
    with pytest.raises(ValueError, match='is of attention="independent"'):
        DRSAHead(SPECS, attention="shared", init="stripes")


def test_temporal_attention_can_leave_the_mean_within_its_stage():
    """AdamW moves a weight by at most its rate a step; all steps together must be enough.

    Enhanced vectors have length 1, so a response that differs by 3 between frames (e^3 = 20 to 1)
    needs weights of that size.
    """
    stage = stage_configs(load_config("drsa/drsa"))[2].train
    assert stage["freeze"] == ["backbone", "aux_heads"]  # both attentions learn
    steps = 390 // stage.batch_size  # of the standard tracklets
    weight = torch.nn.Parameter(torch.zeros(1))
    rate = stage.optimizer.lr * stage.lr_mult["head.temporal.*"]
    optimizer, travelled = torch.optim.AdamW([weight], lr=rate, weight_decay=0.0), 0.0
    rise, fall = build_schedule(stage.schedule.to_dict(), stage.epochs, steps)
    for step in range(stage.epochs * steps):
        up = min(1.0, step / rise["end"])
        cosine = 0.5 * (1 + np.cos(np.pi * max(0, step - fall["begin"]) / fall["T_max"]))
        optimizer.param_groups[0]["lr"] = rate * min(up, cosine)
        before = weight.item()
        weight.grad = torch.ones(1)
        optimizer.step()
        travelled += abs(weight.item() - before)
    assert travelled > 3.0
