"""The training step of a config on the device: images per second, share of the card's products."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from reidkit.bench.gpu.measurement import Measurement, device, seconds
from reidkit.config import prepare_config, stage_configs
from reidkit.engine.build import TrainingSet, build_model, without_weights
from reidkit.engine.devices import choose_precision
from reidkit.engine.label_plan import plan_of
from reidkit.engine.optim import build_optim
from reidkit.engine.sample_batch import sample_batch

PEOPLE = 751  # Market-1501's in training


def training_step(name: str, tiny: bool, *overrides: str) -> list[Measurement]:
    """Measure the step of the paper's recipe on generated images: loading is not part of it.

    Args:
        name: of a config.
        tiny: two images and one step, to see that it runs.
        overrides: further ones, as on the command line.
    """
    at = device()
    cfg = prepare_config(name, ["recipe=paper", *overrides])
    cfg = without_weights_of(cfg)
    train = stage_configs(cfg)[-1].train
    precision = choose_precision("auto", at)
    torch.manual_seed(0)
    model: Any = build_model(cfg, TrainingSet(PEOPLE, tuple(range(6))), precision).to(at).train()
    plan, count = plan_of(model), 2 if tiny else int(train.batch_size)
    data = {
        domain: sample_batch(cfg, plan.train[domain], plan.sizes[domain], domain, images=count)
        for domain in model.domains
    }
    optim = build_optim(model, train, precision)

    def step() -> None:
        model.train_step(data, optim)

    with FlopCounterMode(display=False) as counter:
        step()
    spent = seconds(step, *((1, 0) if tiny else (8, 3)))
    frames = next(iter(data.values())).frames
    rate, done = len(data) * count * frames / spent, counter.get_total_flops() / spent
    share = 100 * done / product_rate(tiny)
    title = f"step of {name}, paper's size, {precision}"
    note = f"{len(data)} domain(s) of {count} x {frames} images, {spent * 1000:.4g} ms"
    return [
        Measurement(title, rate, "images/s", note=note),
        Measurement(
            f"{title}: of the card's products", share, "%", note=f"{done / 1e12:.3g} TFLOP/s"
        ),
    ]


def without_weights_of(cfg: Any) -> Any:
    """The config with random weights: a card that is lent for minutes has no weight files."""
    cfg.model = type(cfg.model)(without_weights(cfg.model.to_dict()))
    return cfg


@lru_cache
def product_rate(tiny: bool) -> float:
    """Operations per second of one large product in the training's precision, as measured."""
    at, size = device(), 256 if tiny else 8192
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(choose_precision("auto", at))
    left, right = (torch.randn(size, size, device=at, dtype=kind) for _ in range(2))
    return 2 * size**3 / seconds(lambda: left @ right, 5)
