"""The configs of a run's stages: what ``train.stages`` changes, merged as every layer is."""

from __future__ import annotations

import copy

from mmengine.config import Config, ConfigDict

from reidkit.config.files import merge


def stage_configs(cfg: Config) -> list[Config]:
    """One config per entry of ``train.stages``, in order; a run without stages is one stage."""
    train = cfg.train.to_dict()
    configs = []
    for change in train.pop("stages", None) or [{}]:
        stage = copy.deepcopy(cfg)
        stage.train = ConfigDict(merge(train, change))
        configs.append(stage)
    return configs
