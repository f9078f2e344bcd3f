"""Networks of timm, with tokens and without, under the heads that fit them: trained and tested."""

from __future__ import annotations

import pytest
import torch

from reidkit.config import prepare_config
from reidkit.engine.build import TrainingSet, build_model
from reidkit.engine.dry_run import dry_run_problems
from reidkit.engine.label_plan import plan_of
from reidkit.engine.optim import build_optim
from reidkit.engine.sample_batch import IDENTITIES, sample_batch

pytest.importorskip("timm")
pytestmark = pytest.mark.slow

NETWORKS = {
    "timm/vit_small_patch14_dinov2": "class",
    "timm/vit_base_patch16_clip_224.openai": "class",
    "timm/swin_tiny_patch4_window7_224": "stage3",
    "timm/convnext_tiny": "stage3",
}
# config, overrides beside the backbone; rows of the maps are 10, 8, 4 and 4
METHODS = {
    "BNNeckHead": ("eanet/pcb", ["model.head=BNNeckHead"]),
    "PCB": ("eanet/pcb", ["model.head.stripes=2"]),
    "PAP and PS": ("eanet/pap_s_ps", []),
    "QAConv": ("qaconv/qaconv_gs", []),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("network", NETWORKS)
def test_a_step_and_a_test(network, method):
    config, overrides = METHODS[method]
    given = [f"model.backbone={network}", "input.size=(128,64)", *overrides]
    cfg = prepare_config(config, ["settings.channels_last=False", *given])
    assert dry_run_problems(cfg) == []
    model = build_model(cfg, TrainingSet(IDENTITIES, (0, 1)))
    assert model.backbone.default == NETWORKS[network]
    plan, before = plan_of(model), [p.detach().clone() for p in model.backbone.parameters()]
    batch = sample_batch(cfg, plan.train["source"], plan.sizes["source"], "source")
    values = model.train().train_step({"source": batch}, build_optim(model, cfg.train))
    assert torch.isfinite(values["loss"])
    moved = [
        not torch.equal(a, b) for a, b in zip(before, model.backbone.parameters(), strict=True)
    ]
    assert sum(moved) > len(moved) / 2, "the step trains the backbone"
    embedding = model.embed(sample_batch(cfg, plan.test, {}, when="test"))
    with torch.no_grad():
        distances = model.matcher(embedding, embedding)
    assert torch.isfinite(distances).all() and distances.shape == (len(batch), len(batch))


def test_stripes_that_do_not_fit_are_refused_in_words():
    given = ["model.backbone=timm/vit_small_patch14_dinov2", "input.size=(128,64)"]
    [problem] = dry_run_problems(prepare_config("eanet/pcb", given))
    assert "6" in problem.what and "map (384, 10, 5)" in problem.hint
