"""Domains of a run: what is missing is named with what would work."""

import numpy as np
import pytest

from reidkit.config import prepare_config
from reidkit.config.load import with_keys
from reidkit.engine.domains import Domains
from reidkit.errors import UserError


def test_data_to_train_on_alone_names_how_to_train_without_a_test(tmp_path):
    import cv2

    for person in "12":
        (tmp_path / "own/train" / person).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "own/train" / person / "a.png"), np.zeros((8, 4, 3), np.uint8))
    cfg = prepare_config("eanet/global_pool", [f"settings.data_root={tmp_path}"])
    data = dict(
        name="own", tests=["source"], domains=dict(source=dict(type="ImageFolder", root="own"))
    )
    domains = Domains(with_keys(cfg, data=data))
    assert len(domains.split("source", "train")) == 2
    with pytest.raises(UserError, match=r"no split 'query'.*data.tests=\[\] trains without a test"):
        domains.split("source", "query")
    with pytest.raises(UserError, match="no domain 'target'; it has: source"):
        domains.split("target", "train")
