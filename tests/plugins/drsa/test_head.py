"""Spatial and temporal attention: shapes, sums, a slow reference, and what has no influence."""

import pytest
import torch
from torch import nn

from reidkit.structures import FeatureSpec, ReIDBatch
from reidkit_plugins.drsa import spatial
from reidkit_plugins.drsa.enhance import VARIANTS as ENHANCE
from reidkit_plugins.drsa.head import DRSAHead
from reidkit_plugins.drsa.temporal import TemporalPool

B, N, K, D = 3, 5, 4, 16
SPECS = {"shallow": FeatureSpec(4, 8), "deep": FeatureSpec(D, 16)}


def features(seed=0):
    source = torch.Generator().manual_seed(seed)
    return torch.rand(B * N, D, 8, 4, generator=source)


def clips(frames=N):
    return ReIDBatch(torch.zeros(B * N, 3, 128, 64), frames=frames)


def make(**options):
    torch.manual_seed(0)
    return DRSAHead(SPECS, **{"parts": K, "hidden": 8, **options})


@pytest.mark.parametrize("attention", ["independent", "shared"])
@pytest.mark.parametrize("enhance", ["fc_l2", "none", "second_order"])
@pytest.mark.parametrize("pool", ["attn", "frame_attn", "mean", "max"])
def test_shapes_and_sums(attention, enhance, pool):
    head = make(attention=attention, enhance=enhance, pool=pool)
    out = head({"deep": features()}, clips())
    vectors, log_maps = out.embedding.vectors, out.outputs["attention"]
    assert vectors.shape == (B, 1, 128) and log_maps.shape == (B * N, K, 32)
    torch.testing.assert_close(vectors.norm(dim=2), torch.ones(B, 1))
    sums = log_maps.exp().sum(2)
    torch.testing.assert_close(sums, torch.ones_like(sums), atol=1e-6, rtol=0)
    weights = head.temporal.weights(head.by_frame(features(), N)[0])
    assert weights.shape == (B, N, K)
    torch.testing.assert_close(weights.sum(1), torch.ones(B, K), atol=1e-6, rtol=0)
    assert set(out.known()) == set(head.gives) == {"vectors", "attention"}
    assert set(out.log) == {"overlap", "map_size", "frame_entropy"}
    assert not head.eval()({"deep": features()}, clips()).log


def test_parameters_of_both_variants_at_full_size():
    def count(module):
        return sum(p.numel() for p in module.parameters())

    assert count(spatial.IndependentAttention(2048, 6)) == 3_148_806
    assert count(spatial.SharedAttention(2048, 6)) == 131_596


def test_against_the_released_way_of_expanding():
    """Fused gating equals features expanded to (M, K, D, h, w), weighted and summed."""
    maps = features().requires_grad_()
    head = make(enhance="none")
    log_maps = spatial.log_maps(head.spatial(maps))
    expanded = maps.unsqueeze(1).expand(-1, K, -1, -1, -1) * log_maps.exp().view(-1, K, 1, 8, 4)
    slow = expanded.sum((3, 4))
    fused = spatial.gate(log_maps.exp(), maps)
    torch.testing.assert_close(fused, slow, atol=1e-6, rtol=1e-6)
    probe = torch.rand(slow.shape)
    gradients = [
        torch.autograd.grad((x * probe).sum(), maps, retain_graph=True)[0] for x in (fused, slow)
    ]
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-5)


def test_independent_models_share_nothing():
    """Each part's logits are those of two convolutions of its own."""
    model = make().spatial
    x = features()
    together = model(x)
    for k in range(K):
        rows = slice(8 * k, 8 * (k + 1))
        hidden = nn.functional.conv2d(x, model.hidden.weight[rows], model.hidden.bias[rows]).relu()
        own = nn.functional.conv2d(
            hidden, model.logits.weight[k : k + 1], model.logits.bias[k : k + 1]
        )
        torch.testing.assert_close(together[:, k : k + 1], own)


def test_the_whole_head_against_a_loop():
    head = make()
    nn.init.normal_(head.temporal.weight)
    x = features()
    out = head({"deep": x}, clips()).embedding.vectors
    maps = spatial.log_maps(head.spatial(x)).exp()
    rows = []
    for b in range(B):
        joined = []
        for k in range(K):
            seen = []
            for n in range(N):
                m = b * N + n
                gated = sum(maps[m, k, cell] * x[m].flatten(1)[:, cell] for cell in range(32))
                vector = head.enhance.linear(gated)
                seen.append(vector / vector.norm())
            response = torch.stack([v @ head.temporal.weight[k] for v in seen])
            share = response.softmax(0)
            joined.append(sum(s * v for s, v in zip(share, seen, strict=True)))
        vector = head.embedding(torch.cat(joined))
        rows.append(vector / vector.norm())
    torch.testing.assert_close(out[:, 0], torch.stack(rows), atol=1e-5, rtol=1e-4)


def test_start_breaks_the_tie_of_equal_maps():
    for attention in ("independent", "shared"):
        head = make(attention=attention)
        loss_of = head({"deep": features()}, clips()).outputs["attention"]
        from reidkit_plugins.drsa.losses import DiversityLoss

        DiversityLoss()(loss_of).backward()
        assert max(p.grad.abs().max() for p in head.spatial.parameters()) > 1e-6


def random_vectors(seed=3):
    return torch.randn(B, N, K, 7, generator=torch.Generator().manual_seed(seed))


def test_order_of_the_frames_does_not_matter():
    head = make()
    nn.init.normal_(head.temporal.weight)
    x = features().unflatten(0, (B, N))
    order = torch.randperm(N, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        before = head({"deep": x.flatten(0, 1)}, clips()).embedding.vectors
        after = head({"deep": x[:, order].flatten(0, 1)}, clips()).embedding.vectors
    torch.testing.assert_close(before, after, atol=1e-6, rtol=1e-5)


def test_temporal_attention_starts_as_the_mean_and_its_bias_learns_nothing():
    vectors = random_vectors().requires_grad_()
    pool = TemporalPool(K, 7)
    torch.testing.assert_close(pool(vectors), vectors.mean(1))
    nn.init.normal_(pool.weight)
    (pool(vectors) * torch.rand(B, K, 7)).sum().backward()
    assert pool.bias.grad.abs().max() < 1e-6 and pool.weight.grad.abs().max() > 1e-3


def test_a_frame_of_very_low_response_has_no_influence():
    vectors = random_vectors()
    pool = TemporalPool(K, 7)
    nn.init.normal_(pool.weight)
    direction = pool.weight / pool.weight.norm(dim=1, keepdim=True).square()
    vectors[:, 2] = -1e4 * direction
    others = [0, 1, 3, 4]
    torch.testing.assert_close(pool(vectors), pool(vectors[:, others]))


def test_one_response_for_all_parts():
    pool = TemporalPool(K, 7, "frame_attn")
    nn.init.normal_(pool.weight)
    weights = pool.weights(random_vectors())
    torch.testing.assert_close(weights, weights[:, :, :1].expand_as(weights))
    assert weights.std(1).max() > 0.01


def test_any_number_of_frames():
    head = make().eval()
    with torch.no_grad():
        for frames in (1, 3, 15):
            out = head({"deep": features()}, clips(frames))
            assert len(out.embedding.vectors) == B * N // frames


def test_without_parts_it_is_the_mean_of_everything():
    head = make(parts=0, pool="mean")
    x = features()
    pooled = x.unflatten(0, (B, N)).mean((1, 3, 4))
    wanted = nn.functional.normalize(head.embedding(pooled), dim=1)
    out = head({"deep": x}, clips())
    torch.testing.assert_close(out.embedding.vectors[:, 0], wanted)
    assert head.gives == ("vectors",) and out.outputs == {} and set(out.log) == {"frame_entropy"}


def test_frozen_spatial_models_are_constants_for_the_backbone():
    head, x = make(), features().requires_grad_()
    head.spatial.requires_grad_(False)
    out = head({"deep": x}, clips())
    assert not out.outputs["attention"].requires_grad
    out.embedding.vectors.sum().backward()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ENHANCE)
def test_enhancements_survive_zero_and_large_vectors(name):
    torch.manual_seed(0)
    layer = ENHANCE[name](D)
    x = torch.stack([torch.zeros(D), 1e4 * torch.ones(D)]).requires_grad_()
    out = layer(x)
    out.sum().backward()
    assert out.isfinite().all() and x.grad.isfinite().all() and out.shape[-1] == layer.width


@pytest.mark.parametrize(
    "options", [dict(parts=-1), dict(attention="x"), dict(enhance="x"), dict(pool="x")], ids=str
)
def test_wrong_options_are_refused(options):
    with pytest.raises(ValueError, match="must be"):
        make(**options)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_extreme_features_in_low_precision(dtype):
    head, x = make(), (1e3 * features()).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
        out = head({"deep": x}, clips())
    (out.embedding.vectors.float() * torch.rand(B, 1, 128)).sum().backward()
    assert out.outputs["attention"].dtype == torch.float32
    assert x.grad.isfinite().all()
