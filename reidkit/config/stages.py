"""The parts of a run that train differently, as configs of their own."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config

from reidkit.config.load import with_keys
from reidkit.config.merge import merge


def stage_configs(cfg: Config) -> list[Config]:
    """One config per stage of ``train.stages``, in order; a run without stages is one stage.

    A stage is merged over ``train`` as any other part of a config: dicts join key by key, an
    optimiser of another type replaces the first one whole. That each starts from the weights of the
    one before is the run's matter.

    Example:
        >>> first, second = stage_configs(Config(dict(train=dict(
        ...     optimizer=dict(type="SGD", lr=0.1, momentum=0.9),
        ...     stages=dict(first=dict(), tune=dict(optimizer=dict(type="AdamW", lr=0.1)))))))
        >>> first.train.optimizer.momentum, second.train.optimizer
        (0.9, {'type': 'AdamW', 'lr': 0.1})
    """
    train: dict[str, Any] = cfg.train.to_dict()
    changes = train.pop("stages", None) or {"": {}}
    return [with_keys(cfg, train=merge(train, change)) for change in changes.values()]
